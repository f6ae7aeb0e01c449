//! Schema of the `trainer` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, double, integer, json_binary, string, string_null, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::outbox;

/// Migrations of the `trainer` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Registry), Box::new(OneOutbox)]
    }
}

/// Model versions, where their aliases pointed when, and the ledger that MLflow is told from.
struct Registry;

impl MigrationName for Registry {
    fn name(&self) -> &'static str {
        "m20261123_000001_registry"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Registry {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(model_versions()).await?;
        manager
            .create_index(unique("model_version", "one_version", ["name", "version"]))
            .await?;
        manager
            .create_index(unique(
                "model_version",
                "one_version_a_run",
                ["run_id", "name"],
            ))
            .await?;
        manager.create_table(alias_changes()).await?;
        manager.create_table(ledger_entries()).await?;
        manager
            .create_index(unique(
                "ledger_entry",
                "one_entry_a_version",
                ["name", "version"],
            ))
            .await
    }
}

/// MLflow is told through the common outbox.
struct OneOutbox;

impl MigrationName for OneOutbox {
    fn name(&self) -> &'static str {
        "m20261128_000002_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OneOutbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::create(manager).await?;
        let payload = [("name", "name"), ("version", "version")];
        let former = outbox::Former {
            table: "ledger_entry",
            channel: "mlflow",
            item_key: "name || '/' || version",
            order_key: "name",
            run_id: "run_id",
            payload: &outbox::json_text(manager.get_database_backend(), &payload),
            state: "CASE WHEN state = 'delivered' THEN 'delivered' ELSE 'waiting' END",
            attempts: "attempts",
            settled_at: "delivered_at",
            receipt: "mlflow_run_id",
            last_error: "last_error",
            order_by: "sequence",
        };
        outbox::move_items(manager, former).await
    }
}

fn model_versions() -> TableCreateStatement {
    Table::create()
        .table("model_version")
        .col(uuid("id").primary_key())
        .col(string("name"))
        .col(integer("version"))
        .col(uuid("run_id"))
        .col(timestamp_with_time_zone("trained_at"))
        .col(timestamp_with_time_zone("known_at"))
        .col(string("spec_hash"))
        .col(json_binary("training_set"))
        .col(string("artefact_path"))
        .col(string("artefact_sha256"))
        .col(double("onnx_max_relative_error"))
        .col(integer("history_hours"))
        .col(integer("horizon_hours"))
        .col(json_binary("series"))
        .to_owned()
}

/// Append-only: where an alias points is its newest row, and where it pointed at a past moment can
/// be told.
fn alias_changes() -> TableCreateStatement {
    Table::create()
        .table("alias_change")
        .col(big_pk_auto("sequence"))
        .col(string("name"))
        .col(string("alias"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("since"))
        .col(uuid("run_id"))
        .to_owned()
}

fn ledger_entries() -> TableCreateStatement {
    Table::create()
        .table("ledger_entry")
        .col(big_pk_auto("sequence"))
        .col(string("name"))
        .col(integer("version"))
        .col(uuid("run_id"))
        .col(string("state"))
        .col(big_integer("attempts"))
        .col(text_null("last_error"))
        .col(string_null("mlflow_run_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        .to_owned()
}

fn unique<const N: usize>(
    table: &'static str,
    name: &str,
    columns: [&'static str; N],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table).unique();
    for column in columns {
        index.col(column);
    }
    index
}
