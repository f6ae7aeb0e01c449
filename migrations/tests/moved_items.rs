//! What waited in the outboxes of earlier versions waits in the common one, and nothing is forgotten.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use chrono::{DateTime, Utc};
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_migrations::{auditor, broker, migrate, scorer, trainer};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::MigratorTrait;
use serde_json::{Value, json};
use uuid::Uuid;

/// channel, key, order key, run, payload, state, receipt, last error
type Moved = (
    String,
    String,
    Option<String>,
    Option<Uuid>,
    Value,
    String,
    Option<String>,
    Option<String>,
);

fn moment() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// A database as the last version before the common outbox left it.
async fn before<M: MigratorTrait>(test: &TestDatabase, service: &'static str) -> Database {
    let database = Database::connect(&test.config, service).await.unwrap();
    let earlier = u32::try_from(M::migrations().len() - 1).unwrap();
    let transaction = database.begin_schema_change().await.unwrap();
    M::up(&transaction, Some(earlier)).await.unwrap();
    transaction.commit().await.unwrap();
    database
}

async fn has_row(database: &Database, table: &'static str, row: Vec<(&'static str, Expr)>) {
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let insert = Query::insert()
        .into_table(table)
        .columns(columns)
        .values(values)
        .unwrap()
        .to_owned();
    database.connection().execute(&insert).await.unwrap();
}

async fn moved<M: MigratorTrait>(database: &Database, former: &str) -> Vec<Moved> {
    assert_eq!(migrate::<M>(database).await.unwrap().len(), 1);
    let connection = database.connection();
    let backend = connection.get_database_backend();
    let left = Statement::from_string(backend, format!("SELECT * FROM {former}"));
    assert!(connection.query_all_raw(left).await.unwrap().is_empty());
    let items = "SELECT * FROM outbox ORDER BY sequence";
    let items = connection
        .query_all_raw(Statement::from_string(backend, items))
        .await
        .unwrap();
    let read = |row: sea_orm::QueryResult| {
        let text = |column| row.try_get::<String>("", column).unwrap();
        let maybe = |column| row.try_get::<Option<String>>("", column).unwrap();
        let created: DateTime<Utc> = row.try_get("", "created_at").unwrap();
        assert_eq!(created, moment());
        (
            text("channel"),
            text("item_key"),
            maybe("order_key"),
            row.try_get("", "run_id").unwrap(),
            serde_json::from_str(&text("payload")).unwrap(),
            text("state"),
            maybe("receipt"),
            maybe("last_error"),
        )
    };
    items.into_iter().map(read).collect()
}

fn none() -> Expr {
    Expr::value(None::<String>)
}

