//! What leaves a service: the same table in every schema that sends something.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, string, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

/// Items on their way, and those that have arrived or were refused.
pub(crate) async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let items = Table::create()
        .table("outbox")
        .col(big_pk_auto("sequence"))
        .col(string("channel"))
        .col(text("item_key"))
        // Of the items with the same one, only the first that waits is sent.
        .col(text_null("order_key"))
        .col(uuid_null("run_id"))
        .col(text("payload"))
        .col(timestamp_with_time_zone("created_at"))
        .col(string("state"))
        .col(big_integer("attempts").default(0))
        // Empty: at once. While it is leased: the end of the lease.
        .col(timestamp_with_time_zone_null("next_attempt_at"))
        .col(uuid_null("lease_id"))
        .col(timestamp_with_time_zone_null("settled_at"))
        .col(text_null("receipt"))
        .col(text_null("last_error"))
        .to_owned();
    manager.create_table(items).await?;
    let mut one_a_key = index("outbox_item", &["channel", "item_key"]);
    manager.create_index(one_a_key.unique().to_owned()).await?;
    let order = index(
        "outbox_order",
        &["channel", "state", "order_key", "sequence"],
    );
    manager.create_index(order).await?;
    let due = index("outbox_due", &["channel", "state", "next_attempt_at"]);
    manager.create_index(due).await?;
    let of_run = index("outbox_run", &["channel", "run_id"]);
    manager.create_index(of_run).await?;
    let leased = index("outbox_lease", &["lease_id"]);
    manager.create_index(leased).await
}

fn index(name: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table("outbox");
    for column in columns {
        index.col(*column);
    }
    index
}

/// A table that items move from: its columns as SQL expressions.
pub(crate) struct Former<'a> {
    pub(crate) table: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) item_key: &'a str,
    pub(crate) order_key: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) state: &'a str,
    pub(crate) attempts: &'a str,
    pub(crate) settled_at: &'a str,
    pub(crate) receipt: &'a str,
    pub(crate) last_error: &'a str,
    /// In which order they were kept.
    pub(crate) order_by: &'a str,
}

/// Moves all items over. The former table stays, empty, for a version that still runs beside this one.
pub(crate) async fn move_items(
    manager: &SchemaManager<'_>,
    former: Former<'_>,
) -> Result<(), DbErr> {
    let Former {
        table,
        channel,
        item_key,
        order_key,
        run_id,
        payload,
        state,
        attempts,
        settled_at,
        receipt,
        last_error,
        order_by,
    } = former;
    let connection = manager.get_connection();
    let insert = format!(
        "INSERT INTO outbox (channel, item_key, order_key, run_id, payload, created_at, state, \
         attempts, settled_at, receipt, last_error) \
         SELECT '{channel}', {item_key}, {order_key}, {run_id}, {payload}, created_at, {state}, \
         {attempts}, {settled_at}, {receipt}, {last_error} FROM {table} ORDER BY {order_by}"
    );
    connection.execute_unprepared(&insert).await?;
    connection
        .execute_unprepared(&format!("DELETE FROM {table}"))
        .await?;
    Ok(())
}

/// A UUID column as text.
pub(crate) fn uuid_text(backend: DbBackend, column: &str) -> String {
    if backend == DbBackend::Postgres {
        return format!("CAST({column} AS text)");
    }
    let part = |from: u8, length: u8| format!("substr(hex({column}), {from}, {length})");
    let parts = [
        part(1, 8),
        part(9, 4),
        part(13, 4),
        part(17, 4),
        part(21, 12),
    ];
    format!("lower({})", parts.join(" || '-' || "))
}

/// A text column as UUID.
pub(crate) fn text_uuid(backend: DbBackend, column: &str) -> String {
    if backend == DbBackend::Postgres {
        return format!("CAST({column} AS uuid)");
    }
    format!("unhex(replace({column}, '-', ''))")
}

/// Names and expressions as a JSON object's text.
pub(crate) fn json_text(backend: DbBackend, pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("'{name}', {value}"))
        .collect();
    let pairs = pairs.join(", ");
    if backend == DbBackend::Postgres {
        format!("CAST(json_build_object({pairs}) AS text)")
    } else {
        format!("json_object({pairs})")
    }
}
