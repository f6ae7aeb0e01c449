//! Schema of the `trainer` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, double, integer, json_binary, string, string_null, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

/// Migrations of the `trainer` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Registry)]
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
