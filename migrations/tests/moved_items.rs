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
    before_migration::<M>(test, service, "_outbox").await
}

/// A database without the migration whose name ends like this, and those after it.
async fn before_migration<M: MigratorTrait>(
    test: &TestDatabase,
    service: &'static str,
    name: &str,
) -> Database {
    let database = Database::connect(&test.config, service).await.unwrap();
    let mut migrations = M::migrations().into_iter();
    let earlier = migrations.position(|migration| migration.name().ends_with(name));
    let earlier = u32::try_from(earlier.unwrap()).unwrap();
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
    assert!(!migrate::<M>(database).await.unwrap().is_empty());
    let connection = database.connection();
    let backend = connection.get_database_backend();
    let left = Statement::from_string(backend, format!("SELECT * FROM {former}"));
    assert!(connection.query_all_raw(left).await.unwrap().is_empty());
    items(database).await
}

async fn items(database: &Database) -> Vec<Moved> {
    let connection = database.connection();
    let backend = connection.get_database_backend();
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

/// A forecast with one series whose rows have got so far.
async fn has_forecast(database: &Database, id: Uuid, run: Uuid, write_back: &str) {
    let text = |value: &str| Expr::value(value.to_owned());
    let forecast = vec![
        ("id", Expr::value(id)),
        ("run_id", Expr::value(run)),
        ("use_case", Expr::value(id.to_string())),
        ("issued_at", Expr::value(moment())),
        ("start", Expr::value(moment())),
        ("horizon_hours", Expr::value(72)),
        ("model_name", text("attack_volume")),
        ("model_version", Expr::value(1)),
        ("completeness", Expr::value(1.0)),
        ("validity", text("valid")),
        ("valid_until", Expr::value(moment())),
        ("drivers", Expr::value(json!([]))),
    ];
    has_row(database, "forecast", forecast).await;
    let series = vec![
        ("forecast_id", Expr::value(id)),
        ("series_id", text("attack_volume/total")),
        ("run_id", Expr::value(run)),
        ("position", Expr::value(0)),
        ("model_kind", text("panel")),
        ("note", text("")),
        ("learning", Expr::value(false)),
        ("points", Expr::value(vec![0_u8])),
        ("write_back", text(write_back)),
    ];
    has_row(database, "forecast_series", series).await;
}

#[tokio::test]
async fn what_waits_for_the_workspace_becomes_tasks() {
    for test in TestDatabase::every_engine().await {
        let name = "_write_back_tasks";
        let database = before_migration::<scorer::Migrator>(&test, "scorer", name).await;
        let run = Uuid::now_v7();
        let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        for (id, state) in ids.iter().zip(["pending", "withdrawing", "delivered"]) {
            has_forecast(&database, *id, run, state).await;
        }
        let withdrawal = vec![
            ("forecast_id", Expr::value(ids[1])),
            ("use_case", Expr::value("risk_period")),
            ("withdrawn_at", Expr::value(moment())),
            ("withdrawn_by", Expr::value("olga")),
            ("reason", Expr::value("a wrong export")),
        ];
        has_row(&database, "withdrawal", withdrawal).await;
        for state in ["sending", "retract", "standing"] {
            let window = vec![
                ("window_id", Expr::value(Uuid::now_v7())),
                ("forecast_id", Expr::value(ids[0])),
                ("run_id", Expr::value(run)),
                ("use_case", Expr::value("risk_period")),
                ("issued_at", Expr::value(moment())),
                ("ends_at", Expr::value(moment())),
                ("row", Expr::value("{}")),
                ("state", Expr::value(state)),
            ];
            has_row(&database, "surge_row", window).await;
        }
        assert_eq!(
            migrate::<scorer::Migrator>(&database).await.unwrap().len(),
            1
        );
        let task = |key: String, order: String, run: Option<Uuid>, payload: Value| {
            let channel = "write_back".to_owned();
            let state = "waiting".to_owned();
            (channel, key, Some(order), run, payload, state, None, None)
        };
        let of = |task: &str, id: Uuid| json!({"task": task, "forecast": id});
        let windows = ("windows/first".to_owned(), "windows".to_owned());
        let expected = [
            task(windows.0, windows.1, None, json!({"task": "windows"})),
            task(
                format!("rows/{}", ids[0]),
                ids[0].to_string(),
                Some(run),
                of("rows", ids[0]),
            ),
            task(
                format!("withdrawal/{}", ids[1]),
                ids[1].to_string(),
                Some(run),
                of("withdrawal", ids[1]),
            ),
        ];
        assert_eq!(items(&database).await, expected);
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
