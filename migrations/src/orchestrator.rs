//! Schema of the `orchestrator` service: runs and their steps. The queue's tables stand beside them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, json_binary_null, string, string_null, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

/// Migrations of the `orchestrator` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Runs)]
    }
}

struct Runs;

impl MigrationName for Runs {
    fn name(&self) -> &'static str {
        "m20261123_000001_runs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Runs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(runs()).await?;
        let one_run_a_key = Index::create()
            .name("run_dedup_key")
            .table("run")
            .col("dedup_key")
            .unique()
            .to_owned();
        manager.create_index(one_run_a_key).await?;
        let newest_first = Index::create()
            .name("run_queued_at")
            .table("run")
            .col("queued_at")
            .to_owned();
        manager.create_index(newest_first).await?;
        let unfinished = Index::create()
            .name("run_state")
            .table("run")
            .col("state")
            .to_owned();
        manager.create_index(unfinished).await?;
        manager.create_table(steps()).await
    }
}

fn runs() -> TableCreateStatement {
    Table::create()
        .table("run")
        .col(uuid("id").primary_key())
        .col(string("kind"))
        .col(string("use_case"))
        .col(timestamp_with_time_zone("as_of"))
        .col(string("state"))
        .col(string_null("dedup_key"))
        .col(string("started_by"))
        .col(boolean("force_training"))
        .col(timestamp_with_time_zone("queued_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .to_owned()
}

fn steps() -> TableCreateStatement {
    Table::create()
        .table("run_step")
        .col(uuid("run_id"))
        .col(integer("position"))
        .col(string("step"))
        .col(string("state"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .col(json_binary_null("progress"))
        .col(json_binary_null("summary"))
        .col(text("error"))
        .primary_key(Index::create().col("run_id").col("position"))
        .foreign_key(
            ForeignKey::create()
                .from("run_step", "run_id")
                .to("run", "id"),
        )
        .to_owned()
}
