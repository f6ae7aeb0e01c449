//! Pseudonyms of the `ingestion` service: tables of their own migration.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    blob_null, date, integer, string, string_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

/// Keys of pseudonyms, the sealed values behind them, and which name the same entity.
pub(crate) struct Pseudonyms;

impl MigrationName for Pseudonyms {
    fn name(&self) -> &'static str {
        "m20261123_000004_ingestion_pseudonyms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Pseudonyms {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [epoch(), vault(), alias()] {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("pseudonym_vault_epoch", "pseudonym_vault", "epoch"),
            ("pseudonym_vault_known_at", "pseudonym_vault", "known_at"),
            ("pseudonym_alias_older", "pseudonym_alias", "older"),
        ] {
            let index = Index::create()
                .name(name)
                .table(table)
                .col(column)
                .to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["pseudonym_alias", "pseudonym_vault", "pseudonym_epoch"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// The secrets of epochs, wrapped by the master key; none once an epoch was dropped. Epoch 0 holds
/// the secret that rows are told apart with.
fn epoch() -> TableCreateStatement {
    Table::create()
        .table("pseudonym_epoch")
        .col(integer("id").primary_key())
        .col(date("starts_on"))
        .col(blob_null("wrapped_secret"))
        .col(string("first_master_key"))
        .col(string("master_key"))
        .col(timestamp_with_time_zone("created_at"))
        .col(string("created_by"))
        .col(timestamp_with_time_zone_null("dropped_at"))
        .col(string_null("dropped_by"))
        .to_owned()
}

/// The value behind each pseudonym, sealed by the keys of its epoch; none once it was erased.
fn vault() -> TableCreateStatement {
    Table::create()
        .table("pseudonym_vault")
        .col(string("pseudonym").primary_key())
        .col(integer("epoch"))
        .col(string("kind"))
        .col(blob_null("sealed"))
        .col(string("table_name"))
        .col(timestamp_with_time_zone("known_at"))
        .col(uuid("run_id"))
        .col(timestamp_with_time_zone_null("erased_at"))
        .to_owned()
}

/// Pseudonyms of one entity in two epochs.
fn alias() -> TableCreateStatement {
    Table::create()
        .table("pseudonym_alias")
        .col(string("newer"))
        .col(string("older"))
        .col(integer("newer_epoch"))
        .col(integer("older_epoch"))
        .primary_key(Index::create().col("newer").col("older"))
        .to_owned()
}
