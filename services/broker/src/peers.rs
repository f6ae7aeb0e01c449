//! The scorer and the auditor, over gRPC.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::governance::v1::GetPhaseRequest;
use foretide_api::scoring::v1 as scoring;
use foretide_api::{
    FieldError, capacity_kind, moment, phase, series_id, span, span_message, uuid_field,
};
use foretide_domain::{ForecastId, TimeSpan, UseCaseId};
use foretide_service_runtime::Peers;
use tonic::Status;

use crate::error::BrokerError;
use crate::model::{Driver, IssuedForecast, PhaseState, RiskWindow};
use crate::sources::{Forecasts, Phases};

const MOST_FORECASTS: u32 = 1_000;
const MOST_WINDOWS: u32 = 1_000;
/// How far from the run's moment its forecast can have been issued.
const AROUND: TimeDelta = TimeDelta::days(2);

/// The other services.
pub(crate) struct GrpcPeers {
    peers: Peers,
}

impl GrpcPeers {
    pub(crate) fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

fn failed(peer: &'static str) -> impl Fn(Status) -> BrokerError {
    move |status| BrokerError::Peer {
        peer,
        source: Box::new(status),
    }
}

fn unusable(peer: &'static str) -> impl Fn(FieldError) -> BrokerError {
    move |source| BrokerError::PeerAnswer { peer, source }
}

#[async_trait]
impl Forecasts for GrpcPeers {
    async fn issued_around(
        &self,
        use_case: &UseCaseId,
        moment: DateTime<Utc>,
    ) -> Result<Vec<IssuedForecast>, BrokerError> {
        let request = scoring::ListForecastsRequest {
            use_case: use_case.to_string(),
            issued: span_message(TimeSpan {
                start: moment - AROUND,
                end: moment + AROUND,
            }),
            limit: MOST_FORECASTS,
        };
        let response = self.peers.scorer().list_forecasts(request).await;
        let forecasts = response.map_err(failed("scorer"))?.into_inner().forecasts;
        let parsed: Result<Vec<_>, FieldError> = forecasts.iter().map(issued).collect();
        let mut forecasts = parsed.map_err(unusable("scorer"))?;
        forecasts.sort_by_key(|forecast| std::cmp::Reverse(forecast.issued_at));
        Ok(forecasts)
    }

    async fn risk_windows(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
    ) -> Result<Vec<RiskWindow>, BrokerError> {
        let request = scoring::ListRiskWindowsRequest {
            use_case: use_case.to_string(),
            forecast_id: forecast.to_string(),
            span: None,
            limit: MOST_WINDOWS,
        };
        let response = self.peers.scorer().list_risk_windows(request).await;
        let windows = response
            .map_err(failed("scorer"))?
            .into_inner()
            .risk_windows;
        let parsed: Result<Vec<_>, FieldError> = windows.into_iter().map(risk_window).collect();
        parsed.map_err(unusable("scorer"))
    }
}

fn issued(forecast: &scoring::Forecast) -> Result<IssuedForecast, FieldError> {
    let validity =
        forecast
            .validity
            .parse()
            .map_err(|error: foretide_policy::UnknownValidity| {
                FieldError::new("validity", error.to_string())
            })?;
    Ok(IssuedForecast {
        id: uuid_field("forecast_id", &forecast.forecast_id)?,
        run_id: uuid_field("run_id", &forecast.run_id)?,
        issued_at: moment("issued_at", forecast.issued_at)?,
        validity,
        model: format!("{} version {}", forecast.model_name, forecast.model_version),
    })
}

fn risk_window(window: scoring::RiskWindow) -> Result<RiskWindow, FieldError> {
    let number = |field, value: f64| {
        let usable = value.is_finite() && value >= 0.0;
        usable
            .then_some(value)
            .ok_or_else(|| FieldError::new(field, "must be a number of 0 or more"))
    };
    let driver = |driver: foretide_api::types::v1::Driver| {
        if !driver.contribution.is_finite() {
            return Err(FieldError::new("drivers", "must be numbers"));
        }
        Ok(Driver {
            name: driver.name,
            contribution: driver.contribution,
        })
    };
    let drivers: Result<Vec<_>, _> = window.drivers.into_iter().map(driver).collect();
    Ok(RiskWindow {
        id: uuid_field("risk_window_id", &window.risk_window_id)?,
        scope: series_id("series_id", &window.series_id)?.to_string(),
        span: span("span", window.span)?,
        probability: number("probability", window.probability)?.min(1.0),
        expected: number("expected", window.expected)?,
        capacity: number("capacity", window.capacity)?,
        capacity_kind: capacity_kind("capacity_kind", window.capacity_kind)?,
        trigger: window.trigger,
        acts: window.acts,
        drivers: drivers?,
    })
}

#[async_trait]
impl Phases for GrpcPeers {
    async fn phase(&self, use_case: &UseCaseId) -> Result<PhaseState, BrokerError> {
        let request = GetPhaseRequest {
            use_case: use_case.to_string(),
        };
        let response = self.peers.auditor().get_phase(request).await;
        let state = response.map_err(failed("auditor"))?.into_inner().state;
        let parsed = || -> Result<_, FieldError> {
            let state = state.ok_or_else(|| FieldError::new("state", "is missing"))?;
            Ok(PhaseState {
                phase: phase("phase", state.phase)?,
                since: moment("since", state.since)?,
            })
        };
        parsed().map_err(unusable("auditor"))
    }
}
