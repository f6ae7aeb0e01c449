//! Rows that a workspace accepted: the same table in every schema that writes rows back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, string, text_null, timestamp_with_time_zone, uuid,
};

/// The rows of a run in a table, and whether they can be seen there.
pub(crate) async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let batches = Table::create()
        .table("accepted_batch")
        .col(uuid("run_id"))
        .col(string("table_name"))
        .col(big_integer("row_count"))
        .col(timestamp_with_time_zone("accepted_at"))
        .col(string("state"))
        .col(big_integer("rows_seen"))
        // How long it took until all could be queried.
        .col(big_integer_null("visible_after_ms"))
        .col(timestamp_with_time_zone("next_look_at"))
        .col(big_integer("looks"))
        .col(text_null("problem"))
        .primary_key(Index::create().col("run_id").col("table_name"))
        .to_owned();
    manager.create_table(batches).await?;
    let due = Index::create()
        .name("accepted_batch_due")
        .table("accepted_batch")
        .col("state")
        .col("next_look_at")
        .to_owned();
    manager.create_index(due).await
}
