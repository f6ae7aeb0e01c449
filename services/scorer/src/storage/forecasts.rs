//! Forecasts and their series.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{ForecastId, RunId, SeriesId, TimeSpan, UseCaseId};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Store;
use super::entities::{forecast, forecast_series, risk_window};
use super::withdrawals::withdrawn;
use super::write_back::WriteBackState;
use crate::model::{Forecast, SeriesForecast, Summary};
use crate::points::Points;

impl Store {
    /// One forecast.
    pub(crate) async fn forecast(&self, id: ForecastId) -> Result<Option<Forecast>, DbError> {
        let row = forecast::Entity::find_by_id(id.as_uuid())
            .one(self.database.connection())
            .await?;
        row.map(to_forecast).transpose()
    }

    /// The newest forecast of a use case, issued at or before a moment if one is given.
    pub(crate) async fn newest(
        &self,
        use_case: &UseCaseId,
        issued_before: Option<DateTime<Utc>>,
    ) -> Result<Option<Forecast>, DbError> {
        let mut query = of_use_case(use_case);
        if let Some(moment) = issued_before {
            query = query.filter(forecast::Column::IssuedAt.lte(moment));
        }
        query
            .one(self.database.connection())
            .await?
            .map(to_forecast)
            .transpose()
    }

    /// Forecasts issued in a span, newest first.
    pub(crate) async fn list(
        &self,
        use_case: &UseCaseId,
        issued: Option<TimeSpan>,
        limit: u32,
    ) -> Result<Vec<Forecast>, DbError> {
        let mut query = of_use_case(use_case).limit(u64::from(limit));
        if let Some(span) = issued {
            query = query
                .filter(forecast::Column::IssuedAt.gte(span.start))
                .filter(forecast::Column::IssuedAt.lt(span.end));
        }
        let rows = query.all(self.database.connection()).await?;
        rows.into_iter().map(to_forecast).collect()
    }

    /// One series of a forecast, with its points.
    pub(crate) async fn series(
        &self,
        id: ForecastId,
        series: &SeriesId,
    ) -> Result<Option<SeriesForecast>, DbError> {
        let key = (id.as_uuid(), series.to_string());
        let row = forecast_series::Entity::find_by_id(key)
            .one(self.database.connection())
            .await?;
        row.map(to_series).transpose()
    }

    /// Names of the series of forecasts, in the model's order.
    pub(crate) async fn series_ids(
        &self,
        forecasts: &[ForecastId],
    ) -> Result<HashMap<ForecastId, Vec<SeriesId>>, DbError> {
        let ids = forecasts.iter().map(|id| id.as_uuid());
        let rows: Vec<(Uuid, String)> = forecast_series::Entity::find()
            .select_only()
            .column(forecast_series::Column::ForecastId)
            .column(forecast_series::Column::SeriesId)
            .filter(forecast_series::Column::ForecastId.is_in(ids))
            .order_by_asc(forecast_series::Column::Position)
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let mut names: HashMap<ForecastId, Vec<SeriesId>> = HashMap::new();
        for (id, name) in rows {
            let series = read_series_id("forecast_series", id, &name)?;
            names.entry(id.into()).or_default().push(series);
        }
        Ok(names)
    }

    /// A forecast in numbers.
    pub(crate) async fn summary(&self, id: ForecastId) -> Result<Summary, DbError> {
        let connection = self.database.connection();
        let forecast = self
            .forecast(id)
            .await?
            .ok_or_else(|| DbError::not_found("forecast"))?;
        let of_forecast = || {
            forecast_series::Entity::find()
                .filter(forecast_series::Column::ForecastId.eq(id.as_uuid()))
        };
        let in_state = |state: WriteBackState| {
            of_forecast().filter(forecast_series::Column::WriteBack.eq(state.name()))
        };
        let series = of_forecast().count(connection).await?;
        let delivered = in_state(WriteBackState::Delivered)
            .count(connection)
            .await?;
        let pending = in_state(WriteBackState::Pending).count(connection).await?;
        let windows = risk_window::Entity::find()
            .filter(risk_window::Column::ForecastId.eq(id.as_uuid()))
            .count(connection)
            .await?;
        let hours = u64::from(forecast.horizon_hours);
        Ok(Summary {
            forecast_id: id,
            model_name: forecast.model_name,
            model_version: forecast.model_version,
            series: u32::try_from(series).unwrap_or(u32::MAX),
            rows: series * hours,
            risk_windows: u32::try_from(windows).unwrap_or(u32::MAX),
            rows_delivered: delivered * hours,
            rows_pending: pending * hours,
        })
    }
}

/// Newest first, without those that were taken back. Of two issued as of the same moment the later
/// run's is newer: run ids sort by time.
fn of_use_case(use_case: &UseCaseId) -> sea_orm::Select<forecast::Entity> {
    forecast::Entity::find()
        .filter(forecast::Column::UseCase.eq(use_case.as_str()))
        .filter(forecast::Column::Id.not_in_subquery(withdrawn()))
        .order_by_desc(forecast::Column::IssuedAt)
        .order_by_desc(forecast::Column::RunId)
}

pub(super) fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

pub(super) fn read_series_id(
    table: &'static str,
    row: impl ToString,
    text: &str,
) -> Result<SeriesId, DbError> {
    text.parse()
        .map_err(|error| DbError::corrupt(table, "series_id", row, error))
}

fn to_forecast(row: forecast::Model) -> Result<Forecast, DbError> {
    let id = row.id;
    let corrupt =
        |column: &'static str, problem: String| DbError::corrupt("forecast", column, id, problem);
    Ok(Forecast {
        id: id.into(),
        run_id: RunId::from(row.run_id),
        use_case: row
            .use_case
            .parse()
            .map_err(|e| corrupt("use_case", format!("{e}")))?,
        issued_at: row.issued_at,
        start: row.start,
        horizon_hours: unsigned(row.horizon_hours),
        model_name: row.model_name,
        model_version: unsigned(row.model_version),
        completeness: row.completeness,
        validity: row
            .validity
            .parse()
            .map_err(|problem| corrupt("validity", problem))?,
        valid_until: row.valid_until,
        drivers: serde_json::from_value(row.drivers)
            .map_err(|error| corrupt("drivers", error.to_string()))?,
    })
}

pub(super) fn to_series(row: forecast_series::Model) -> Result<SeriesForecast, DbError> {
    let key = format!("{}/{}", row.forecast_id, row.series_id);
    let points = Points::decode(&row.points)
        .map_err(|problem| DbError::corrupt("forecast_series", "points", &key, problem))?;
    Ok(SeriesForecast {
        series_id: read_series_id("forecast_series", &key, &row.series_id)?,
        model_kind: row.model_kind,
        note: row.note,
        learning: row.learning,
        points,
    })
}
