//! The start page: the next risk, and a forecast against what happened.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use foretide_api::features::v1::{GetActualsRequest, GetActualsResponse};
use foretide_api::governance::v1::{ListPhasesRequest, PhaseState};
use foretide_api::scoring::v1::{
    Forecast, ForecastPoint, GetForecastRequest, GetForecastResponse, ListForecastsRequest,
};
use foretide_api::{Timestamp, quantiles, types::v1 as types};
use foretide_domain::{Quantiles, TimeSpan, UseCase};
use http::StatusCode;
use serde::Deserialize;

use crate::calls::{Answer, readable, request, required};
use crate::chart::{ActualHour, Chart, ForecastHour};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::pages::risk::{self, RiskRow};
use crate::session::Session;

const FORECASTS_OFFERED: u32 = 60;

#[derive(Deserialize)]
pub(crate) struct OverviewQuery {
    #[serde(default)]
    use_case: String,
    #[serde(default)]
    series: String,
    #[serde(default)]
    forecast: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    next_risk: Option<RiskRow>,
    phases: Vec<PhaseRow>,
    use_cases: Vec<Choice>,
    use_case: String,
    forecast: Option<ForecastView>,
}

struct PhaseRow {
    use_case: String,
    phase: &'static str,
}

/// Something that can be picked.
struct Choice {
    value: String,
    label: String,
    current: bool,
}

struct ForecastView {
    id: String,
    run_id: String,
    series_id: String,
    series_label: String,
    series: Vec<SeriesGroup>,
    issues: Vec<Choice>,
    issued_at: Option<Moment>,
    model: String,
    model_kind: String,
    note: String,
    validity: String,
    completeness: String,
    horizon_hours: u32,
    chart: Option<Chart>,
    peak: Option<HourRow>,
    hours: Vec<HourRow>,
}

struct SeriesGroup {
    name: &'static str,
    choices: Vec<Choice>,
}

#[derive(Clone)]
struct HourRow {
    time: Moment,
    median: String,
    interval_80: String,
    interval_95: String,
    actual: String,
    provisional: bool,
    drivers: String,
}

pub(crate) async fn show(
    session: Session,
    Query(query): Query<OverviewQuery>,
) -> Result<Response, PageError> {
    let use_case = chosen_use_case(&session, &query.use_case)?;
    let (next_risk, phases, forecast) = tokio::try_join!(
        risk::next(&session),
        phases(&session),
        forecast_view(&session, &use_case, &query),
    )?;
    let page = OverviewPage {
        frame: Frame::new("Overview", Section::Overview, &session),
        next_risk,
        phases,
        use_cases: use_case_choices(&session, &use_case),
        use_case: use_case.id.to_string(),
        forecast,
    };
    Ok(page::render(StatusCode::OK, &page))
}

fn chosen_use_case(session: &Session, wanted: &str) -> Result<UseCase, PageError> {
    let use_cases = &session.console.use_cases;
    let found = if wanted.is_empty() {
        use_cases.first()
    } else {
        use_cases
            .iter()
            .find(|use_case| use_case.id.as_str() == wanted)
    };
    found
        .cloned()
        .ok_or_else(|| PageError::Address(format!("there is no use case {wanted:?}")))
}

fn use_case_choices(session: &Session, current: &UseCase) -> Vec<Choice> {
    let use_cases = session.console.use_cases.iter();
    use_cases
        .map(|use_case| Choice {
            value: use_case.id.to_string(),
            label: format::words(use_case.id.as_str()),
            current: use_case.id == current.id,
        })
        .collect()
}

async fn phases(session: &Session) -> Result<Vec<PhaseRow>, PageError> {
    let answer = session
        .peers
        .auditor()
        .list_phases(request(ListPhasesRequest {}))
        .await;
    let states = answer.of("auditor")?.states;
    Ok(states.iter().map(phase_row).collect())
}

fn phase_row(state: &PhaseState) -> PhaseRow {
    let phase = foretide_api::phase("phase", state.phase).map_or("unknown", |phase| phase.name());
    PhaseRow {
        use_case: format::words(&state.use_case),
        phase,
    }
}

