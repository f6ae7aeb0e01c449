//! Schema of the job queue's own table, beside those of apalis in the schema of the service that
//! owns the queue.

use sea_orm::DynIden;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    binary, integer, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    uuid_null,
};

/// Migrations of the queue, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(DeadLetters)]
    }

    // Its own ledger: the queue lives in the schema of another migrator.
    fn migration_table_name() -> DynIden {
        Alias::new("queue_migrations").into_iden()
    }
}

struct DeadLetters;

impl MigrationName for DeadLetters {
    fn name(&self) -> &str {
        "m20261123_000001_dead_letters"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for DeadLetters {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("dead_letter")
            .col(uuid("job_id").primary_key())
            .col(string("name"))
            .col(integer("version"))
            .col(uuid_null("run_id"))
            .col(binary("envelope"))
            .col(text("reason"))
            .col(integer("attempts"))
            .col(timestamp_with_time_zone("died_at"))
            .col(timestamp_with_time_zone_null("retried_at"))
            .to_owned();
        manager.create_table(table).await?;
        let newest_first = Index::create()
            .name("dead_letter_died_at")
            .table("dead_letter")
            .col("died_at")
            .to_owned();
        manager.create_index(newest_first).await
    }
}
