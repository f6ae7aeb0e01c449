//! Backfills of the `ingestion` service: tables of their own migration.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, double, double_null, integer, string, text,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

/// A span of the past to be read, quoted beforehand, and its parts.
pub(crate) struct Backfills;

impl MigrationName for Backfills {
    fn name(&self) -> &'static str {
        "m20261123_000003_ingestion_backfills"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Backfills {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(backfill()).await?;
        manager.create_table(backfill_part()).await?;
        let by_state = Index::create()
            .name("backfill_part_state")
            .table("backfill_part")
            .col("run_id")
            .col("state")
            .to_owned();
        manager.create_index(by_state).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["backfill_part", "backfill"] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// A backfill: what was asked for and quoted, and how far it is.
fn backfill() -> TableCreateStatement {
    Table::create()
        .table("backfill")
        .col(uuid("run_id").primary_key())
        .col(string("state"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(string("source"))
        .col(timestamp_with_time_zone("quoted_at"))
        .col(double("quoted_seconds"))
        .col(boolean("is_measured"))
        .col(string("currency"))
        .col(text("beyond_budget"))
        .col(text("remarks"))
        .col(double_null("accepted_gigabytes"))
        .col(integer("turn"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .col(text("note"))
        .to_owned()
}

/// A part of it that is read at once: days of a table, or an object whose path tells no day.
fn backfill_part() -> TableCreateStatement {
    Table::create()
        .table("backfill_part")
        .col(uuid("run_id"))
        .col(integer("ordinal"))
        .col(string("table_name"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(string("source"))
        .col(text("object"))
        .col(big_integer("queries"))
        .col(big_integer_null("expected_rows"))
        .col(big_integer_null("expected_bytes"))
        .col(double("expected_price"))
        .col(string("state"))
        .col(integer("attempts"))
        .col(big_integer("rows_read"))
        .col(big_integer("rows_duplicate"))
        .col(big_integer("rows_quarantined"))
        .col(big_integer("bytes"))
        .col(big_integer("elapsed_ms"))
        .col(text("error"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .primary_key(Index::create().col("run_id").col("ordinal"))
        .to_owned()
}