async fn forecast_view(
    session: &Session,
    use_case: &UseCase,
    query: &OverviewQuery,
) -> Result<Option<ForecastView>, PageError> {
    let series_id = if query.series.is_empty() {
        format!("{}/total", use_case.id)
    } else {
        query.series.clone()
    };
    let mut scorer = session.peers.scorer();
    let asked = GetForecastRequest {
        use_case: use_case.id.to_string(),
        series_id: series_id.clone(),
        forecast_id: query.forecast.clone(),
        issued_before: None,
    };
    let found = scorer
        .get_forecast(request(asked))
        .await
        .found_by("scorer")?;
    let Some(GetForecastResponse { forecast, series }) = found else {
        let explicitly_asked = !query.series.is_empty() || !query.forecast.is_empty();
        return if explicitly_asked {
            Err(PageError::NotFound)
        } else {
            Ok(None)
        };
    };
    let forecast = required("scorer", "forecast", forecast)?;
    let series = required("scorer", "series", series)?;
    let points = parse_points(&series.points)?;
    let (actuals, issues) = tokio::try_join!(
        actuals(session, use_case, &series_id, &points),
        issues(session, use_case, &forecast),
    )?;
    let forecast_hours: Vec<ForecastHour> = points
        .iter()
        .map(|(time, quantiles)| ForecastHour {
            time: *time,
            quantiles: *quantiles,
        })
        .collect();
    let hours = hour_rows(&forecast_hours, &series.points, &actuals);
    Ok(Some(ForecastView {
        series: series_groups(&forecast, &series_id),
        series_label: format::series(&series_id),
        series_id,
        issues,
        issued_at: format::moment(forecast.issued_at),
        model: format!("{} v{}", forecast.model_name, forecast.model_version),
        model_kind: format::words(&series.model_kind),
        note: series.note,
        validity: forecast.validity,
        completeness: format::percent(forecast.completeness),
        horizon_hours: forecast.horizon_hours,
        chart: Chart::of(&forecast_hours, &actuals),
        peak: peak(&forecast_hours, &hours),
        hours,
        id: forecast.forecast_id,
        run_id: forecast.run_id,
    }))
}

fn parse_points(points: &[ForecastPoint]) -> Result<Vec<(DateTime<Utc>, Quantiles)>, PageError> {
    let parse = |point: &ForecastPoint| {
        let time = foretide_api::moment("points.time", point.time)?;
        Ok((time, quantiles("points.quantiles", point.quantiles)?))
    };
    readable("scorer", points.iter().map(parse).collect())
}

/// The hours before and during the forecast, as they are known now.
async fn actuals(
    session: &Session,
    use_case: &UseCase,
    series_id: &str,
    points: &[(DateTime<Utc>, Quantiles)],
) -> Result<Vec<ActualHour>, PageError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Ok(Vec::new());
    };
    let before = Duration::hours(session.console.config.chart_history_hours.into());
    let now = session.console.clock.now();
    let end = (last.0 + Duration::hours(1)).min(now);
    let Some(span) = TimeSpan::new(first.0 - before, end) else {
        return Ok(Vec::new());
    };
    let asked = GetActualsRequest {
        use_case: use_case.id.to_string(),
        series_ids: vec![series_id.to_owned()],
        span: foretide_api::span_message(span),
        known_at: foretide_api::timestamp(now),
    };
    let answer = session
        .peers
        .feature_store()
        .get_actuals(request(asked))
        .await;
    let found = answer.found_by("feature store")?;
    found.map_or(Ok(Vec::new()), |found| {
        actual_hours(&found, series_id, span)
    })
}

fn actual_hours(
    answer: &GetActualsResponse,
    series_id: &str,
    span: TimeSpan,
) -> Result<Vec<ActualHour>, PageError> {
    let Some(history) = answer
        .series
        .iter()
        .find(|history| history.series_id == series_id)
    else {
        return Ok(Vec::new());
    };
    const SERVICE: &str = "feature store";
    let start = readable(SERVICE, foretide_api::moment("series.start", history.start))?;
    let settled = readable(
        SERVICE,
        foretide_api::optional_moment("settled_until", answer.settled_until),
    )?;
    let hours = history.values.iter().zip(0_i64..).map(|(value, index)| {
        let time = start + Duration::hours(index);
        ActualHour {
            time,
            value: value.max(0.0),
            provisional: settled.is_some_and(|settled| time > settled),
        }
    });
    Ok(hours
        .filter(|hour| hour.value.is_finite() && span.contains(hour.time))
        .collect())
}

