//! What earlier forecasts said.

use foretide_db::DbError;
use foretide_domain::{ForecastId, SeriesId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Store;
use super::entities::forecast_series;
use super::forecasts::to_series;
use crate::points::Points;

impl Store {
    /// Points of all series of a forecast.
    pub(crate) async fn points(&self, id: ForecastId) -> Result<Vec<(SeriesId, Points)>, DbError> {
        let rows = forecast_series::Entity::find()
            .filter(forecast_series::Column::ForecastId.eq(id.as_uuid()))
            .all(self.database.connection())
            .await?;
        rows.into_iter()
            .map(|row| to_series(row).map(|series| (series.series_id, series.points)))
            .collect()
    }
}
