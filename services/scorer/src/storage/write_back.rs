//! Which series still have to be written back.

use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId};
use foretide_write_back::{Accepted, note_accepted};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::Store;
use super::entities::forecast_series::{self, Column};
use super::forecasts::to_series;
use crate::model::{Forecast, SeriesForecast};

/// Whether a series' rows are in the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteBackState {
    /// They have to be.
    Pending,
    /// The workspace has accepted them.
    Delivered,
    /// Nobody wants them: no sink was configured when they were made.
    Off,
    /// They have to be taken back: the forecast was withdrawn.
    Withdrawing,
    /// The workspace has accepted their tombstones.
    Withdrawn,
}

impl WriteBackState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Off => "off",
            Self::Withdrawing => "withdrawing",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A forecast and those of its series that wait.
#[derive(Debug)]
pub(crate) struct WaitingSeries {
    pub(crate) forecast: Forecast,
    pub(crate) series: Vec<SeriesForecast>,
}

impl Store {
    /// Forecasts with series that wait, oldest first.
    pub(crate) async fn waiting_forecasts(&self) -> Result<Vec<ForecastId>, DbError> {
        let ids: Vec<Uuid> = forecast_series::Entity::find()
            .select_only()
            .column(Column::ForecastId)
            .distinct()
            .filter(Column::WriteBack.eq(WriteBackState::Pending.name()))
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let mut forecasts = Vec::with_capacity(ids.len());
        for id in ids {
            forecasts.extend(self.forecast(id.into()).await?);
        }
        forecasts.sort_by_key(|forecast| (forecast.issued_at, forecast.id));
        Ok(forecasts.into_iter().map(|forecast| forecast.id).collect())
    }

    /// What of a forecast waits; nothing when it is through.
    pub(crate) async fn waiting_series(
        &self,
        id: ForecastId,
    ) -> Result<Option<WaitingSeries>, DbError> {
        let Some(forecast) = self.forecast(id).await? else {
            return Ok(None);
        };
        let rows = forecast_series::Entity::find()
            .filter(Column::ForecastId.eq(id.as_uuid()))
            .filter(Column::WriteBack.eq(WriteBackState::Pending.name()))
            .order_by_asc(Column::Position)
            .all(self.database.connection())
            .await?;
        let series: Vec<_> = rows.into_iter().map(to_series).collect::<Result<_, _>>()?;
        Ok((!series.is_empty()).then_some(WaitingSeries { forecast, series }))
    }

    /// Keeps that the workspace has accepted the rows of these series.
    pub(crate) async fn written_back(
        &self,
        id: ForecastId,
        series: &[SeriesId],
        accepted: &Accepted,
    ) -> Result<(), DbError> {
        if series.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = series.iter().map(ToString::to_string).collect();
        let accepted = accepted.clone();
        self.database
            .transaction("keep written back", move |tx| {
                let (names, accepted) = (names.clone(), accepted.clone());
                Box::pin(async move {
                    delivered(tx, id, names).await?;
                    note_accepted(tx, &accepted).await
                })
            })
            .await
    }

    /// Keeps why the rest of a forecast still waits.
    pub(crate) async fn write_back_failed(
        &self,
        id: ForecastId,
        problem: &str,
    ) -> Result<(), DbError> {
        forecast_series::Entity::update_many()
            .col_expr(Column::WriteBackError, Expr::value(problem))
            .filter(Column::ForecastId.eq(id.as_uuid()))
            .filter(Column::WriteBack.eq(WriteBackState::Pending.name()))
            .exec(self.database.connection())
            .await?;
        Ok(())
    }
}

/// Marks series as delivered, unless the forecast was withdrawn meanwhile.
async fn delivered(
    tx: &DatabaseTransaction,
    id: ForecastId,
    series: Vec<String>,
) -> Result<(), DbError> {
    forecast_series::Entity::update_many()
        .col_expr(
            Column::WriteBack,
            Expr::value(WriteBackState::Delivered.name()),
        )
        .col_expr(Column::WriteBackError, Expr::value(Option::<String>::None))
        .filter(Column::ForecastId.eq(id.as_uuid()))
        .filter(Column::SeriesId.is_in(series))
        .filter(Column::WriteBack.eq(WriteBackState::Pending.name()))
        .exec(tx)
        .await?;
    Ok(())
}
