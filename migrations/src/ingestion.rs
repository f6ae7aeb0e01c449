//! Schema of the `ingestion` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, date, double, integer, string, text,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

/// Migrations of the `ingestion` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Ledger),
            Box::new(Queries),
            Box::new(crate::backfill::Backfills),
            Box::new(crate::pseudonyms::Pseudonyms),
        ]
    }
}

/// What has been read, how far, and what was refused.
struct Ledger;

impl MigrationName for Ledger {
    fn name(&self) -> &'static str {
        "m20261123_000001_ingestion_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ledger {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            source_object(),
            table_state(),
            event_file(),
            first_seen(),
            quarantined_row(),
        ] {
            manager.create_table(table).await?;
        }
        let by_day = Index::create()
            .name("event_file_stream_day")
            .table("event_file")
            .col("stream")
            .col("day")
            .to_owned();
        manager.create_index(by_day).await?;
        let by_table = Index::create()
            .name("quarantined_row_table_known_at")
            .table("quarantined_row")
            .col("table_name")
            .col("known_at")
            .to_owned();
        manager.create_index(by_table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "quarantined_row",
            "first_seen",
            "event_file",
            "table_state",
            "source_object",
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// How far each object of the source has been read.
fn source_object() -> TableCreateStatement {
    Table::create()
        .table("source_object")
        .col(string("table_name"))
        .col(text("path"))
        .col(big_integer("size"))
        .col(text("etag"))
        .col(big_integer("consumed"))
        .col(big_integer("seen"))
        .col(big_integer("lines"))
        .col(text("head"))
        .col(timestamp_with_time_zone("read_as_of"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("table_name").col("path"))
        .to_owned()
}

/// Watermark and totals of each table.
fn table_state() -> TableCreateStatement {
    Table::create()
        .table("table_state")
        .col(string("table_name").primary_key())
        .col(timestamp_with_time_zone_null("event_time"))
        .col(timestamp_with_time_zone("known_at"))
        .col(big_integer("rows_total"))
        .col(big_integer("rows_duplicate"))
        .col(big_integer("rows_quarantined"))
        .col(uuid("run_id"))
        .to_owned()
}

/// The event files in the lake that count. A file that is not here is the leftover of a crash.
fn event_file() -> TableCreateStatement {
    Table::create()
        .table("event_file")
        .col(string("path").primary_key())
        .col(string("stream"))
        .col(date("day"))
        .col(timestamp_with_time_zone("known_at"))
        .col(big_integer("rows"))
        .col(string("sha256"))
        .col(uuid("run_id"))
        .to_owned()
}

/// When things that are repeated under other times (alerts, indicators) were seen first.
fn first_seen() -> TableCreateStatement {
    Table::create()
        .table("first_seen")
        .col(string("stream"))
        .col(string("event_key"))
        .col(timestamp_with_time_zone("event_time"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("stream").col("event_key"))
        .to_owned()
}

/// Rows and objects that were refused, and why.
fn quarantined_row() -> TableCreateStatement {
    Table::create()
        .table("quarantined_row")
        .col(uuid("id").primary_key())
        .col(string("table_name"))
        .col(text("object"))
        .col(big_integer("line"))
        .col(string("reason"))
        .col(text("sample"))
        .col(timestamp_with_time_zone("known_at"))
        .col(uuid("run_id"))
        .to_owned()
}

/// What the query API was asked: how far, what is still to be asked, what it has cost, and how late
/// rows come in.
struct Queries;

impl MigrationName for Queries {
    fn name(&self) -> &'static str {
        "m20261123_000002_ingestion_queries"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Queries {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            query_watermark(),
            pending_day(),
            query_cost(),
            arrival_lag(),
        ] {
            manager.create_table(table).await?;
        }
        let by_time = Index::create()
            .name("query_cost_asked_at")
            .table("query_cost")
            .col("asked_at")
            .to_owned();
        manager.create_index(by_time).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "arrival_lag",
            "query_cost",
            "pending_day",
            "query_watermark",
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

/// Until when what was ingested has been looked at, by measure or (for lags) by table.
fn query_watermark() -> TableCreateStatement {
    Table::create()
        .table("query_watermark")
        .col(string("scope").primary_key())
        .col(timestamp_with_time_zone("ingested_until"))
        .col(uuid("run_id"))
        .to_owned()
}

/// Days of a measure that have to be asked for, as planned by a run of that moment.
fn pending_day() -> TableCreateStatement {
    Table::create()
        .table("pending_day")
        .col(string("measure"))
        .col(date("day"))
        .col(timestamp_with_time_zone("planned_as_of"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("measure").col("day"))
        .to_owned()
}

/// One query and what it has cost.
fn query_cost() -> TableCreateStatement {
    Table::create()
        .table("query_cost")
        .col(uuid("id").primary_key())
        .col(timestamp_with_time_zone("asked_at"))
        .col(string("table_name"))
        .col(string("statement"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(string("outcome"))
        .col(string("plan"))
        .col(big_integer("rows_answered"))
        .col(big_integer("bytes_answered"))
        .col(big_integer("bytes_scanned"))
        .col(boolean("is_estimated"))
        .col(big_integer_null("execution_ms"))
        .col(double("price"))
        .col(string("currency"))
        .col(uuid("run_id"))
        .to_owned()
}

/// How many rows of a table came in within a class of lag; old ones weigh less.
fn arrival_lag() -> TableCreateStatement {
    Table::create()
        .table("arrival_lag")
        .col(string("table_name"))
        .col(integer("up_to_minutes"))
        .col(double("weight"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("table_name").col("up_to_minutes"))
        .to_owned()
}
