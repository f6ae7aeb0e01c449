//! Fakes of trainer, feature store and auditor, and of the workspace's ingestion endpoint.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response as HttpResponse};
use foretide_api::actions::v1 as actions;
use foretide_api::actions::v1::actions_service_server::ActionsService;
use foretide_api::features::v1 as features;
use foretide_api::features::v1::feature_store_service_server::FeatureStoreService;
use foretide_api::governance::v1 as governance;
use foretide_api::governance::v1::governance_service_server::GovernanceService;
use foretide_api::training::v1 as training;
use foretide_api::training::v1::training_service_server::TrainingService;
use foretide_domain::Phase;
use serde_json::{Value, json};
use tonic::{Request, Response, Status};
use url::Url;

type Stream<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

fn not_needed<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not needed here"))
}

/// A trainer that names the champion it was given.
#[derive(Clone, Default)]
pub(crate) struct FakeTrainer {
    pub(crate) champion: Arc<Mutex<Option<training::ModelVersion>>>,
}

#[tonic::async_trait]
impl TrainingService for FakeTrainer {
    type TrainStream = Stream<training::TrainResponse>;

    async fn get_champion(
        &self,
        _request: Request<training::GetChampionRequest>,
    ) -> Result<Response<training::GetChampionResponse>, Status> {
        let champion = self.champion.lock().unwrap().clone();
        let model_version = champion.ok_or_else(|| Status::not_found("train it first"))?;
        Ok(Response::new(training::GetChampionResponse {
            model_version: Some(model_version),
        }))
    }

    async fn train(
        &self,
        _request: Request<training::TrainRequest>,
    ) -> Result<Response<Self::TrainStream>, Status> {
        not_needed()
    }

    async fn get_model_version(
        &self,
        request: Request<training::GetModelVersionRequest>,
    ) -> Result<Response<training::GetModelVersionResponse>, Status> {
        let training::GetModelVersionRequest { name, version } = request.into_inner();
        let champion = self.champion.lock().unwrap().clone();
        let known = champion.filter(|one| one.name == name && one.version == version);
        let known = known.ok_or_else(|| Status::not_found("no such version"))?;
        Ok(Response::new(training::GetModelVersionResponse {
            model_version: Some(known),
        }))
    }

    async fn list_model_versions(
        &self,
        _request: Request<training::ListModelVersionsRequest>,
    ) -> Result<Response<training::ListModelVersionsResponse>, Status> {
        not_needed()
    }

    async fn get_ledger_status(
        &self,
        _request: Request<training::GetLedgerStatusRequest>,
    ) -> Result<Response<training::GetLedgerStatusResponse>, Status> {
        not_needed()
    }
}

/// Makes a frame of a query.
pub(crate) type Answer = Box<
    dyn Fn(&features::GetScoringFrameRequest) -> Result<features::GetScoringFrameResponse, Status>
        + Send
        + Sync,
>;

/// A feature store that answers as it was told, and keeps what it was asked.
#[derive(Clone, Default)]
pub(crate) struct FakeFeatureStore {
    pub(crate) answer: Arc<Mutex<Option<Answer>>>,
    pub(crate) asked: Arc<Mutex<Vec<features::GetScoringFrameRequest>>>,
}

#[tonic::async_trait]
impl FeatureStoreService for FakeFeatureStore {
    type MaterializeStream = Stream<features::MaterializeResponse>;

    async fn get_scoring_frame(
        &self,
        request: Request<features::GetScoringFrameRequest>,
    ) -> Result<Response<features::GetScoringFrameResponse>, Status> {
        let request = request.into_inner();
        self.asked.lock().unwrap().push(request.clone());
        let answer = self.answer.lock().unwrap();
        let answer = answer
            .as_ref()
            .ok_or_else(|| Status::unavailable("not up yet"))?;
        answer(&request).map(Response::new)
    }

    async fn materialize(
        &self,
        _request: Request<features::MaterializeRequest>,
    ) -> Result<Response<Self::MaterializeStream>, Status> {
        not_needed()
    }

    async fn build_training_set(
        &self,
        _request: Request<features::BuildTrainingSetRequest>,
    ) -> Result<Response<features::BuildTrainingSetResponse>, Status> {
        not_needed()
    }

    async fn get_actuals(
        &self,
        _request: Request<features::GetActualsRequest>,
    ) -> Result<Response<features::GetActualsResponse>, Status> {
        not_needed()
    }