#[tokio::test]
async fn events_of_the_broker_move() {
    for test in TestDatabase::every_engine().await {
        let database = before::<broker::Migrator>(&test, "broker").await;
        let run = Uuid::now_v7();
        let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        let ends = [
            (Some(moment()), Some(7_i64), None),
            (Some(moment()), None, Some("no")),
            (None, None, None),
        ];
        for (id, (delivered_at, sequence, refusal)) in ids.iter().zip(ends) {
            let row = vec![
                ("event_id", Expr::value(*id)),
                ("actor", Expr::value("person:ada")),
                ("action", Expr::value("proposal.approved")),
                ("subject", Expr::value("proposal/1")),
                ("run_id", Expr::value(sequence.map(|_| run.to_string()))),
                ("details", Expr::value(r#"{"comment":"it's \"fine\""}"#)),
                ("created_at", Expr::value(moment())),
                ("delivered_at", Expr::value(delivered_at)),
                ("sequence", Expr::value(sequence)),
                ("refusal", Expr::value(refusal.map(str::to_owned))),
            ];
            has_row(&database, "audit_outbox", row).await;
        }
        let payload = json!({
            "actor": "person:ada",
            "action": "proposal.approved",
            "subject": "proposal/1",
            "details": r#"{"comment":"it's \"fine\""}"#,
        });
        let item = |n: usize, run, state: &str, receipt: Option<&str>, error: Option<&str>| {
            (
                "audit".to_owned(),
                ids[n].to_string(),
                Some("audit".to_owned()),
                run,
                payload.clone(),
                state.to_owned(),
                receipt.map(str::to_owned),
                error.map(str::to_owned),
            )
        };
        let expected = vec![
            item(0, Some(run), "delivered", Some("7"), None),
            item(1, None, "refused", None, Some("no")),
            item(2, None, "waiting", None, None),
        ];
        assert_eq!(
            moved::<broker::Migrator>(&database, "audit_outbox").await,
            expected
        );
    }
}

#[tokio::test]
async fn events_of_the_scorer_move() {
    for test in TestDatabase::every_engine().await {
        let database = before::<scorer::Migrator>(&test, "scorer").await;
        let (run, ids) = (Uuid::now_v7(), [Uuid::now_v7(), Uuid::now_v7()]);
        for (id, delivered) in ids.iter().zip([true, false]) {
            let row = vec![
                ("event_id", Expr::value(*id)),
                ("run_id", Expr::value(run)),
                ("action", Expr::value("forecast.issued")),
                ("subject", Expr::value("forecast/1")),
                ("details", Expr::value(json!({"series": 6}))),
                ("delivered", Expr::value(delivered)),
                ("attempts", Expr::value(3_i64)),
                ("last_error", none()),
                ("created_at", Expr::value(moment())),
            ];
            has_row(&database, "audit_outbox", row).await;
        }
        let items = moved::<scorer::Migrator>(&database, "audit_outbox").await;
        for ((item, id), state) in items.iter().zip(ids).zip(["delivered", "waiting"]) {
            let (channel, key, order, of_run, payload, of_state, ..) = item;
            assert_eq!(
                (channel.as_str(), order.as_deref()),
                ("audit", Some("audit"))
            );
            assert_eq!((key, of_run), (&id.to_string(), &Some(run)));
            assert_eq!(of_state, state);
            assert_eq!(payload["actor"], "service:scorer");
            let details: Value =
                serde_json::from_str(payload["details"].as_str().unwrap()).unwrap();
            assert_eq!(details, json!({"series": 6}));
        }
        assert_eq!(items.len(), 2);
    }
}

#[tokio::test]
async fn rows_of_the_auditor_move() {
    for test in TestDatabase::every_engine().await {
        let database = before::<auditor::Migrator>(&test, "auditor").await;
        let (run, key) = (Uuid::now_v7(), Uuid::now_v7());
        let row = vec![
            ("idempotency_key", Expr::value(key)),
            ("run_id", Expr::value(run)),
            ("row", Expr::value(r#"{"Mae":1.5}"#)),
            ("created_at", Expr::value(moment())),
            ("attempts", Expr::value(2)),
            ("next_attempt_at", Expr::value(moment())),
            ("refused", Expr::value(false)),
            ("last_error", Expr::value("away")),
        ];
        has_row(&database, "governance_outbox", row).await;
        let expected = (
            "governance".to_owned(),
            key.to_string(),
            None,
            Some(run),
            json!({"Mae": 1.5}),
            "waiting".to_owned(),
            None,
            Some("away".to_owned()),
        );
        let items = moved::<auditor::Migrator>(&database, "governance_outbox").await;
        assert_eq!(items, [expected]);
    }
}

#[tokio::test]
async fn versions_for_mlflow_move() {
    for test in TestDatabase::every_engine().await {
        let database = before::<trainer::Migrator>(&test, "trainer").await;
        let run = Uuid::now_v7();
        for (version, state, mlflow_run) in [(1, "delivered", Some("abc")), (2, "pending", None)] {
            let row = vec![
                ("name", Expr::value("attack_volume")),
                ("version", Expr::value(version)),
                ("run_id", Expr::value(run)),
                ("state", Expr::value(state)),
                ("attempts", Expr::value(1_i64)),
                ("mlflow_run_id", Expr::value(mlflow_run.map(str::to_owned))),
                ("created_at", Expr::value(moment())),
            ];
            has_row(&database, "ledger_entry", row).await;
        }
        let item = |version: u32, state: &str, receipt: Option<&str>| {
            (
                "mlflow".to_owned(),
                format!("attack_volume/{version}"),
                Some("attack_volume".to_owned()),
                Some(run),
                json!({"name": "attack_volume", "version": version}),
                state.to_owned(),
                receipt.map(str::to_owned),
                None,
            )
        };
        let expected = [item(1, "delivered", Some("abc")), item(2, "waiting", None)];
        assert_eq!(
            moved::<trainer::Migrator>(&database, "ledger_entry").await,
            expected
        );
    }
}
