//! The broker's tables. Every change of a proposal is one transaction: read, judged by the policy,
//! written, together with the events that tell of it.

mod entities;
mod queries;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_db::{Database, DatabaseConfig, DbError};
use foretide_domain::{ForecastId, ProposalId, UseCaseId};
use foretide_migrations::broker::Migrator;
use foretide_migrations::{MigrateError, migrate};
use foretide_outbox::AUDIT;
use sea_orm::ConnectionTrait;

use crate::error::BrokerError;
use crate::model::{KillSwitch, NewEvent, ProposalFilter, ProposalRecord};

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Its schema.
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

/// What a change came to, and what is to be told of it.
pub(crate) struct Change<T> {
    pub(crate) value: T,
    pub(crate) events: Vec<NewEvent>,
}

/// New proposals of a forecast, and what they replace.
#[derive(Debug, Clone)]
pub(crate) struct NewProposals {
    pub(crate) use_case: UseCaseId,
    pub(crate) forecast_id: ForecastId,
    pub(crate) proposals: Vec<(ProposalRecord, NewEvent)>,
}

/// How many proposals were replaced and which are new.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) superseded: u32,
    pub(crate) inserted: Vec<ProposalId>,
}

/// The broker's tables. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Storage {
    database: Database,
}

impl Storage {
    pub(crate) async fn open(config: &DatabaseConfig) -> Result<Self, OpenError> {
        let database = Database::connect(config, "broker").await?;
        migrate::<Migrator>(&database).await?;
        queries::kill_switch::ensure(database.connection()).await?;
        Ok(Self { database })
    }

    /// Reads a proposal and the kill switch, lets `judge` change it, and stores that, alone among
    /// all who would change it. When `judge` refuses, nothing is stored.
    pub(crate) async fn change<T, F>(
        &self,
        id: ProposalId,
        now: DateTime<Utc>,
        judge: F,
    ) -> Result<(ProposalRecord, T), BrokerError>
    where
        T: Send + 'static,
        F: Fn(&mut ProposalRecord, &KillSwitch) -> Result<Change<T>, BrokerError>
            + Send
            + Sync
            + 'static,
    {
        let judge = Arc::new(judge);
        self.database
            .transaction("change proposal", |transaction| {
                let judge = Arc::clone(&judge);
                Box::pin(async move {
                    let kill_switch = queries::kill_switch::get(transaction).await?;
                    let mut record = queries::proposals::find(transaction, id).await?;
                    let known = record.decisions.len();
                    let change = judge(&mut record, &kill_switch)?;
                    queries::proposals::update(transaction, &record, known).await?;
                    leave(transaction, change.events, now).await?;
                    Ok((record, change.value))
                })
            })
            .await
    }

    /// Stores the proposals of a forecast and ends those that wait on older ones.
    pub(crate) async fn propose(
        &self,
        new: &NewProposals,
        now: DateTime<Utc>,
        superseded: fn(&ProposalRecord, ForecastId) -> NewEvent,
    ) -> Result<Stored, BrokerError> {
        self.database
            .transaction("propose", |transaction| {
                let new = new.clone();
                Box::pin(async move {
                    let mut stored = Stored::default();
                    let mut events = Vec::new();
                    let older = queries::proposals::waiting_on_older_forecasts(
                        transaction,
                        &new.use_case,
                        new.forecast_id,
                    );
                    for mut record in older.await? {
                        if record.life.supersede() {
                            let known = record.decisions.len();
                            queries::proposals::update(transaction, &record, known).await?;
                            events.push(superseded(&record, new.forecast_id));
                            stored.superseded += 1;
                        }
                    }
                    for (record, event) in new.proposals {
                        if queries::proposals::insert(transaction, &record).await? {
                            stored.inserted.push(record.id);
                            events.push(event);
                        }
                    }
                    leave(transaction, events, now).await?;
                    Ok::<_, BrokerError>(stored)
                })
            })
            .await
    }

    /// Stores one proposal that rests on no forecast.
    pub(crate) async fn insert(
        &self,
        record: &ProposalRecord,
        event: &NewEvent,
        now: DateTime<Utc>,
    ) -> Result<(), BrokerError> {
        self.database
            .transaction("insert proposal", |transaction| {
                let (record, event) = (record.clone(), event.clone());
                Box::pin(async move {
                    queries::proposals::insert(transaction, &record).await?;
                    leave(transaction, [event], now).await
                })
            })
            .await
    }

    pub(crate) async fn find(&self, id: ProposalId) -> Result<ProposalRecord, BrokerError> {
        queries::proposals::find(self.database.connection(), id).await
    }

    pub(crate) async fn list(
        &self,
        filter: &ProposalFilter,
    ) -> Result<Vec<ProposalRecord>, BrokerError> {
        queries::proposals::list(self.database.connection(), filter).await
    }

    pub(crate) async fn overdue(&self, now: DateTime<Utc>) -> Result<Vec<ProposalId>, BrokerError> {
        queries::proposals::overdue(self.database.connection(), now).await
    }

    pub(crate) async fn abandoned(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<ProposalId>, BrokerError> {
        queries::proposals::abandoned(self.database.connection(), now).await
    }

    pub(crate) async fn kill_switch(&self) -> Result<KillSwitch, BrokerError> {
        queries::kill_switch::get(self.database.connection()).await
    }

    pub(crate) async fn set_kill_switch(
        &self,
        kill_switch: &KillSwitch,
        event: &NewEvent,
        now: DateTime<Utc>,
    ) -> Result<(), BrokerError> {
        self.database
            .transaction("set kill switch", |transaction| {
                let (kill_switch, event) = (kill_switch.clone(), event.clone());
                Box::pin(async move {
                    queries::kill_switch::set(transaction, &kill_switch).await?;
                    leave(transaction, [event], now).await
                })
            })
            .await
    }

    /// Tells of something that changed nothing.
    pub(crate) async fn tell(
        &self,
        event: NewEvent,
        now: DateTime<Utc>,
    ) -> Result<(), BrokerError> {
        leave(self.database.connection(), [event], now).await
    }

    pub(crate) fn database(&self) -> Database {
        self.database.clone()
    }
}

/// Leaves events for the audit chain, beside what they tell of.
async fn leave(
    connection: &impl ConnectionTrait,
    events: impl IntoIterator<Item = NewEvent>,
    now: DateTime<Utc>,
) -> Result<(), BrokerError> {
    let items = events.into_iter().map(NewEvent::into_item);
    Ok(foretide_outbox::insert(connection, AUDIT, items, now).await?)
}
