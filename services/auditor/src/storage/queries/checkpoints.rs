//! Signed checkpoints: what was signed, and what of it is published.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::audit::{signed, unsigned};
use crate::error::AuditorError;
use crate::storage::entities::audit_checkpoint::{ActiveModel, Column, Entity, Model};

const TABLE: &str = "audit_checkpoint";

/// A checkpoint as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedCheckpoint {
    /// Records it commits to.
    pub(crate) size: u64,
    /// The note.
    pub(crate) note: String,
    /// Whether all stores have it.
    pub(crate) is_published: bool,
}

/// Keeps a checkpoint. Another replica may have signed the same one: it is the same text then.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    size: u64,
    note: &str,
    now: DateTime<Utc>,
) -> Result<(), AuditorError> {
    let row = ActiveModel {
        size: Set(signed(size)?),
        note: Set(note.to_owned()),
        signed_at: Set(now),
        published_at: Set(None),
    };
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Size).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// The newest checkpoints, newest first.
pub(crate) async fn newest(
    connection: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<SignedCheckpoint>, AuditorError> {
    let rows = Entity::find()
        .order_by_desc(Column::Size)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(checkpoint).collect()
}

/// Sizes of all that are published, smallest first.
pub(crate) async fn published_sizes(
    connection: &impl ConnectionTrait,
) -> Result<Vec<u64>, AuditorError> {
    let sizes: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Size)
        .filter(Column::PublishedAt.is_not_null())
        .order_by_asc(Column::Size)
        .into_tuple()
        .all(connection)
        .await?;
    let sizes = sizes.into_iter().map(|size| unsigned(TABLE, size));
    Ok(sizes.collect::<Result<_, _>>()?)
}

/// Notes that a checkpoint is published. Smaller ones that are not never will be: it says all they say.
pub(crate) async fn mark_published(
    connection: &impl ConnectionTrait,
    size: u64,
    now: DateTime<Utc>,
) -> Result<(), AuditorError> {
    let size = signed(size)?;
    Entity::update_many()
        .col_expr(Column::PublishedAt, Expr::value(now))
        .filter(Column::Size.eq(size))
        .exec(connection)
        .await?;
    Entity::delete_many()
        .filter(Column::Size.lt(size))
        .filter(Column::PublishedAt.is_null())
        .exec(connection)
        .await?;
    Ok(())
}

fn checkpoint(row: Model) -> Result<SignedCheckpoint, AuditorError> {
    Ok(SignedCheckpoint {
        size: unsigned(TABLE, row.size)?,
        note: row.note,
        is_published: row.published_at.is_some(),
    })
}
