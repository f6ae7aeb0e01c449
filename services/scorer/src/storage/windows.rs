//! Risk windows.

use foretide_db::DbError;
use foretide_domain::{CapacityKind, ForecastId, RunId, TimeSpan, UseCaseId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Store;
use super::entities::judged_window;
use super::entities::risk_window::{self, Column};
use super::forecasts::read_series_id;
use crate::model::{JudgedWindow, RiskWindow};

/// Which windows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowQuery {
    /// Those of the newest forecast.
    Newest,
    /// Those of one forecast.
    Of(ForecastId),
    /// Those that touch a span, of the newest forecast first.
    Touching(TimeSpan),
}

impl Store {
    /// Windows of a use case; of one forecast in order of time.
    pub(crate) async fn windows(
        &self,
        use_case: &UseCaseId,
        query: &WindowQuery,
        limit: u32,
    ) -> Result<Vec<RiskWindow>, DbError> {
        let mut rows = risk_window::Entity::find().filter(Column::UseCase.eq(use_case.as_str()));
        rows = match query {
            WindowQuery::Newest => rows,
            WindowQuery::Of(id) => rows.filter(Column::ForecastId.eq(id.as_uuid())),
            WindowQuery::Touching(span) => rows
                .filter(Column::StartsAt.lt(span.end))
                .filter(Column::EndsAt.gt(span.start)),
        };
        let rows = rows
            .order_by_desc(Column::IssuedAt)
            .order_by_desc(Column::RunId)
            .order_by_desc(Column::Acts)
            .order_by_asc(Column::StartsAt)
            .limit(u64::from(limit))
            .all(self.database.connection())
            .await?;
        rows.into_iter().map(to_window).collect()
    }
}

impl Store {
    /// The windows of a forecast as they were judged, in order of time.
    pub(crate) async fn judged_windows(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
    ) -> Result<Vec<JudgedWindow>, DbError> {
        let rows = judged_window::Entity::find()
            .filter(judged_window::Column::ForecastId.eq(forecast.as_uuid()))
            .filter(judged_window::Column::UseCase.eq(use_case.as_str()))
            .order_by_asc(judged_window::Column::StartsAt)
            .all(self.database.connection())
            .await?;
        rows.iter().map(to_judged).collect()
    }
}

fn to_judged(row: &judged_window::Model) -> Result<JudgedWindow, DbError> {
    let corrupt = |column: &'static str, problem: String| {
        DbError::corrupt("judged_window", column, row.forecast_id, problem)
    };
    Ok(JudgedWindow {
        span: TimeSpan::new(row.starts_at, row.ends_at)
            .ok_or_else(|| corrupt("ends_at", "lies before starts_at".to_owned()))?,
        probability: row.probability,
        expected: row.expected,
        capacity: row.capacity,
        capacity_kind: row
            .capacity_kind
            .parse()
            .map_err(|problem| corrupt("capacity_kind", problem))?,
        is_raised: row.is_raised,
        baseline_raised: row.baseline_raised,
    })
}

fn to_window(row: risk_window::Model) -> Result<RiskWindow, DbError> {
    let id = row.id;
    let corrupt = |column: &'static str, problem: String| {
        DbError::corrupt("risk_window", column, id, problem)
    };
    Ok(RiskWindow {
        id: id.into(),
        forecast_id: row.forecast_id.into(),
        run_id: RunId::from(row.run_id),
        use_case: row
            .use_case
            .parse()
            .map_err(|e| corrupt("use_case", format!("{e}")))?,
        series_id: read_series_id("risk_window", id, &row.series_id)?,
        span: TimeSpan::new(row.starts_at, row.ends_at)
            .ok_or_else(|| corrupt("ends_at", "lies before starts_at".to_owned()))?,
        probability: row.probability,
        expected: row.expected,
        capacity: row.capacity,
        capacity_kind: row
            .capacity_kind
            .as_deref()
            .map(str::parse::<CapacityKind>)
            .transpose()
            .map_err(|problem| corrupt("capacity_kind", problem))?,
        rule: row.rule,
        acts: row.acts,
        drivers: serde_json::from_value(row.drivers)
            .map_err(|error| corrupt("drivers", error.to_string()))?,
        issued_at: row.issued_at,
        validity: row
            .validity
            .parse()
            .map_err(|problem| corrupt("validity", problem))?,
    })
}
