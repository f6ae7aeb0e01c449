//! Rows on their way to the workspace.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::RunId;
use foretide_write_back::{Accepted, Waiting, note_accepted};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

use crate::error::AuditorError;
use crate::storage::EvaluatedForecast;
use crate::storage::entities::governance_outbox::{ActiveModel, Column, Entity};

const ROWS_PER_INSERT: usize = 200;

/// A row that waits.
#[derive(Debug, Clone)]
pub(crate) struct PendingRow {
    pub(crate) key: Uuid,
    pub(crate) run_id: RunId,
    pub(crate) row: Value,
    pub(crate) attempts: u32,
}

/// What became of rows that were sent.
#[derive(Debug, Clone)]
pub(crate) enum RowFate {
    Delivered {
        at: DateTime<Utc>,
        /// The table they are in.
        table: String,
        /// Whether they are looked for there.
        watched: bool,
    },
    /// The rows themselves are at fault.
    Refused {
        error: String,
    },
    TryAgain {
        at: DateTime<Utc>,
        error: String,
    },
}

/// How many rows of a run have arrived and how many wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutboxCounts {
    pub(crate) delivered: u64,
    pub(crate) pending: u64,
}

pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    evaluated: &EvaluatedForecast,
) -> Result<(), AuditorError> {
    for rows in evaluated.rows.chunks(ROWS_PER_INSERT) {
        let rows = rows.iter().map(|(key, row)| ActiveModel {
            idempotency_key: Set(*key),
            run_id: Set(evaluated.run_id.as_uuid()),
            row: Set(row.to_string()),
            created_at: Set(evaluated.evaluated_at),
            attempts: Set(0),
            next_attempt_at: Set(evaluated.evaluated_at),
            delivered_at: Set(None),
            refused: Set(false),
            last_error: Set(None),
        });
        Entity::insert_many(rows)
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

/// Rows whose next try is due, the longest waiting first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<PendingRow>, AuditorError> {
    let rows = Entity::find()
        .filter(Column::DeliveredAt.is_null())
        .filter(Column::Refused.eq(false))
        .filter(Column::NextAttemptAt.lte(now))
        .order_by_asc(Column::NextAttemptAt)
        .order_by_asc(Column::IdempotencyKey)
        .limit(limit)
        .all(connection)
        .await?;
    let read = |row: crate::storage::entities::governance_outbox::Model| {
        let corrupt = |column, problem: String| {
            DbError::corrupt("governance_outbox", column, row.idempotency_key, problem)
        };
        Ok(PendingRow {
            key: row.idempotency_key,
            run_id: RunId::from(row.run_id),
            row: serde_json::from_str(&row.row)
                .map_err(|error| corrupt("row", error.to_string()))?,
            attempts: u32::try_from(row.attempts)
                .map_err(|error| corrupt("attempts", error.to_string()))?,
        })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) async fn settle(
    connection: &impl ConnectionTrait,
    rows: &[PendingRow],
    fate: &RowFate,
) -> Result<(), AuditorError> {
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let keys = rows.iter().map(|row| row.key);
        let update = Entity::update_many()
            .filter(Column::IdempotencyKey.is_in(keys))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1));
        let update = match fate {
            RowFate::Delivered { at, .. } => update
                .col_expr(Column::DeliveredAt, Expr::value(Some(*at)))
                .col_expr(Column::LastError, Expr::value(None::<String>)),
            RowFate::Refused { error } => update
                .col_expr(Column::Refused, Expr::value(true))
                .col_expr(Column::LastError, Expr::value(Some(error.clone()))),
            RowFate::TryAgain { at, error } => update
                .col_expr(Column::NextAttemptAt, Expr::value(*at))
                .col_expr(Column::LastError, Expr::value(Some(error.clone()))),
        };
        update.exec(connection).await?;
    }
    let RowFate::Delivered { at, table, watched } = fate else {
        return Ok(());
    };
    let mut runs: BTreeMap<RunId, u64> = BTreeMap::new();
    for row in rows {
        *runs.entry(row.run_id).or_default() += 1;
    }
    for (run_id, rows) in runs {
        let accepted = Accepted {
            run_id,
            table: table.clone(),
            rows,
            at: *at,
            watched: *watched,
        };
        note_accepted(connection, &accepted).await?;
    }
    Ok(())
}

/// Rows that wait or are refused, by reason.
pub(crate) async fn waiting(
    connection: &impl ConnectionTrait,
    table: &str,
) -> Result<Vec<Waiting>, DbError> {
    let rows: Vec<(bool, Option<String>, i64)> = Entity::find()
        .select_only()
        .column(Column::Refused)
        .column(Column::LastError)
        .column_as(Column::IdempotencyKey.count(), "rows")
        .filter(Column::DeliveredAt.is_null())
        .group_by(Column::Refused)
        .group_by(Column::LastError)
        .into_tuple()
        .all(connection)
        .await?;
    let waiting = rows.into_iter().map(|(refused, problem, rows)| Waiting {
        table: table.to_owned(),
        rows: u64::try_from(rows).unwrap_or(0),
        problem: problem.unwrap_or_default(),
        refused,
    });
    Ok(Waiting::summed(waiting))
}

pub(crate) async fn counts(
    connection: &impl ConnectionTrait,
    run_id: RunId,
) -> Result<OutboxCounts, AuditorError> {
    let of_run = || Entity::find().filter(Column::RunId.eq(run_id.as_uuid()));
    let delivered = of_run().filter(Column::DeliveredAt.is_not_null());
    let pending = of_run()
        .filter(Column::DeliveredAt.is_null())
        .filter(Column::Refused.eq(false));
    Ok(OutboxCounts {
        delivered: delivered.count(connection).await?,
        pending: pending.count(connection).await?,
    })
}