/// The newest forecasts of the use case, and the one shown.
async fn issues(
    session: &Session,
    use_case: &UseCase,
    shown: &Forecast,
) -> Result<Vec<Choice>, PageError> {
    let asked = ListForecastsRequest {
        use_case: use_case.id.to_string(),
        issued: None,
        limit: FORECASTS_OFFERED,
    };
    let mut forecasts = session
        .peers
        .scorer()
        .list_forecasts(request(asked))
        .await
        .of("scorer")?
        .forecasts;
    if !forecasts
        .iter()
        .any(|forecast| forecast.forecast_id == shown.forecast_id)
    {
        forecasts.push(shown.clone());
    }
    forecasts.sort_by_key(|forecast| {
        std::cmp::Reverse(forecast.issued_at.and_then(Timestamp::to_moment))
    });
    let choice = |forecast: &Forecast| Choice {
        value: forecast.forecast_id.clone(),
        label: format::moment(forecast.issued_at)
            .map_or_else(|| "unknown".to_owned(), |at| at.human),
        current: forecast.forecast_id == shown.forecast_id,
    };
    Ok(forecasts.iter().map(choice).collect())
}

/// The series of a forecast, by what they are broken down by.
fn series_groups(forecast: &Forecast, current: &str) -> Vec<SeriesGroup> {
    let mut groups: Vec<SeriesGroup> = Vec::new();
    for id in &forecast.series_ids {
        let name = match id.parse::<foretide_domain::SeriesId>() {
            Ok(series) if series.is_total() => "Total",
            Ok(series) if series.dimensions().len() > 1 => "By several",
            Ok(series) => match series.dimensions().keys().next() {
                Some(foretide_domain::Dimension::Severity) => "By severity",
                Some(foretide_domain::Dimension::Product) => "By product",
                _ => "By tactic",
            },
            Err(_) => "Other",
        };
        let choice = Choice {
            value: id.clone(),
            label: format::series(id),
            current: id == current,
        };
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.choices.push(choice),
            None => groups.push(SeriesGroup {
                name,
                choices: vec![choice],
            }),
        }
    }
    groups
}

fn hour_rows(
    forecast: &[ForecastHour],
    points: &[ForecastPoint],
    actuals: &[ActualHour],
) -> Vec<HourRow> {
    let rows = forecast.iter().zip(points).map(|(hour, point)| {
        let actual = actuals.iter().find(|actual| actual.time == hour.time);
        HourRow {
            time: hour.time.into(),
            median: format::number(hour.quantiles.median()),
            interval_80: interval(hour.quantiles.interval_80()),
            interval_95: interval(hour.quantiles.interval_95()),
            actual: actual
                .map(|actual| format::number(actual.value))
                .unwrap_or_default(),
            provisional: actual.is_some_and(|actual| actual.provisional),
            drivers: drivers(&point.drivers),
        }
    });
    rows.collect()
}

fn peak(forecast: &[ForecastHour], rows: &[HourRow]) -> Option<HourRow> {
    let by_median = |(_, a): &(usize, &ForecastHour), (_, b): &(usize, &ForecastHour)| {
        a.quantiles.median().total_cmp(&b.quantiles.median())
    };
    let (index, _) = forecast.iter().enumerate().max_by(by_median)?;
    rows.get(index).cloned()
}

fn interval((low, high): (f64, f64)) -> String {
    format!("{} to {}", format::number(low), format::number(high))
}

/// The strongest drivers, in words.
pub(crate) fn drivers(drivers: &[types::Driver]) -> String {
    const SHOWN: usize = 3;
    let mut strongest: Vec<&types::Driver> = drivers.iter().collect();
    strongest.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let texts = strongest.iter().take(SHOWN).map(|driver| {
        format!(
            "{} {}",
            format::words(&driver.name),
            format::signed(driver.contribution)
        )
    });
    texts.collect::<Vec<_>>().join(", ")
}
