//! Forecasts from the scorer and counts from the feature store, over gRPC.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::features::v1::{GetActualsRequest, SeriesHistory};
use foretide_api::scoring::v1::{
    self as scoring, Forecast, ForecastPoint, GetForecastRequest, ListForecastsRequest,
    ListJudgedWindowsRequest,
};
use foretide_api::{
    FieldError, moment, optional_moment, quantiles, series_id, span, span_message, timestamp,
    uuid_field,
};
use foretide_domain::{ForecastId, SeriesId, TimeSpan, UseCaseId};
use foretide_service_runtime::Peers;
use tonic::Status;

use crate::error::AuditorError;
use crate::model::{ForecastHour, HourlyCounts, IssuedForecast, JudgedWindow};
use crate::sources::{Actuals, Forecasts, KnownCounts};

/// Forecasts asked for at a time: the most the scorer lists.
const PAGE: u32 = 1_000;
/// Longest horizon of a forecast, hours; the same bound as for use cases.
const LONGEST_HORIZON: u32 = 336;

/// The other services.
pub(crate) struct GrpcSources {
    peers: Peers,
}

impl GrpcSources {
    pub(crate) fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

fn failed(peer: &'static str) -> impl Fn(Status) -> AuditorError {
    move |status| AuditorError::Peer {
        peer,
        source: Box::new(status),
    }
}

fn unusable(peer: &'static str) -> impl Fn(FieldError) -> AuditorError {
    move |source| AuditorError::PeerAnswer { peer, source }
}

#[async_trait]
impl Forecasts for GrpcSources {
    async fn issued(
        &self,
        use_case: &UseCaseId,
        span: TimeSpan,
    ) -> Result<Vec<IssuedForecast>, AuditorError> {
        let mut all = Vec::new();
        let mut span = span;
        loop {
            let request = ListForecastsRequest {
                use_case: use_case.to_string(),
                issued: span_message(span),
                limit: PAGE,
            };
            let response = self.peers.scorer().list_forecasts(request).await;
            let page = response.map_err(failed("scorer"))?.into_inner().forecasts;
            let is_last = page.len() < PAGE as usize;
            let oldest = page.iter().map(|forecast| forecast.issued_at).next_back();
            let parsed: Result<Vec<_>, FieldError> = page.into_iter().map(issued).collect();
            all.extend(parsed.map_err(unusable("scorer"))?);
            // Newest first: the next page ends where this one does.
            match oldest {
                Some(oldest) if !is_last => {
                    span.end = moment("issued_at", oldest).map_err(unusable("scorer"))?;
                }
                _ => return Ok(all),
            }
        }
    }

    async fn hours(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
        series: &SeriesId,
    ) -> Result<Vec<ForecastHour>, AuditorError> {
        let request = GetForecastRequest {
            use_case: use_case.to_string(),
            series_id: series.to_string(),
            forecast_id: forecast.to_string(),
            issued_before: None,
        };
        let response = self.peers.scorer().get_forecast(request).await;
        let points = response
            .map_err(failed("scorer"))?
            .into_inner()
            .series
            .map(|series| series.points)
            .unwrap_or_default();
        let parsed: Result<Vec<_>, FieldError> = points.iter().map(hour).collect();
        parsed.map_err(unusable("scorer"))
    }

    async fn judged(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
    ) -> Result<Vec<JudgedWindow>, AuditorError> {
        let request = ListJudgedWindowsRequest {
            use_case: use_case.to_string(),
            forecast_id: forecast.to_string(),
        };
        let response = self.peers.scorer().list_judged_windows(request).await;
        let windows = response.map_err(failed("scorer"))?.into_inner().windows;
        let parsed: Result<Vec<_>, FieldError> = windows.iter().map(judged).collect();
        parsed.map_err(unusable("scorer"))
    }
}

fn judged(window: &scoring::JudgedWindow) -> Result<JudgedWindow, FieldError> {
    let number = |field, value: f64| {
        let is_number = value.is_finite() && value >= 0.0;
        is_number
            .then_some(value)
            .ok_or_else(|| FieldError::new(field, "must be a number of 0 or more"))
    };
    Ok(JudgedWindow {
        span: span("span", window.span)?,
        probability: number("probability", window.probability)?.min(1.0),
        capacity: number("capacity", window.capacity)?,
        is_raised: window.raised,
        baseline_raised: window.baseline_raised,
    })
}

fn issued(forecast: Forecast) -> Result<IssuedForecast, FieldError> {
    let start = moment("start", forecast.start)?;
    let issued_at = moment("issued_at", forecast.issued_at)?;
    if !(1..=LONGEST_HORIZON).contains(&forecast.horizon_hours) {
        return Err(FieldError::new("horizon_hours", "must be from 1 to 336"));
    }
    let horizon = TimeDelta::hours(i64::from(forecast.horizon_hours));
    let series: Result<Vec<_>, _> = forecast
        .series_ids
        .iter()
        .map(|id| series_id("series_ids", id))
        .collect();
    Ok(IssuedForecast {
        id: uuid_field("forecast_id", &forecast.forecast_id)?,
        issued_at,
        span: TimeSpan {
            start,
            end: start + horizon,
        },
        model_name: forecast.model_name,
        model_version: forecast.model_version,
        series: series?,
    })
}

fn hour(point: &ForecastPoint) -> Result<ForecastHour, FieldError> {
    Ok(ForecastHour {
        time: moment("time", point.time)?,
        quantiles: quantiles("quantiles", point.quantiles)?,
    })
}

#[async_trait]
impl Actuals for GrpcSources {
    async fn counts(
        &self,
        use_case: &UseCaseId,
        series: &[SeriesId],
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Result<KnownCounts, AuditorError> {
        let request = GetActualsRequest {
            use_case: use_case.to_string(),
            series_ids: series.iter().map(ToString::to_string).collect(),
            span: span_message(span),
            known_at: timestamp(known_at),
        };
        let response = self.peers.feature_store().get_actuals(request).await;
        let response = response.map_err(failed("feature-store"))?.into_inner();
        let parsed: Result<_, FieldError> = response.series.into_iter().map(counts).collect();
        Ok(KnownCounts {
            series: parsed.map_err(unusable("feature-store"))?,
            settled_until: optional_moment("settled_until", response.settled_until)
                .map_err(unusable("feature-store"))?,
        })
    }
}

fn counts(history: SeriesHistory) -> Result<(SeriesId, HourlyCounts), FieldError> {
    if history.values.iter().any(|value| !value.is_finite()) {
        return Err(FieldError::new("values", "must be numbers"));
    }
    let counts = HourlyCounts {
        start: moment("start", history.start)?,
        values: history.values,
    };
    Ok((series_id("series_id", &history.series_id)?, counts))
}
