//! Judged windows that are over.

use foretide_domain::{TimeSpan, UseCaseId};
use foretide_forecasting::risk::SettledWindow;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
};

use crate::error::AuditorError;
use crate::model::WindowOutcome;
use crate::storage::EvaluatedForecast;
use crate::storage::entities::settled_window::{ActiveModel, Column, Entity, Model};

/// Rows of one insert, far below the engines' limits on parameters.
const ROWS_PER_INSERT: usize = 200;

/// Inserts the windows of an evaluated forecast.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    evaluated: &EvaluatedForecast,
) -> Result<(), AuditorError> {
    let rows = evaluated.windows.iter().map(|window| ActiveModel {
        forecast_id: Set(evaluated.forecast_id.as_uuid()),
        starts_at: Set(window.settled.start),
        use_case: Set(evaluated.use_case.to_string()),
        issued_at: Set(window.settled.issued_at),
        ends_at: Set(window.end),
        probability: Set(window.settled.probability),
        was_raised: Set(window.settled.was_raised),
        baseline_raised: Set(window.settled.baseline_raised),
        capacity: Set(window.capacity),
        load: Set(window.load),
        has_exceeded: Set(window.settled.has_exceeded),
    });
    let rows: Vec<_> = rows.collect();
    for part in rows.chunks(ROWS_PER_INSERT) {
        Entity::insert_many(part.to_vec())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

/// Windows of forecasts that were issued in the span, the end excluded.
pub(crate) async fn settled(
    connection: &impl ConnectionTrait,
    use_case: &UseCaseId,
    issued: TimeSpan,
) -> Result<Vec<WindowOutcome>, AuditorError> {
    let rows = Entity::find()
        .filter(Column::UseCase.eq(use_case.as_str()))
        .filter(Column::IssuedAt.gte(issued.start))
        .filter(Column::IssuedAt.lt(issued.end))
        .order_by_asc(Column::StartsAt)
        .all(connection)
        .await?;
    Ok(rows.iter().map(read).collect())
}

fn read(row: &Model) -> WindowOutcome {
    WindowOutcome {
        settled: SettledWindow {
            issued_at: row.issued_at,
            start: row.starts_at,
            probability: row.probability,
            was_raised: row.was_raised,
            baseline_raised: row.baseline_raised,
            has_exceeded: row.has_exceeded,
        },
        end: row.ends_at,
        capacity: row.capacity,
        load: row.load,
    }
}
