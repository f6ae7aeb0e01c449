//! Schema of the `auditor` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, boolean_null, double, double_null, integer, string, string_null, text,
    text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

use crate::outbox;

/// Migrations of the `auditor` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(First),
            Box::new(AcceptedBatches),
            Box::new(SettledWindows),
            Box::new(Checkpoints),
            Box::new(OneOutbox),
        ]
    }
}

struct First;

impl MigrationName for First {
    fn name(&self) -> &'static str {
        "m20261123_000001_evaluations_phases_audit_chain"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for First {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        evaluations(manager).await?;
        phases(manager).await?;
        audit_chain(manager).await?;
        write_back(manager).await
    }
}

/// What the workspace accepted, and whether it can be seen there.
struct AcceptedBatches;

impl MigrationName for AcceptedBatches {
    fn name(&self) -> &'static str {
        "m20261124_000002_accepted_batches"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AcceptedBatches {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::accepted_batch::create(manager).await
    }
}

/// High-risk windows beside what happened in them.
struct SettledWindows;

impl MigrationName for SettledWindows {
    fn name(&self) -> &'static str {
        "m20261128_000003_settled_windows"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SettledWindows {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let windows = Table::create()
            .table("settled_window")
            .col(uuid("forecast_id"))
            .col(timestamp_with_time_zone("starts_at"))
            .col(string("use_case"))
            .col(timestamp_with_time_zone("issued_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .col(double("probability"))
            .col(boolean("was_raised"))
            .col(boolean_null("baseline_raised"))
            .col(double("capacity"))
            .col(double("load"))
            .col(boolean("has_exceeded"))
            .primary_key(Index::create().col("forecast_id").col("starts_at"))
            .to_owned();
        manager.create_table(windows).await?;
        let by_time = Index::create()
            .name("settled_window_by_use_case")
            .table("settled_window")
            .col("use_case")
            .col("issued_at")
            .to_owned();
        manager.create_index(by_time).await
    }
}

/// Signed checkpoints of the audit chain.
struct Checkpoints;

impl MigrationName for Checkpoints {
    fn name(&self) -> &'static str {
        "m20261128_000004_audit_checkpoints"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Checkpoints {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let checkpoint = Table::create()
            .table("audit_checkpoint")
            .col(big_integer("size").primary_key())
            .col(text("note"))
            .col(timestamp_with_time_zone("signed_at"))
            // Empty until every store has it.
            .col(timestamp_with_time_zone_null("published_at"))
            .to_owned();
        manager.create_table(checkpoint).await
    }
}

/// Rows go through the common outbox.
struct OneOutbox;

impl MigrationName for OneOutbox {
    fn name(&self) -> &'static str {
        "m20261128_000005_outbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for OneOutbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        outbox::create(manager).await?;
        let former = outbox::Former {
            table: "governance_outbox",
            channel: "governance",
            item_key: &outbox::uuid_text(manager.get_database_backend(), "idempotency_key"),
            order_key: "NULL",
            run_id: "run_id",
            // `row` alone is a keyword
            payload: "governance_outbox.row",
            state: "CASE WHEN refused THEN 'refused' \
                    WHEN delivered_at IS NULL THEN 'waiting' ELSE 'delivered' END",
            attempts: "attempts",
            settled_at: "delivered_at",
            receipt: "NULL",
            last_error: "last_error",
            order_by: "next_attempt_at, idempotency_key",
        };
        outbox::move_items(manager, former).await
    }
}

async fn evaluations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let evaluated_forecast = Table::create()
        .table("evaluated_forecast")
        .col(uuid("forecast_id").primary_key())
        .col(string("use_case"))
        .col(uuid("run_id"))
        .col(timestamp_with_time_zone("evaluated_at"))
        .to_owned();
    manager.create_table(evaluated_forecast).await?;
    let evaluation = Table::create()
        .table("evaluation")
        .col(uuid("evaluation_id").primary_key())
        .col(uuid("run_id"))
        .col(uuid("forecast_id"))
        .col(string("use_case"))
        .col(string("series_id"))
        .col(timestamp_with_time_zone("evaluated_at"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(integer("hours"))
        .col(double("mae"))
        .col(double("pinball"))
        // Empty when there was not enough history for seasonal naive.
        .col(double_null("naive_pinball"))
        .col(double("coverage_80"))
        .col(double("coverage_95"))
        .col(string("model_name"))
        .col(big_integer("model_version"))
        .to_owned();
    manager.create_table(evaluation).await?;
    let newest_first = Index::create()
        .name("evaluation_by_use_case")
        .table("evaluation")
        .col("use_case")
        .col("span_start")
        .to_owned();
    manager.create_index(newest_first).await
}

async fn phases(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let phase = Table::create()
        .table("phase")
        .col(string("use_case").primary_key())
        .col(string("phase"))
        .col(timestamp_with_time_zone("since"))
        .col(string("changed_by"))
        .col(text("reason"))
        .to_owned();
    manager.create_table(phase).await
}

async fn audit_chain(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Texts, not JSON or binary types: what is hashed is stored byte for byte.
    let record = Table::create()
        .table("audit_record")
        .col(big_integer("sequence").primary_key())
        .col(string("event_id").unique_key())
        .col(timestamp_with_time_zone("recorded_at"))
        .col(string("actor"))
        .col(string("action"))
        .col(string("subject"))
        .col(string_null("run_id"))
        .col(text("details"))
        .col(string("previous_hash"))
        .col(string("hash"))
        .to_owned();
    manager.create_table(record).await?;
    for column in ["run_id", "subject"] {
        let index = Index::create()
            .name(format!("audit_record_by_{column}"))
            .table("audit_record")
            .col(column)
            .col("sequence")
            .to_owned();
        manager.create_index(index).await?;
    }
    // One row: writers that append at the same time meet here.
    let head = Table::create()
        .table("audit_head")
        .col(integer("id").primary_key())
        .col(big_integer("sequence"))
        .col(string("hash"))
        .to_owned();
    manager.create_table(head).await
}

async fn write_back(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let outbox = Table::create()
        .table("governance_outbox")
        .col(uuid("idempotency_key").primary_key())
        .col(uuid("run_id"))
        .col(text("row"))
        .col(timestamp_with_time_zone("created_at"))
        .col(integer("attempts").default(0))
        .col(timestamp_with_time_zone("next_attempt_at"))
        .col(timestamp_with_time_zone_null("delivered_at"))
        // Refused for what is in it: never tried again.
        .col(boolean("refused").default(false))
        .col(text_null("last_error"))
        .to_owned();
    manager.create_table(outbox).await?;
    let due = Index::create()
        .name("governance_outbox_due")
        .table("governance_outbox")
        .col("delivered_at")
        .col("refused")
        .col("next_attempt_at")
        .to_owned();
    manager.create_index(due).await
}
