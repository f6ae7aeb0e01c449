//! Forecasts that a person took back.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::ForecastId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde_json::json;

use super::entities::{forecast_series, withdrawal};
use super::keep::{event, leave_event};
use super::surges::{Retraction, retract_of};
use super::tasks::{Task, leave_task};
use super::{Store, WriteBackState};
use crate::model::{Forecast, withdrawn_event_id};

/// Who took a forecast back, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withdrawal {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
    pub(crate) reason: String,
}

impl Store {
    /// Takes a forecast back, with its rows and windows, and leaves the audit event. The first
    /// withdrawal counts.
    pub(crate) async fn withdraw(
        &self,
        forecast: &Forecast,
        withdrawal: &Withdrawal,
    ) -> Result<Withdrawal, DbError> {
        let (forecast, withdrawal) = (forecast.clone(), withdrawal.clone());
        self.database
            .transaction("withdraw forecast", move |tx| {
                let (forecast, withdrawal) = (forecast.clone(), withdrawal.clone());
                Box::pin(async move { withdraw(tx, &forecast, withdrawal).await })
            })
            .await
    }

    /// When a forecast was taken back, if it was.
    pub(crate) async fn withdrawn_at(
        &self,
        id: ForecastId,
    ) -> Result<Option<DateTime<Utc>>, DbError> {
        let found = withdrawal::Entity::find_by_id(id.as_uuid());
        let found = found.one(self.database.connection()).await?;
        Ok(found.map(|withdrawal| withdrawal.withdrawn_at))
    }
}

/// Ids of the forecasts that were taken back.
pub(super) fn withdrawn() -> SelectStatement {
    Query::select()
        .column(withdrawal::Column::ForecastId)
        .from(withdrawal::Entity)
        .to_owned()
}

async fn withdraw(
    tx: &DatabaseTransaction,
    forecast: &Forecast,
    wanted: Withdrawal,
) -> Result<Withdrawal, DbError> {
    let id = forecast.id.as_uuid();
    if let Some(first) = withdrawal::Entity::find_by_id(id).one(tx).await? {
        return Ok(Withdrawal {
            at: first.withdrawn_at,
            by: first.withdrawn_by,
            reason: first.reason,
        });
    }
    let row = withdrawal::ActiveModel {
        forecast_id: Set(id),
        use_case: Set(forecast.use_case.to_string()),
        withdrawn_at: Set(wanted.at),
        withdrawn_by: Set(wanted.by.clone()),
        reason: Set(wanted.reason.clone()),
    };
    withdrawal::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    // what is pending may have arrived without an answer, and what is refused in part: it gets its
    // tombstone too
    let may_be_there = [
        WriteBackState::Pending,
        WriteBackState::Delivered,
        WriteBackState::Refused,
    ];
    let moved = forecast_series::Entity::update_many()
        .col_expr(
            forecast_series::Column::WriteBack,
            Expr::value(WriteBackState::Withdrawing.name()),
        )
        .filter(forecast_series::Column::ForecastId.eq(id))
        .filter(forecast_series::Column::WriteBack.is_in(may_be_there.map(WriteBackState::name)))
        .exec(tx)
        .await?;
    let retraction = Retraction {
        at: wanted.at,
        because: format!("withdrawn by {}: {}", wanted.by, wanted.reason),
    };
    retract_of(tx, forecast.id, &retraction).await?;
    if moved.rows_affected > 0 {
        let task = Task::Withdrawal {
            forecast: forecast.id,
        };
        leave_task(tx, task, Some(forecast.run_id), wanted.at).await?;
    }
    let details = json!({
        "use_case": forecast.use_case,
        "by": wanted.by,
        "reason": wanted.reason,
    });
    let id = withdrawn_event_id(forecast.id);
    let event = event(id, forecast, "forecast.withdrawn", &details);
    leave_event(tx, event, wanted.at).await?;
    Ok(wanted)
}
