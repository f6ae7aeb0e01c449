//! A scorer and an auditor that say what they are told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::governance::v1 as governance;
use foretide_api::governance::v1::governance_service_server::{
    GovernanceService, GovernanceServiceServer,
};
use foretide_api::scoring::v1 as scoring;
use foretide_api::scoring::v1::scoring_service_server::{ScoringService, ScoringServiceServer};
use foretide_api::types::v1 as types;
use foretide_api::{moment, span, timestamp};
use foretide_domain::{ForecastId, RiskWindowId, RunId};
use foretide_service_runtime::testing::TestServer;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
}

struct State {
    phase: types::Phase,
    forecasts: Vec<scoring::Forecast>,
    windows: Vec<scoring::RiskWindow>,
    /// By event id, in the order in which they came.
    audit: Vec<governance::AppendAuditRequest>,
    auditor_is_down: bool,
}

impl Default for World {
    fn default() -> Self {
        let state = State {
            phase: types::Phase::Assisted,
            forecasts: vec![],
            windows: vec![],
            audit: vec![],
            auditor_is_down: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }
}

pub(crate) struct Fakes {
    pub(crate) scorer: TestServer,
    pub(crate) auditor: TestServer,
}

impl Fakes {
    pub(crate) fn addresses(&self) -> [(&'static str, SocketAddr); 2] {
        [
            ("scorer", self.scorer.address),
            ("auditor", self.auditor.address),
        ]
    }
}

impl World {
    pub(crate) async fn serve(&self) -> Fakes {
        let scorer = ScoringServiceServer::new(self.clone());
        let auditor = GovernanceServiceServer::new(self.clone());
        Fakes {
            scorer: TestServer::fake(Routes::new(scorer)).await,
            auditor: TestServer::fake(Routes::new(auditor)).await,
        }
    }

    pub(crate) fn phase(&self, phase: types::Phase) {
        self.state.lock().unwrap().phase = phase;
    }

    pub(crate) fn auditor_is_down(&self, down: bool) {
        self.state.lock().unwrap().auditor_is_down = down;
    }

    /// A run's forecast of `risk_period`, without risk windows.
    pub(crate) fn forecast(&self, issued_at: DateTime<Utc>, validity: &str) -> (RunId, ForecastId) {
        let (run_id, id) = (RunId::new(), ForecastId::new());
        let forecast = scoring::Forecast {
            forecast_id: id.to_string(),
            run_id: run_id.to_string(),
            use_case: "risk_period".to_owned(),
            issued_at: timestamp(issued_at),
            start: timestamp(issued_at),
            horizon_hours: 72,
            model_name: "panel".to_owned(),
            model_version: 3,
            completeness: 1.0,
            validity: validity.to_owned(),
            valid_until: timestamp(issued_at + TimeDelta::hours(24)),
            series_ids: vec!["risk_period/total".to_owned()],
        };
        self.state.lock().unwrap().forecasts.push(forecast);
        (run_id, id)
    }

    /// A risk window of eight hours.
    pub(crate) fn window(&self, forecast: ForecastId, start: DateTime<Utc>) {
        self.window_named(forecast, start, "weekday_conformal", true);
    }

    pub(crate) fn window_named(
        &self,
        forecast: ForecastId,
        start: DateTime<Utc>,
        trigger: &str,
        acts: bool,
    ) {
        let driver = |name: &str, contribution| types::Driver {
            name: name.to_owned(),
            contribution,
        };
        let window = scoring::RiskWindow {
            risk_window_id: RiskWindowId::new().to_string(),
            forecast_id: forecast.to_string(),
            run_id: String::new(),
            use_case: "risk_period".to_owned(),
            series_id: "risk_period/total".to_owned(),
            span: Some(types::TimeSpan {
                start: timestamp(start),
                end: timestamp(start + TimeDelta::hours(8)),
            }),
            probability: 0.73,
            expected: 64.0,
            capacity: 48.0,
            capacity_kind: types::CapacityKind::Declared.into(),
            trigger: trigger.to_owned(),
            acts,
            drivers: vec![driver("level", 30.0), driver("patch_tuesday", 34.0)],
            issued_at: timestamp(start - TimeDelta::hours(24)),
            validity: "valid".to_owned(),
        };
        self.state.lock().unwrap().windows.push(window);
    }

    /// What the audit chain was told.
    pub(crate) fn audit(&self) -> Vec<governance::AppendAuditRequest> {
        self.state.lock().unwrap().audit.clone()
    }

    pub(crate) fn audited_actions(&self) -> Vec<String> {
        self.audit().into_iter().map(|event| event.action).collect()
    }
}

type ScoreStream = ReceiverStream<Result<scoring::ScoreResponse, Status>>;

#[tonic::async_trait]
impl ScoringService for World {
    type ScoreStream = ScoreStream;