    async fn get_online_values(
        &self,
        _request: Request<features::GetOnlineValuesRequest>,
    ) -> Result<Response<features::GetOnlineValuesResponse>, Status> {
        not_needed()
    }

    async fn list_feature_views(
        &self,
        _request: Request<features::ListFeatureViewsRequest>,
    ) -> Result<Response<features::ListFeatureViewsResponse>, Status> {
        not_needed()
    }
}

/// An auditor that keeps events by id, and can be told to fail.
#[derive(Clone, Default)]
pub(crate) struct FakeAuditor {
    pub(crate) events: Arc<Mutex<BTreeMap<String, governance::AppendAuditRequest>>>,
    pub(crate) is_down: Arc<Mutex<bool>>,
    /// Events of this run are refused for good.
    pub(crate) refuses: Arc<Mutex<Option<String>>>,
    /// The phase of every use case; shadow until told otherwise.
    pub(crate) phase: Arc<Mutex<Option<Phase>>>,
    /// How often it was asked for.
    pub(crate) phases_asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl GovernanceService for FakeAuditor {
    type EvaluateStream = Stream<governance::EvaluateResponse>;

    async fn append_audit(
        &self,
        request: Request<governance::AppendAuditRequest>,
    ) -> Result<Response<governance::AppendAuditResponse>, Status> {
        if *self.is_down.lock().unwrap() {
            return Err(Status::unavailable("as told"));
        }
        let event = request.into_inner();
        if *self.refuses.lock().unwrap() == Some(event.run_id.clone()) {
            return Err(Status::invalid_argument("as told"));
        }
        self.events
            .lock()
            .unwrap()
            .insert(event.event_id.clone(), event);
        Ok(Response::new(governance::AppendAuditResponse {
            record: None,
        }))
    }

    async fn evaluate(
        &self,
        _request: Request<governance::EvaluateRequest>,
    ) -> Result<Response<Self::EvaluateStream>, Status> {
        not_needed()
    }

    async fn list_evaluations(
        &self,
        _request: Request<governance::ListEvaluationsRequest>,
    ) -> Result<Response<governance::ListEvaluationsResponse>, Status> {
        not_needed()
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
        self.phases_asked.fetch_add(1, Ordering::SeqCst);
        if *self.is_down.lock().unwrap() {
            return Err(Status::unavailable("as told"));
        }
        let phase = self.phase.lock().unwrap().unwrap_or(Phase::Shadow);
        let state = governance::PhaseState {
            use_case: request.into_inner().use_case,
            phase: foretide_api::phase_message(phase),
            ..governance::PhaseState::default()
        };
        Ok(Response::new(governance::GetPhaseResponse {
            state: Some(state),
        }))
    }

    async fn set_phase(
        &self,
        _request: Request<governance::SetPhaseRequest>,
    ) -> Result<Response<governance::SetPhaseResponse>, Status> {
        not_needed()
    }

    async fn list_phases(
        &self,
        _request: Request<governance::ListPhasesRequest>,
    ) -> Result<Response<governance::ListPhasesResponse>, Status> {
        not_needed()
    }

    async fn list_audit(
        &self,
        _request: Request<governance::ListAuditRequest>,
    ) -> Result<Response<governance::ListAuditResponse>, Status> {
        not_needed()
    }

    async fn verify_audit(
        &self,
        _request: Request<governance::VerifyAuditRequest>,
    ) -> Result<Response<governance::VerifyAuditResponse>, Status> {
        not_needed()
    }

    async fn get_checkpoint(
        &self,
        _: Request<governance::GetCheckpointRequest>,
    ) -> Result<Response<governance::GetCheckpointResponse>, Status> {
        not_needed()
    }

    async fn get_consistency_proof(
        &self,
        _: Request<governance::GetConsistencyProofRequest>,
    ) -> Result<Response<governance::GetConsistencyProofResponse>, Status> {
        not_needed()
    }

    async fn get_inclusion_proof(
        &self,
        _: Request<governance::GetInclusionProofRequest>,
    ) -> Result<Response<governance::GetInclusionProofResponse>, Status> {
        not_needed()
    }
}

/// A broker that knows whether the kill switch is engaged.
#[derive(Clone, Default)]
pub(crate) struct FakeBroker {
    pub(crate) is_halted: Arc<Mutex<bool>>,
    /// How often it was asked.
    pub(crate) asked: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl ActionsService for FakeBroker {
    type ProposeFromForecastStream = Stream<actions::ProposeFromForecastResponse>;

    async fn get_kill_switch(
        &self,
        _request: Request<actions::GetKillSwitchRequest>,
    ) -> Result<Response<actions::GetKillSwitchResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(actions::GetKillSwitchResponse {
            kill_switch: Some(actions::KillSwitch {
                engaged: *self.is_halted.lock().unwrap(),
                ..actions::KillSwitch::default()
            }),
        }))
    }

