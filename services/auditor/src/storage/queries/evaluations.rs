//! Evaluations.

use foretide_db::DbError;
use foretide_domain::{ForecastId, TimeSpan};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::error::AuditorError;
use crate::model::{Evaluation, SeriesScore};
use crate::storage::entities::{evaluated_forecast, evaluation};
use crate::storage::{EvaluatedForecast, EvaluationFilter};

/// Rows of one insert, far below the engines' limits on parameters.
const ROWS_PER_INSERT: usize = 200;

/// Inserts a forecast's evaluations.
///
/// A conflict means that it is evaluated already.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    evaluated: &EvaluatedForecast,
) -> Result<(), AuditorError> {
    let mark = evaluated_forecast::ActiveModel {
        forecast_id: Set(evaluated.forecast_id.as_uuid()),
        use_case: Set(evaluated.use_case.to_string()),
        run_id: Set(evaluated.run_id.as_uuid()),
        evaluated_at: Set(evaluated.evaluated_at),
    };
    evaluated_forecast::Entity::insert(mark)
        .exec_without_returning(connection)
        .await?;
    for evaluations in evaluated.evaluations.chunks(ROWS_PER_INSERT) {
        evaluation::Entity::insert_many(evaluations.iter().map(row))
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

fn row(evaluation: &Evaluation) -> evaluation::ActiveModel {
    let score = evaluation.score;
    evaluation::ActiveModel {
        evaluation_id: Set(evaluation.id),
        run_id: Set(evaluation.run_id.as_uuid()),
        forecast_id: Set(evaluation.forecast_id.as_uuid()),
        use_case: Set(evaluation.use_case.to_string()),
        series_id: Set(evaluation.series_id.to_string()),
        evaluated_at: Set(evaluation.evaluated_at),
        span_start: Set(evaluation.span.start),
        span_end: Set(evaluation.span.end),
        hours: Set(i32::try_from(score.hours).unwrap_or(i32::MAX)),
        mae: Set(score.mae),
        pinball: Set(score.pinball),
        naive_pinball: Set(score.naive_pinball),
        coverage_80: Set(score.coverage_80),
        coverage_95: Set(score.coverage_95),
        model_name: Set(evaluation.model_name.clone()),
        model_version: Set(i64::from(evaluation.model_version)),
    }
}

/// Which of the forecasts are evaluated already.
pub(crate) async fn evaluated(
    connection: &impl ConnectionTrait,
    forecasts: &[ForecastId],
) -> Result<Vec<ForecastId>, AuditorError> {
    let mut found = Vec::new();
    for ids in forecasts.chunks(ROWS_PER_INSERT) {
        let ids = ids.iter().map(|id| id.as_uuid());
        let rows = evaluated_forecast::Entity::find()
            .filter(evaluated_forecast::Column::ForecastId.is_in(ids))
            .all(connection)
            .await?;
        found.extend(
            rows.into_iter()
                .map(|row| ForecastId::from(row.forecast_id)),
        );
    }
    Ok(found)
}

/// Evaluations, those of the newest forecasts first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: &EvaluationFilter,
) -> Result<Vec<Evaluation>, AuditorError> {
    let mut query = evaluation::Entity::find();
    if let Some(use_case) = &filter.use_case {
        query = query.filter(evaluation::Column::UseCase.eq(use_case.as_str()));
    }
    if let Some(series_id) = &filter.series_id {
        query = query.filter(evaluation::Column::SeriesId.eq(series_id.to_string()));
    }
    if let Some(TimeSpan { start, end }) = filter.begins {
        query = query
            .filter(evaluation::Column::SpanStart.gte(start))
            .filter(evaluation::Column::SpanStart.lt(end));
    }
    let rows = query
        .order_by_desc(evaluation::Column::SpanStart)
        .order_by_asc(evaluation::Column::SeriesId)
        .limit(filter.limit)
        .all(connection)
        .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &evaluation::Model) -> Result<Evaluation, DbError> {
    let corrupt = |column, problem: String| {
        DbError::corrupt("evaluation", column, row.evaluation_id, problem)
    };
    let span = TimeSpan::new(row.span_start, row.span_end);
    Ok(Evaluation {
        id: row.evaluation_id,
        run_id: row.run_id.into(),
        forecast_id: row.forecast_id.into(),
        use_case: row
            .use_case
            .parse()
            .map_err(|error: foretide_domain::UseCaseError| {
                corrupt("use_case", error.to_string())
            })?,
        series_id: row
            .series_id
            .parse()
            .map_err(|error: foretide_domain::SeriesIdError| {
                corrupt("series_id", error.to_string())
            })?,
        evaluated_at: row.evaluated_at,
        span: span.ok_or_else(|| corrupt("span_end", "before span_start".to_owned()))?,
        score: SeriesScore {
            hours: u32::try_from(row.hours).map_err(|error| corrupt("hours", error.to_string()))?,
            mae: row.mae,
            pinball: row.pinball,
            naive_pinball: row.naive_pinball,
            coverage_80: row.coverage_80,
            coverage_95: row.coverage_95,
        },
        model_name: row.model_name.clone(),
        model_version: u32::try_from(row.model_version)
            .map_err(|error| corrupt("model_version", error.to_string()))?,
    })
}