    async fn score(
        &self,
        _: Request<scoring::ScoreRequest>,
    ) -> Result<Response<ScoreStream>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_forecast(
        &self,
        _: Request<scoring::GetForecastRequest>,
    ) -> Result<Response<scoring::GetForecastResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn list_forecasts(
        &self,
        request: Request<scoring::ListForecastsRequest>,
    ) -> Result<Response<scoring::ListForecastsResponse>, Status> {
        let request = request.into_inner();
        assert!(request.limit <= 1_000, "the scorer lists at most 1000");
        let issued = span("issued", request.issued).unwrap();
        let state = self.state.lock().unwrap();
        let forecasts = state
            .forecasts
            .iter()
            .filter(|forecast| forecast.use_case == request.use_case)
            .filter(|forecast| issued.contains(moment("issued_at", forecast.issued_at).unwrap()))
            .cloned()
            .collect();
        Ok(Response::new(scoring::ListForecastsResponse { forecasts }))
    }

    async fn list_judged_windows(
        &self,
        _: Request<scoring::ListJudgedWindowsRequest>,
    ) -> Result<Response<scoring::ListJudgedWindowsResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn list_risk_windows(
        &self,
        request: Request<scoring::ListRiskWindowsRequest>,
    ) -> Result<Response<scoring::ListRiskWindowsResponse>, Status> {
        let request = request.into_inner();
        assert!(request.limit <= 1_000, "the scorer lists at most 1000");
        let state = self.state.lock().unwrap();
        let risk_windows = state
            .windows
            .iter()
            .filter(|window| window.forecast_id == request.forecast_id)
            .cloned()
            .collect();
        Ok(Response::new(scoring::ListRiskWindowsResponse {
            risk_windows,
        }))
    }
}

type EvaluateStream = ReceiverStream<Result<governance::EvaluateResponse, Status>>;

#[tonic::async_trait]
impl GovernanceService for World {
    type EvaluateStream = EvaluateStream;

    async fn evaluate(
        &self,
        _: Request<governance::EvaluateRequest>,
    ) -> Result<Response<EvaluateStream>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn list_evaluations(
        &self,
        _: Request<governance::ListEvaluationsRequest>,
    ) -> Result<Response<governance::ListEvaluationsResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_track_record(
        &self,
        _: Request<governance::GetTrackRecordRequest>,
    ) -> Result<Response<governance::GetTrackRecordResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_phase(
        &self,
        request: Request<governance::GetPhaseRequest>,
    ) -> Result<Response<governance::GetPhaseResponse>, Status> {
        let state = self.state.lock().unwrap();
        if state.auditor_is_down {
            return Err(Status::unavailable("the auditor is restarting"));
        }
        let state = governance::PhaseState {
            use_case: request.into_inner().use_case,
            phase: state.phase.into(),
            since: timestamp("2026-01-01T00:00:00Z".parse().unwrap()),
            changed_by: "configuration".to_owned(),
            reason: String::new(),
        };
        Ok(Response::new(governance::GetPhaseResponse {
            state: Some(state),
        }))
    }

    async fn set_phase(
        &self,
        _: Request<governance::SetPhaseRequest>,
    ) -> Result<Response<governance::SetPhaseResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn list_phases(
        &self,
        _: Request<governance::ListPhasesRequest>,
    ) -> Result<Response<governance::ListPhasesResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn append_audit(
        &self,
        request: Request<governance::AppendAuditRequest>,
    ) -> Result<Response<governance::AppendAuditResponse>, Status> {
        let event = request.into_inner();
        let mut state = self.state.lock().unwrap();
        if state.auditor_is_down {
            return Err(Status::unavailable("the auditor is restarting"));
        }
        if state
            .audit
            .iter()
            .all(|known| known.event_id != event.event_id)
        {
            state.audit.push(event.clone());
        }
        let by_id: BTreeMap<_, _> = state
            .audit
            .iter()
            .enumerate()
            .map(|(index, known)| (known.event_id.clone(), index as u64 + 1))
            .collect();
        let record = governance::AuditRecord {
            sequence: by_id[&event.event_id],
            ..governance::AuditRecord::default()
        };
        Ok(Response::new(governance::AppendAuditResponse {
            record: Some(record),
        }))
    }

    async fn list_audit(
        &self,
        _: Request<governance::ListAuditRequest>,
    ) -> Result<Response<governance::ListAuditResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn verify_audit(
        &self,
        _: Request<governance::VerifyAuditRequest>,
    ) -> Result<Response<governance::VerifyAuditResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_checkpoint(
        &self,
        _: Request<governance::GetCheckpointRequest>,
    ) -> Result<Response<governance::GetCheckpointResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_consistency_proof(
        &self,
        _: Request<governance::GetConsistencyProofRequest>,
    ) -> Result<Response<governance::GetConsistencyProofResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<governance::GetInclusionProofRequest>,
    ) -> Result<Response<governance::GetInclusionProofResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }
}
