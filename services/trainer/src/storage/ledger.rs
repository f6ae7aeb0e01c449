//! The outbox to MLflow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::UseCaseId;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Store;
use super::entities::ledger_entry::{self, Column};
use crate::model::LedgerStatus;

pub(super) const PENDING: &str = "pending";
const DELIVERED: &str = "delivered";

/// A version that MLflow does not know of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    pub(crate) sequence: i64,
    pub(crate) name: UseCaseId,
    pub(crate) version: u32,
}

impl Store {
    /// What is still to be told, oldest first.
    pub(crate) async fn pending_entries(&self) -> Result<Vec<LedgerEntry>, DbError> {
        let rows = ledger_entry::Entity::find()
            .filter(Column::State.eq(PENDING))
            .order_by_asc(Column::Sequence)
            .all(self.database.connection())
            .await?;
        rows.into_iter()
            .map(|row| {
                let corrupt = |problem: String| {
                    DbError::corrupt("ledger_entry", "name", row.sequence, problem)
                };
                let name = row
                    .name
                    .parse()
                    .map_err(|error| corrupt(format!("{error}")))?;
                let version = u32::try_from(row.version).unwrap_or(0);
                Ok(LedgerEntry {
                    sequence: row.sequence,
                    name,
                    version,
                })
            })
            .collect()
    }

    /// Keeps that MLflow knows the version, and under which run.
    pub(crate) async fn entry_delivered(
        &self,
        sequence: i64,
        mlflow_run_id: &str,
        at: DateTime<Utc>,
    ) -> Result<(), DbError> {
        ledger_entry::Entity::update_many()
            .col_expr(Column::State, Expr::value(DELIVERED))
            .col_expr(Column::MlflowRunId, Expr::value(mlflow_run_id))
            .col_expr(Column::DeliveredAt, Expr::value(at))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::LastError, Expr::value(Option::<String>::None))
            .filter(Column::Sequence.eq(sequence))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }

    /// Keeps why a try failed.
    pub(crate) async fn entry_failed(&self, sequence: i64, problem: &str) -> Result<(), DbError> {
        ledger_entry::Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::LastError, Expr::value(problem))
            .filter(Column::Sequence.eq(sequence))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }

    /// How many wait and how many are through, and why the oldest one waits.
    pub(crate) async fn ledger_status(&self) -> Result<LedgerStatus, DbError> {
        let connection = self.database.connection();
        // in one statement: an entry that moves meanwhile is counted once
        let counts: BTreeMap<String, i64> = ledger_entry::Entity::find()
            .select_only()
            .column(Column::State)
            .column_as(Column::Sequence.count(), "entries")
            .group_by(Column::State)
            .into_tuple::<(String, i64)>()
            .all(connection)
            .await?
            .into_iter()
            .collect();
        let of_state = |state: &str| counts.get(state).map_or(0, |count| count.unsigned_abs());
        let failing = if of_state(PENDING) == 0 {
            None
        } else {
            ledger_entry::Entity::find()
                .filter(Column::State.eq(PENDING))
                .filter(Column::LastError.is_not_null())
                .order_by_asc(Column::Sequence)
                .one(connection)
                .await?
        };
        Ok(LedgerStatus {
            pending: of_state(PENDING),
            delivered: of_state(DELIVERED),
            last_error: failing.and_then(|entry| entry.last_error),
        })
    }
}
