//! Audit events that the auditor does not have yet.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Store;
use super::entities::audit_outbox::{self, Column};

/// Events taken at once.
const BATCH: u64 = 100;

/// Something that was done and has to be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuditEvent {
    pub(crate) event_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) details: serde_json::Value,
}

impl Store {
    /// Events that wait, oldest first.
    pub(crate) async fn waiting_events(&self) -> Result<Vec<AuditEvent>, DbError> {
        let rows = audit_outbox::Entity::find()
            .filter(Column::Delivered.eq(false))
            .order_by_asc(Column::Sequence)
            .limit(BATCH)
            .all(self.database.connection())
            .await?;
        let event = |row: audit_outbox::Model| AuditEvent {
            event_id: row.event_id,
            run_id: row.run_id,
            action: row.action,
            subject: row.subject,
            details: row.details,
        };
        Ok(rows.into_iter().map(event).collect())
    }

    /// Keeps that the auditor has the event.
    pub(crate) async fn event_delivered(&self, id: Uuid, at: DateTime<Utc>) -> Result<(), DbError> {
        audit_outbox::Entity::update_many()
            .col_expr(Column::Delivered, Expr::value(true))
            .col_expr(Column::DeliveredAt, Expr::value(at))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::LastError, Expr::value(Option::<String>::None))
            .filter(Column::EventId.eq(id))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }

    /// Keeps why a try failed.
    pub(crate) async fn event_failed(&self, id: Uuid, problem: &str) -> Result<(), DbError> {
        audit_outbox::Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::LastError, Expr::value(problem))
            .filter(Column::EventId.eq(id))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }
}
