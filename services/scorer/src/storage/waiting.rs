//! What the workspace has not accepted.

use std::collections::HashMap;

use foretide_db::DbError;
use foretide_write_back::Waiting;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entities::{forecast, forecast_series, surge_row};
use super::{Store, SurgeState, Way, WriteBackState};

impl Store {
    /// Rows of forecasts that wait, tombstones too, or are refused, by reason; `table` is where they go.
    /// Of a series that was refused all rows are counted.
    pub(crate) async fn hours_waiting(&self, table: &str) -> Result<Vec<Waiting>, DbError> {
        let refused = [Way::ROWS.refused, Way::TOMBSTONES.refused].map(WriteBackState::name);
        let waiting = [Way::ROWS.waits, Way::TOMBSTONES.waits].map(WriteBackState::name);
        let states = waiting.into_iter().chain(refused);
        let series: Vec<(Uuid, String, Option<String>, i64)> = forecast_series::Entity::find()
            .select_only()
            .column(forecast_series::Column::ForecastId)
            .column(forecast_series::Column::WriteBack)
            .column(forecast_series::Column::WriteBackError)
            .column_as(forecast_series::Column::SeriesId.count(), "series")
            .filter(forecast_series::Column::WriteBack.is_in(states))
            .group_by(forecast_series::Column::ForecastId)
            .group_by(forecast_series::Column::WriteBack)
            .group_by(forecast_series::Column::WriteBackError)
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let ids = series.iter().map(|(id, ..)| *id);
        let hours: HashMap<Uuid, i32> = forecast::Entity::find()
            .select_only()
            .column(forecast::Column::Id)
            .column(forecast::Column::HorizonHours)
            .filter(forecast::Column::Id.is_in(ids))
            .into_tuple()
            .all(self.database.connection())
            .await?
            .into_iter()
            .collect();
        let waiting = series.into_iter().map(|(id, state, problem, count)| {
            let hours = hours.get(&id).copied().unwrap_or(0);
            let rows = count.saturating_mul(hours.into());
            waits(table, rows, problem, refused.contains(&state.as_str()))
        });
        Ok(Waiting::summed(waiting))
    }

    /// Rows of predicted windows that wait, tombstones too, or are refused, by reason; `table` is where
    /// they go.
    pub(crate) async fn windows_waiting(&self, table: &str) -> Result<Vec<Waiting>, DbError> {
        let states = [
            SurgeState::Due,
            SurgeState::Sending,
            SurgeState::Retract,
            SurgeState::Refused,
        ];
        let rows: Vec<(String, Option<String>, i64)> = surge_row::Entity::find()
            .select_only()
            .column(surge_row::Column::State)
            .column(surge_row::Column::LastError)
            .column_as(surge_row::Column::WindowId.count(), "windows")
            .filter(surge_row::Column::State.is_in(states.map(SurgeState::name)))
            .group_by(surge_row::Column::State)
            .group_by(surge_row::Column::LastError)
            .into_tuple()
            .all(self.database.connection())
            .await?;
        let waiting = rows.into_iter().map(|(state, problem, count)| {
            waits(table, count, problem, state == SurgeState::Refused.name())
        });
        Ok(Waiting::summed(waiting))
    }
}

fn waits(table: &str, rows: i64, problem: Option<String>, refused: bool) -> Waiting {
    Waiting {
        table: table.to_owned(),
        rows: u64::try_from(rows).unwrap_or(0),
        problem: problem.unwrap_or_default(),
        refused,
    }
}
