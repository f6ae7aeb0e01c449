//! Schema of the `feature-store` service.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, double, json_binary, string, text, timestamp_with_time_zone, uuid,
};

/// Migrations of the `feature-store` service, oldest first. Add-only.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(FeatureTables)]
    }
}

/// The registry of feature views, what was materialised, training sets and online values.
struct FeatureTables;

impl MigrationName for FeatureTables {
    fn name(&self) -> &str {
        "m20261123_000001_feature_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FeatureTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(feature_view()).await?;
        manager.create_table(materialization()).await?;
        manager.create_table(training_set()).await?;
        manager.create_table(online_value()).await
    }
}

fn feature_view() -> TableCreateStatement {
    Table::create()
        .table("feature_view")
        .col(string("use_case"))
        .col(string("view"))
        .col(string("spec_hash"))
        .col(json_binary("spec"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("use_case").col("view").col("spec_hash"))
        .to_owned()
}

fn materialization() -> TableCreateStatement {
    Table::create()
        .table("materialization")
        .col(uuid("run_id"))
        .col(string("use_case"))
        .col(string("view"))
        .col(string("spec_hash"))
        .col(timestamp_with_time_zone("known_at"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(text("path"))
        .col(string("sha256"))
        .col(big_integer("rows"))
        .col(big_integer("features"))
        .col(big_integer("series"))
        .primary_key(Index::create().col("run_id").col("use_case"))
        .to_owned()
}

fn training_set() -> TableCreateStatement {
    Table::create()
        .table("training_set")
        .col(string("use_case"))
        .col(string("spec_hash"))
        .col(timestamp_with_time_zone("known_at"))
        .col(string("view"))
        .col(uuid("run_id"))
        .col(text("path"))
        .col(string("sha256"))
        .col(big_integer("rows"))
        .col(big_integer("series"))
        .col(timestamp_with_time_zone("span_start"))
        .col(timestamp_with_time_zone("span_end"))
        .col(json_binary("regressors"))
        .primary_key(
            Index::create()
                .col("use_case")
                .col("spec_hash")
                .col("known_at"),
        )
        .to_owned()
}

fn online_value() -> TableCreateStatement {
    Table::create()
        .table("online_value")
        .col(string("use_case"))
        .col(text("series_id"))
        .col(string("feature"))
        .col(double("value"))
        .col(timestamp_with_time_zone("event_time"))
        .col(timestamp_with_time_zone("known_at"))
        .col(uuid("run_id"))
        .primary_key(
            Index::create()
                .col("use_case")
                .col("series_id")
                .col("feature"),
        )
        .to_owned()
}
