//! Schema of the `scorer` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, boolean, boolean_null, date, double, integer, json_binary, string,
    string_null, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::outbox;

/// Migrations of the `scorer` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Forecasts),
            Box::new(WriteBack),
            Box::new(JudgedWindows),
            Box::new(OneOutbox),
            Box::new(WriteBackTasks),
        ]
    }
}

/// Forecasts with their series and risk windows, and what of them still has to leave.
struct Forecasts;

impl MigrationName for Forecasts {
    fn name(&self) -> &'static str {
        "m20261123_000001_forecasts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Forecasts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(forecasts()).await?;
        manager
            .create_index(index(
                "forecast",
                "forecast_by_time",
                &["use_case", "issued_at"],
            ))
            .await?;
        let mut one_a_run = index("forecast", "one_forecast_a_run", &["run_id", "use_case"]);
        manager.create_index(one_a_run.unique().to_owned()).await?;
        manager.create_table(forecast_series()).await?;
        let waiting = index("forecast_series", "series_by_write_back", &["write_back"]);
        manager.create_index(waiting).await?;
        manager.create_table(risk_windows()).await?;
        let by_time = index(
            "risk_window",
            "risk_window_by_time",
            &["use_case", "issued_at"],
        );
        manager.create_index(by_time).await?;
        let of_forecast = index("risk_window", "risk_window_of_forecast", &["forecast_id"]);
        manager.create_index(of_forecast).await?;
        manager.create_table(audit_outbox()).await
    }
}

/// What the workspace accepted, which windows stand there, and what watchlists cost.
struct WriteBack;

impl MigrationName for WriteBack {
    fn name(&self) -> &'static str {
        "m20261124_000002_write_back"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for WriteBack {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::accepted_batch::create(manager).await?;
        manager.create_table(surge_rows()).await?;
        let by_state = index("surge_row", "surge_row_by_state", &["state"]);
        manager.create_index(by_state).await?;
        let coming = index("surge_row", "surge_row_coming", &["use_case", "ends_at"]);
        manager.create_index(coming).await?;
        manager.create_table(withdrawals()).await?;
        manager.create_table(watchlist_changes()).await?;
        let by_day = index("watchlist_change", "watchlist_change_by_day", &["day"]);
        manager.create_index(by_day).await
    }
}

/// Every window as it was judged, and where capacities come from.
struct JudgedWindows;

impl MigrationName for JudgedWindows {
    fn name(&self) -> &'static str {
        "m20261128_000003_judged_windows"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for JudgedWindows {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(judged_windows()).await?;
        let kind = Table::alter()
            .table("risk_window")
            .add_column(string_null("capacity_kind"))
            .to_owned();
        manager.alter_table(kind).await
    }
}

/// Audit events go through the common outbox.
struct OneOutbox;

impl MigrationName for OneOutbox {
    fn name(&self) -> &'static str {
        "m20261128_000004_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OneOutbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::create(manager).await?;
        let backend = manager.get_database_backend();
        let payload = [
            ("actor", "'service:scorer'"),
            ("action", "action"),
            ("subject", "subject"),
            ("details", "CAST(details AS text)"),
        ];
        let former = outbox::Former {
            table: "audit_outbox",
            channel: "audit",
            item_key: &outbox::uuid_text(backend, "event_id"),
            order_key: "'audit'",
            run_id: "run_id",
            payload: &outbox::json_text(backend, &payload),
            state: "CASE WHEN delivered THEN 'delivered' ELSE 'waiting' END",
            attempts: "attempts",
            settled_at: "delivered_at",
            receipt: "NULL",
            last_error: "last_error",
            order_by: "sequence",
        };
        outbox::move_items(manager, former).await
    }
}

/// What waits for the workspace becomes tasks of the common outbox.
struct WriteBackTasks;

