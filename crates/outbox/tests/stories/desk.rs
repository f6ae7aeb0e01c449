//! An outbox, a destination that answers as it is told, and couriers between them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use foretide_db::testing::TestDatabase;
use foretide_db::{Database, DbError};
use foretide_domain::{Principal, Role, RunId, SimulatedClock};
use foretide_migrations::{broker, migrate};
use foretide_outbox::{
    Backoff, Courier, Destination, Item, NewItem, Outbox, OutboxGrpc, Outcome, insert,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tonic::Request;

pub(crate) const CHANNEL: &str = "story";

pub(crate) fn start() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// Answers of items by key, the next one first; delivered when nothing more is said.
#[derive(Default)]
pub(crate) struct Receiver {
    pub(crate) script: Mutex<HashMap<String, Vec<Outcome>>>,
    /// Keys in the order in which they were tried, with their answers.
    pub(crate) tried: Mutex<Vec<(String, Outcome)>>,
}

impl Receiver {
    /// Answers the item like this before it takes it.
    pub(crate) fn answers(&self, key: &str, outcomes: &[Outcome]) {
        let mut script = self.script.lock().unwrap();
        script.insert(key.to_owned(), outcomes.to_vec());
    }

    fn answer(&self, key: &str) -> Outcome {
        let mut script = self.script.lock().unwrap();
        match script.get_mut(key) {
            Some(answers) if !answers.is_empty() => answers.remove(0),
            _ => Outcome::Delivered(Some(format!("receipt of {key}"))),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let tried = self.tried.lock().unwrap();
        tried.iter().map(|(key, _)| key.clone()).collect()
    }
}

#[async_trait]
impl Destination for Receiver {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let answer = |item: &Item| {
            let outcome = self.answer(&item.key);
            let mut tried = self.tried.lock().unwrap();
            tried.push((item.key.clone(), outcome.clone()));
            outcome
        };
        items.iter().map(answer).collect()
    }
}

/// A receiver that says when it was asked and answers when it may.
pub(crate) struct Slow {
    pub(crate) name: &'static str,
    pub(crate) asked: mpsc::UnboundedSender<Vec<String>>,
    pub(crate) may_answer: Arc<Semaphore>,
    pub(crate) settled: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Destination for Slow {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let keys = items.iter().map(|item| item.key.clone()).collect();
        self.asked.send(keys).unwrap();
        self.may_answer.acquire().await.unwrap().forget();
        let receipt = Outcome::Delivered(Some(self.name.to_owned()));
        items.iter().map(|_| receipt.clone()).collect()
    }

    async fn settled(
        &self,
        _transaction: &DatabaseTransaction,
        outcomes: &[(Item, Outcome)],
    ) -> Result<(), DbError> {
        let keys = outcomes.iter().map(|(item, _)| item.key.clone());
        self.settled.lock().unwrap().extend(keys);
        Ok(())
    }
}

pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) outbox: Outbox,
    pub(crate) kept: TestDatabase,
}

impl Desk {
    pub(crate) async fn open(kept: TestDatabase) -> Self {
        let database = Database::connect(&kept.config, "broker").await.unwrap();
        migrate::<broker::Migrator>(&database).await.unwrap();
        Self {
            outbox: Outbox::new(database.clone(), CHANNEL),
            database,
            kept,
        }
    }

    /// Another replica's view of the same outbox.
    pub(crate) async fn replica(&self) -> Outbox {
        let database = Database::connect(&self.kept.config, "broker")
            .await
            .unwrap();
        Outbox::new(database, CHANNEL)
    }

    pub(crate) async fn keep(&self, items: &[(&str, Option<&str>)]) {
        let items: Vec<_> = items.iter().map(|(key, order)| item(key, *order)).collect();
        self.database
            .transaction("keep items", move |tx| {
                let items = items.clone();
                Box::pin(async move { insert(tx, CHANNEL, items, start()).await })
            })
            .await
            .unwrap();
    }

    /// Lets every pause and every lease be over.
    pub(crate) async fn time_passes(&self) {
        let sql = "UPDATE outbox SET next_attempt_at = NULL WHERE state = 'waiting'";
        let connection = self.database.connection();
        connection.execute_unprepared(sql).await.unwrap();
    }

    /// The outbox as it is served.
    pub(crate) fn served(&self) -> OutboxGrpc {
        let clock = Arc::new(SimulatedClock::starting_at(start()));
        OutboxGrpc::new(vec![self.outbox.clone()], vec![], clock)
    }

    /// When the lease of the only item ends.
    pub(crate) async fn lease_end(&self) -> DateTime<Utc> {
        let connection = self.database.connection();
        let sql = "SELECT next_attempt_at FROM outbox WHERE lease_id IS NOT NULL";
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.unwrap();
        row.unwrap().try_get("", "next_attempt_at").unwrap()
    }

    pub(crate) async fn has_receipts(&self, order_key: &str) -> Vec<String> {
        let delivered = self.outbox.delivered(order_key).await.unwrap();
        delivered
            .into_iter()
            .map(|item| item.receipt.unwrap())
            .collect()
    }
}

/// A request by Olga, who has the role.
pub(crate) fn by<T>(role: Role, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Principal {
        name: "olga".to_owned(),
        roles: vec![role],
    });
    request
}

pub(crate) fn item(key: &str, order_key: Option<&str>) -> NewItem {
    NewItem {
        key: key.to_owned(),
        order_key: order_key.map(str::to_owned),
        run_id: Some(RunId::new()),
        payload: json!({"key": key}),
    }
}

pub(crate) fn courier(outbox: Outbox, destination: Arc<dyn Destination>) -> Courier {
    let clock = Arc::new(SimulatedClock::starting_at(start()));
    Courier::new(outbox, destination, clock)
}

/// Pauses that do not end within a test.
pub(crate) fn patient() -> Backoff {
    Backoff {
        first_wait_ms: 3_600_000,
        longest_wait_ms: 3_600_000,
    }
}

pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(20), look).await;
    looked.expect(what);
}
