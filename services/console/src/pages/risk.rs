//! High-risk periods.

use askama::Template;
use axum::response::Response;
use chrono::{Duration, Utc};
use foretide_api::scoring::v1::{ListRiskWindowsRequest, RiskWindow};
use foretide_domain::TimeSpan;
use http::StatusCode;

use crate::calls::{Answer, readable, request};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::pages::overview::drivers;
use crate::session::Session;

const DAYS_SHOWN: i64 = 21;
const MOST_SHOWN: u32 = 300;

#[derive(Template)]
#[template(path = "risk.html")]
struct RiskPage {
    frame: Frame,
    rows: Vec<RiskRow>,
    days: i64,
}

pub(crate) struct RiskRow {
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    pub(crate) use_case: String,
    pub(crate) series: String,
    pub(crate) series_id: String,
    pub(crate) probability: String,
    pub(crate) expected: String,
    pub(crate) capacity: String,
    pub(crate) trigger: String,
    pub(crate) acts: bool,
    pub(crate) is_past: bool,
    pub(crate) drivers: String,
    pub(crate) issued_at: Option<Moment>,
    pub(crate) forecast_id: String,
    pub(crate) run_id: String,
    pub(crate) raw_use_case: String,
    span: TimeSpan,
}

pub(crate) async fn show(session: Session) -> Result<Response, PageError> {
    let now = session.console.clock.now();
    let span = TimeSpan {
        start: now - Duration::days(DAYS_SHOWN),
        end: now + Duration::days(DAYS_SHOWN),
    };
    let mut rows = rows(&session, Some(span)).await?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.span.start));
    let frame = Frame::new("High-risk periods", Section::Risk, &session);
    Ok(page::render(
        StatusCode::OK,
        &RiskPage {
            frame,
            rows,
            days: DAYS_SHOWN,
        },
    ))
}

/// The next period that the newest forecast of some use case warns of.
pub(crate) async fn next(session: &Session) -> Result<Option<RiskRow>, PageError> {
    let now = session.console.clock.now();
    let rows = rows(session, None)
        .await?
        .into_iter()
        .filter(|row| row.acts && row.span.end > now);
    Ok(rows.min_by_key(|row| row.span.start))
}

/// The periods of all use cases that have a trigger: those in the span, or without one those of
/// the newest forecasts.
async fn rows(session: &Session, span: Option<TimeSpan>) -> Result<Vec<RiskRow>, PageError> {
    let mut rows = Vec::new();
    let now = session.console.clock.now();
    for use_case in session
        .console
        .use_cases
        .iter()
        .filter(|use_case| use_case.trigger.is_some())
    {
        let asked = ListRiskWindowsRequest {
            use_case: use_case.id.to_string(),
            forecast_id: String::new(),
            span: span.and_then(foretide_api::span_message),
            limit: MOST_SHOWN,
        };
        let answer = session
            .peers
            .scorer()
            .list_risk_windows(request(asked))
            .await;
        let windows = answer
            .found_by("scorer")?
            .map(|found| found.risk_windows)
            .unwrap_or_default();
        for window in windows {
            rows.push(row(window, now)?);
        }
    }
    Ok(rows)
}

/// The number and where it comes from: `48 (usual upper load)`.
fn capacity(window: &RiskWindow) -> String {
    let number = format::number(window.capacity);
    match foretide_api::capacity_kind("capacity_kind", window.capacity_kind) {
        Ok(kind) => format!("{number} ({})", kind.title()),
        Err(_) => number,
    }
}

fn row(window: RiskWindow, now: chrono::DateTime<Utc>) -> Result<RiskRow, PageError> {
    let span = readable(
        "scorer",
        foretide_api::span("risk_window.span", window.span),
    )?;
    Ok(RiskRow {
        start: span.start.into(),
        end: span.end.into(),
        use_case: format::words(&window.use_case),
        series: format::series(&window.series_id),
        probability: format::percent(window.probability),
        expected: format::number(window.expected),
        capacity: capacity(&window),
        trigger: format::words(&window.trigger),
        acts: window.acts,
        is_past: span.end <= now,
        drivers: drivers(&window.drivers),
        issued_at: format::moment(window.issued_at),
        forecast_id: window.forecast_id,
        series_id: window.series_id,
        run_id: window.run_id,
        raw_use_case: window.use_case,
        span,
    })
}
