//! Forecasts that a person took back.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;
use uuid::Uuid;

use super::entities::{forecast_series, withdrawal};
use super::forecasts::to_series;
use super::keep::{event, leave_event};
use super::surges::{Retraction, retract_of};
use super::{Store, WaitingSeries, WriteBackState};
use crate::model::{Forecast, withdrawn_event_id};

/// Who took a forecast back, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withdrawal {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
    pub(crate) reason: String,
}

/// Rows of a forecast that have to be taken back.
#[derive(Debug)]
pub(crate) struct Retracted {
    pub(crate) series: WaitingSeries,
    pub(crate) at: DateTime<Utc>,
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

    /// Forecasts with rows that have to be taken back.
    pub(crate) async fn retracted_series(&self) -> Result<Vec<Retracted>, DbError> {
        let connection = self.database.connection();
        let ids: Vec<Uuid> = forecast_series::Entity::find()
            .select_only()
            .column(forecast_series::Column::ForecastId)
            .distinct()
            .filter(forecast_series::Column::WriteBack.eq(WriteBackState::Withdrawing.name()))
            .into_tuple()
            .all(connection)
            .await?;
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let withdrawal = withdrawal::Entity::find_by_id(id).one(connection).await?;
            let Some(forecast) = self.forecast(id.into()).await? else {
                continue;
            };
            let rows = forecast_series::Entity::find()
                .filter(forecast_series::Column::ForecastId.eq(id))
                .filter(forecast_series::Column::WriteBack.eq(WriteBackState::Withdrawing.name()))
                .order_by_asc(forecast_series::Column::Position)
                .all(connection)
                .await?;
            let series = rows.into_iter().map(to_series).collect::<Result<_, _>>()?;
            all.push(Retracted {
                at: withdrawal.map_or(forecast.issued_at, |withdrawal| withdrawal.withdrawn_at),
                series: WaitingSeries { forecast, series },
            });
        }
        Ok(all)
    }

    /// Keeps that the workspace has the tombstones of these series.
    pub(crate) async fn rows_withdrawn(
        &self,
        id: ForecastId,
        series: &[SeriesId],
    ) -> Result<(), DbError> {
        if series.is_empty() {
            return Ok(());
        }
        forecast_series::Entity::update_many()
            .col_expr(
                forecast_series::Column::WriteBack,
                Expr::value(WriteBackState::Withdrawn.name()),
            )
            .filter(forecast_series::Column::ForecastId.eq(id.as_uuid()))
            .filter(forecast_series::Column::SeriesId.is_in(series.iter().map(ToString::to_string)))
            .exec(self.database.connection())
            .await?;
        Ok(())
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
    // what is pending may have arrived without an answer: it gets its tombstone too
    let may_be_there = [WriteBackState::Pending, WriteBackState::Delivered];
    forecast_series::Entity::update_many()
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