    async fn propose_from_forecast(
        &self,
        _request: Request<actions::ProposeFromForecastRequest>,
    ) -> Result<Response<Self::ProposeFromForecastStream>, Status> {
        not_needed()
    }

    async fn create_proposal(
        &self,
        _request: Request<actions::CreateProposalRequest>,
    ) -> Result<Response<actions::CreateProposalResponse>, Status> {
        not_needed()
    }

    async fn list_proposals(
        &self,
        _request: Request<actions::ListProposalsRequest>,
    ) -> Result<Response<actions::ListProposalsResponse>, Status> {
        not_needed()
    }

    async fn get_proposal(
        &self,
        _request: Request<actions::GetProposalRequest>,
    ) -> Result<Response<actions::GetProposalResponse>, Status> {
        not_needed()
    }

    async fn approve_proposal(
        &self,
        _request: Request<actions::ApproveProposalRequest>,
    ) -> Result<Response<actions::ApproveProposalResponse>, Status> {
        not_needed()
    }

    async fn reject_proposal(
        &self,
        _request: Request<actions::RejectProposalRequest>,
    ) -> Result<Response<actions::RejectProposalResponse>, Status> {
        not_needed()
    }

    async fn set_kill_switch(
        &self,
        _request: Request<actions::SetKillSwitchRequest>,
    ) -> Result<Response<actions::SetKillSwitchResponse>, Status> {
        not_needed()
    }
}

/// Token endpoint and ingestion endpoint in one: takes rows, or answers with a status.
#[derive(Clone, Default)]
pub(crate) struct FakeWorkspace {
    rows: Arc<Mutex<Vec<Value>>>,
    windows: Arc<Mutex<Vec<Value>>>,
    status: Arc<Mutex<Option<u16>>>,
    /// Rows of this run are answered with 400.
    poison: Arc<Mutex<Option<String>>>,
}

impl FakeWorkspace {
    pub(crate) async fn start() -> (Self, Url) {
        let workspace = Self::default();
        let app = axum::Router::new()
            .fallback(Self::answer)
            .with_state(workspace.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (workspace, url)
    }

    /// Answers uploads with this status instead of taking them, until told otherwise.
    pub(crate) fn refuses_with(&self, status: Option<u16>) {
        *self.status.lock().unwrap() = status;
    }

    /// Has a request that contains rows of this run refused for good, until told otherwise.
    pub(crate) fn refuses_rows_of(&self, run_id: Option<String>) {
        *self.poison.lock().unwrap() = run_id;
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        self.rows.lock().unwrap().clone()
    }

    /// Rows of `Predicted_Attack_Surge_CL`.
    pub(crate) fn windows(&self) -> Vec<Value> {
        self.windows.lock().unwrap().clone()
    }

    async fn answer(State(workspace): State<Self>, uri: Uri, body: Bytes) -> HttpResponse {
        if uri.path().ends_with("/oauth2/v2.0/token") {
            return axum::Json(json!({"access_token": "t", "expires_in": 3_599})).into_response();
        }
        let table = match uri.path().rsplit('/').next() {
            Some("Custom-PredictiveAlerting_CL") => &workspace.rows,
            Some("Custom-Predicted_Attack_Surge_CL") => &workspace.windows,
            _ => panic!("an unknown stream: {uri}"),
        };
        if let Some(status) = *workspace.status.lock().unwrap() {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_end(&mut text)
            .unwrap();
        let rows: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let poison = workspace.poison.lock().unwrap().clone();
        if poison.is_some_and(|run_id| rows.iter().any(|row| row["RunId"] == run_id)) {
            return StatusCode::BAD_REQUEST.into_response();
        }
        table.lock().unwrap().extend(rows);
        StatusCode::NO_CONTENT.into_response()
    }
}
