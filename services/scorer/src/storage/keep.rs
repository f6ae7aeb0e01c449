//! One issue, all or nothing.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_outbox::{AUDIT, AuditEvent};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, DatabaseTransaction, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use super::entities::{forecast, forecast_series, judged_window, risk_window};
use super::surges::{is_newest, keep_surges};
use super::tasks::{Task, leave_task};
use super::{Store, WriteBackState};
use crate::model::{Forecast, Issue, JudgedWindow, issued_event_id};

/// Rows of one insert: well below the parameters that either engine binds.
const ROWS_AN_INSERT: usize = 500;

/// What of an issue has to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// State of its series' rows.
    pub(crate) rows: WriteBackState,
    /// Whether its windows are announced.
    pub(crate) surges: bool,
}

impl Store {
    /// Keeps the forecast, its series and windows, and what still has to leave. When the same run
    /// was faster elsewhere, what it kept stays.
    pub(crate) async fn keep(&self, issue: &Issue, keeping: Keeping) -> Result<(), DbError> {
        let id = issue.forecast.id;
        let issue = issue.clone();
        let outcome = self
            .database
            .transaction("keep forecast", move |tx| {
                let issue = issue.clone();
                Box::pin(async move { keep(tx, &issue, keeping).await })
            })
            .await;
        match outcome {
            Err(DbError::Conflict { .. }) if self.forecast(id).await?.is_some() => Ok(()),
            other => other,
        }
    }
}

async fn keep(tx: &DatabaseTransaction, issue: &Issue, keeping: Keeping) -> Result<(), DbError> {
    let forecast = &issue.forecast;
    let is_newest = is_newest(tx, &forecast.use_case, forecast.issued_at, forecast.run_id).await?;
    forecast_row(issue).insert(tx).await?;
    let rows: Vec<_> = series_rows(issue, keeping.rows).collect();
    for part in rows.chunks(ROWS_AN_INSERT) {
        forecast_series::Entity::insert_many(part.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    for row in window_rows(issue) {
        row.insert(tx).await?;
    }
    let judged: Vec<_> = judged_rows(issue).collect();
    for part in judged.chunks(ROWS_AN_INSERT) {
        judged_window::Entity::insert_many(part.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    if keeping.surges {
        keep_surges(tx, issue, is_newest).await?;
    }
    if keeping.rows == WriteBackState::Pending {
        let task = Task::Rows {
            forecast: forecast.id,
        };
        leave_task(tx, task, Some(forecast.run_id), forecast.issued_at).await?;
    }
    leave_event(tx, issued_event(issue), forecast.issued_at).await
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn forecast_row(issue: &Issue) -> forecast::ActiveModel {
    let forecast = &issue.forecast;
    forecast::ActiveModel {
        id: Set(forecast.id.as_uuid()),
        run_id: Set(forecast.run_id.as_uuid()),
        use_case: Set(forecast.use_case.to_string()),
        issued_at: Set(forecast.issued_at),
        start: Set(forecast.start),
        horizon_hours: Set(signed(forecast.horizon_hours)),
        model_name: Set(forecast.model_name.clone()),
        model_version: Set(signed(forecast.model_version)),
        completeness: Set(forecast.completeness),
        validity: Set(forecast.validity.name().to_owned()),
        valid_until: Set(forecast.valid_until),
        drivers: Set(json!(forecast.drivers)),
    }
}

fn series_rows(
    issue: &Issue,
    state: WriteBackState,
) -> impl Iterator<Item = forecast_series::ActiveModel> {
    let forecast = &issue.forecast;
    issue
        .series
        .iter()
        .zip(0..)
        .map(move |(series, position)| forecast_series::ActiveModel {
            forecast_id: Set(forecast.id.as_uuid()),
            series_id: Set(series.series_id.to_string()),
            run_id: Set(forecast.run_id.as_uuid()),
            position: Set(position),
            model_kind: Set(series.model_kind.clone()),
            note: Set(series.note.clone()),
            learning: Set(series.learning),
            points: Set(series.points.encode()),
            write_back: Set(state.name().to_owned()),
            write_back_error: Set(None),
        })
}

fn window_rows(issue: &Issue) -> impl Iterator<Item = risk_window::ActiveModel> {
    issue.windows.iter().map(|window| risk_window::ActiveModel {
        id: Set(window.id.as_uuid()),
        forecast_id: Set(window.forecast_id.as_uuid()),
        run_id: Set(window.run_id.as_uuid()),
        use_case: Set(window.use_case.to_string()),
        series_id: Set(window.series_id.to_string()),
        starts_at: Set(window.span.start),
        ends_at: Set(window.span.end),
        probability: Set(window.probability),
        expected: Set(window.expected),
        capacity: Set(window.capacity),
        capacity_kind: Set(window.capacity_kind.map(|kind| kind.name().to_owned())),
        rule: Set(window.rule.clone()),
        acts: Set(window.acts),
        drivers: Set(json!(window.drivers)),
        issued_at: Set(window.issued_at),
        validity: Set(window.validity.name().to_owned()),
    })
}

fn judged_rows(issue: &Issue) -> impl Iterator<Item = judged_window::ActiveModel> {
    let forecast = &issue.forecast;
    let row = |window: &JudgedWindow| judged_window::ActiveModel {
        forecast_id: Set(forecast.id.as_uuid()),
        starts_at: Set(window.span.start),
        use_case: Set(forecast.use_case.to_string()),
        ends_at: Set(window.span.end),
        probability: Set(window.probability),
        expected: Set(window.expected),
        capacity: Set(window.capacity),
        capacity_kind: Set(window.capacity_kind.name().to_owned()),
        is_raised: Set(window.is_raised),
        baseline_raised: Set(window.baseline_raised),
    };
    issue.judged.iter().map(row)
}

fn issued_event(issue: &Issue) -> AuditEvent {
    let forecast = &issue.forecast;
    let acting = issue.windows.iter().filter(|window| window.acts).count();
    let details = json!({
        "use_case": forecast.use_case,
        "issued_at": forecast.issued_at,
        "horizon_hours": forecast.horizon_hours,
        "model_name": forecast.model_name,
        "model_version": forecast.model_version,
        "series": issue.series.len(),
        "risk_windows": acting,
        "completeness": forecast.completeness,
        "validity": forecast.validity.name(),
    });
    event(
        issued_event_id(forecast.id),
        forecast,
        "forecast.issued",
        &details,
    )
}

/// An event about a forecast.
pub(super) fn event(id: Uuid, forecast: &Forecast, action: &str, details: &Value) -> AuditEvent {
    AuditEvent {
        id,
        actor: "service:scorer".to_owned(),
        action: action.to_owned(),
        subject: format!("forecast/{}", forecast.id),
        run_id: Some(forecast.run_id),
        details: details.to_string(),
    }
}

/// Leaves an event for the audit chain, beside what it tells of.
pub(super) async fn leave_event(
    tx: &DatabaseTransaction,
    event: AuditEvent,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    foretide_outbox::insert(tx, AUDIT, [event.into_item()], at).await
}