impl MigrationName for WriteBackTasks {
    fn name(&self) -> &'static str {
        "m20261128_000005_write_back_tasks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for WriteBackTasks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let forecast = outbox::uuid_text(backend, "forecast.id");
        let of_forecast = |task: &str| {
            let task = format!("'{task}'");
            outbox::json_text(backend, &[("task", &task), ("forecast", &forecast)])
        };
        let has_series = |state: &str| {
            format!(
                "EXISTS (SELECT 1 FROM forecast_series WHERE forecast_id = forecast.id \
                 AND write_back = '{state}')"
            )
        };
        let insert = "INSERT INTO outbox (channel, item_key, order_key, run_id, payload, created_at, \
                      state, attempts) SELECT 'write_back'";
        let windows = format!(
            "{insert}, 'windows/first', 'windows', NULL, {}, MIN(issued_at), 'waiting', 0 \
             FROM surge_row WHERE state IN ('due', 'sending', 'retract') HAVING COUNT(*) > 0",
            outbox::json_text(backend, &[("task", "'windows'")])
        );
        let rows = format!(
            "{insert}, 'rows/' || {forecast}, {forecast}, run_id, {}, issued_at, 'waiting', 0 \
             FROM forecast WHERE {} ORDER BY issued_at, id",
            of_forecast("rows"),
            has_series("pending")
        );
        let withdrawals = format!(
            "{insert}, 'withdrawal/' || {forecast}, {forecast}, run_id, {}, withdrawn_at, 'waiting', 0 \
             FROM forecast JOIN withdrawal ON forecast_id = forecast.id WHERE {} \
             ORDER BY withdrawn_at, forecast.id",
            of_forecast("withdrawal"),
            has_series("withdrawing")
        );
        let connection = manager.get_connection();
        for statement in [windows, rows, withdrawals] {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// Windows of the rule that acts, raised or not: by them its warnings are judged.
fn judged_windows() -> TableCreateStatement {
    Table::create()
        .table("judged_window")
        .col(uuid("forecast_id"))
        .col(timestamp_with_time_zone("starts_at"))
        .col(string("use_case"))
        .col(timestamp_with_time_zone("ends_at"))
        .col(double("probability"))
        .col(double("expected"))
        .col(double("capacity"))
        .col(string("capacity_kind"))
        .col(boolean("is_raised"))
        .col(boolean_null("baseline_raised"))
        .primary_key(Index::create().col("forecast_id").col("starts_at"))
        .to_owned()
}

/// Rows of `Predicted_Attack_Surge_CL`: which should stand there, and which do.
fn surge_rows() -> TableCreateStatement {
    Table::create()
        .table("surge_row")
        .col(uuid("window_id").primary_key())
        .col(uuid("forecast_id"))
        .col(uuid("run_id"))
        .col(string("use_case"))
        .col(timestamp_with_time_zone("issued_at"))
        .col(timestamp_with_time_zone("ends_at"))
        .col(text("row"))
        .col(string("state"))
        .col(timestamp_with_time_zone_null("retracted_at"))
        .col(text_null("retracted_because"))
        .col(text_null("last_error"))
        .to_owned()
}

/// Forecasts that a person took back.
fn withdrawals() -> TableCreateStatement {
    Table::create()
        .table("withdrawal")
        .col(uuid("forecast_id").primary_key())
        .col(string("use_case"))
        .col(timestamp_with_time_zone("withdrawn_at"))
        .col(string("withdrawn_by"))
        .col(text("reason"))
        .to_owned()
}

/// Changes of watchlist items, noted before they are made: the month's are limited.
fn watchlist_changes() -> TableCreateStatement {
    Table::create()
        .table("watchlist_change")
        .col(big_pk_auto("sequence"))
        .col(date("day"))
        .col(string("watchlist"))
        .col(big_integer("changes"))
        .to_owned()
}

fn forecasts() -> TableCreateStatement {
    Table::create()
        .table("forecast")
        .col(uuid("id").primary_key())
        .col(uuid("run_id"))
        .col(string("use_case"))
        .col(timestamp_with_time_zone("issued_at"))
        .col(timestamp_with_time_zone("start"))
        .col(integer("horizon_hours"))
        .col(string("model_name"))
        .col(integer("model_version"))
        .col(double("completeness"))
        .col(string("validity"))
        .col(timestamp_with_time_zone("valid_until"))
        .col(json_binary("drivers"))
        .to_owned()
}

/// One row a series: its points are a compact block, not a row an hour.
fn forecast_series() -> TableCreateStatement {
    Table::create()
        .table("forecast_series")
        .col(uuid("forecast_id"))
        .col(string("series_id"))
        .col(uuid("run_id"))
        .col(integer("position"))
        .col(string("model_kind"))
        .col(text("note"))
        .col(boolean("learning"))
        .col(ColumnDef::new("points").binary().not_null())
        .col(string("write_back"))
        .col(text_null("write_back_error"))
        .primary_key(Index::create().col("forecast_id").col("series_id"))
        .to_owned()
}

fn risk_windows() -> TableCreateStatement {
    Table::create()
        .table("risk_window")
        .col(uuid("id").primary_key())
        .col(uuid("forecast_id"))
        .col(uuid("run_id"))
        .col(string("use_case"))
        .col(string("series_id"))
        .col(timestamp_with_time_zone("starts_at"))
        .col(timestamp_with_time_zone("ends_at"))
        .col(double("probability"))
        .col(double("expected"))
        .col(double("capacity"))
        .col(string("rule"))
        .col(boolean("acts"))
        .col(json_binary("drivers"))
        .col(timestamp_with_time_zone("issued_at"))
        .col(string("validity"))
        .to_owned()
}

fn audit_outbox() -> TableCreateStatement {
    Table::create()
        .table("audit_outbox")
        .col(big_pk_auto("sequence"))
        .col(uuid("event_id").unique_key())
        .col(uuid("run_id"))
        .col(string("action"))
        .col(string("subject"))
        .col(json_binary("details"))
        .col(boolean("delivered"))
        .col(big_integer("attempts"))
        .col(text_null("last_error"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .to_owned()
}

fn index(table: &'static str, name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
