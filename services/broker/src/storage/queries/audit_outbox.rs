//! Events on their way to the audit chain.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::error::BrokerError;
use crate::model::NewEvent;
use crate::storage::entities::audit_outbox::{ActiveModel, Column, Entity, Model};

/// An event that waits.
#[derive(Debug, Clone)]
pub(crate) struct PendingEvent {
    pub(crate) id: Uuid,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) run_id: Option<String>,
    pub(crate) details: String,
}

pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<(), BrokerError> {
    if events.is_empty() {
        return Ok(());
    }
    let rows = events.iter().map(|event| ActiveModel {
        event_id: Set(Uuid::now_v7()),
        actor: Set(event.actor.clone()),
        action: Set(event.action.to_owned()),
        subject: Set(event.subject.clone()),
        run_id: Set(event.run_id.map(|id| id.to_string())),
        details: Set(event.details.to_string()),
        created_at: Set(now),
        delivered_at: Set(None),
        sequence: Set(None),
        refusal: Set(None),
    });
    Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Events that wait, in the order in which they happened.
pub(crate) async fn pending(
    connection: &impl ConnectionTrait,
    limit: u64,
) -> Result<Vec<PendingEvent>, BrokerError> {
    let rows = Entity::find()
        .filter(Column::DeliveredAt.is_null())
        .order_by_asc(Column::EventId)
        .limit(limit)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

fn read(row: Model) -> PendingEvent {
    PendingEvent {
        id: row.event_id,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        run_id: row.run_id,
        details: row.details,
    }
}

/// Notes that the chain has the event, or that it will never take it.
pub(crate) async fn settle(
    connection: &impl ConnectionTrait,
    id: Uuid,
    now: DateTime<Utc>,
    outcome: Result<u64, String>,
) -> Result<(), BrokerError> {
    let (sequence, refusal) = match outcome {
        Ok(sequence) => (i64::try_from(sequence).ok(), None),
        Err(refusal) => (None, Some(refusal)),
    };
    Entity::update_many()
        .filter(Column::EventId.eq(id))
        .col_expr(Column::DeliveredAt, Expr::value(Some(now)))
        .col_expr(Column::Sequence, Expr::value(sequence))
        .col_expr(Column::Refusal, Expr::value(refusal))
        .exec(connection)
        .await?;
    Ok(())
}
