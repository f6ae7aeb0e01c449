//! An auditor that remembers what it was told, or is away.

use std::sync::{Arc, Mutex};

use foretide_api::governance::v1 as governance;
use foretide_api::governance::v1::governance_service_server::{
    GovernanceService, GovernanceServiceServer,
};
use foretide_service_runtime::testing::TestServer;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Clones share what was told.
#[derive(Clone, Default)]
pub(crate) struct Auditor(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    told: Vec<governance::AppendAuditRequest>,
    is_away: bool,
}

impl Auditor {
    pub(crate) async fn serve(&self) -> TestServer {
        let routes = Routes::new(GovernanceServiceServer::new(self.clone()));
        TestServer::fake(routes).await
    }

    pub(crate) fn is_away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }

    /// Who did what to whom, and how it ended.
    pub(crate) fn records(&self) -> Vec<[String; 4]> {
        let state = self.0.lock().unwrap();
        let told = state.told.iter().map(|event| {
            let details: serde_json::Value = serde_json::from_str(&event.details_json).unwrap();
            let outcome = details["outcome"].as_str().unwrap_or_default().to_owned();
            [
                event.actor.clone(),
                event.action.clone(),
                event.subject.clone(),
                outcome,
            ]
        });
        told.collect()
    }

    /// The record of this number, as it was told.
    pub(crate) fn record(&self, sequence: u64) -> governance::AppendAuditRequest {
        let at = usize::try_from(sequence).unwrap() - 1;
        self.0.lock().unwrap().told[at].clone()
    }

    /// Everything it was told, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap().told)
    }
}

fn not_needed<T>() -> Result<T, Status> {
    Err(Status::unimplemented("not part of the story"))
}

type EvaluateStream = ReceiverStream<Result<governance::EvaluateResponse, Status>>;

#[tonic::async_trait]
impl GovernanceService for Auditor {
    type EvaluateStream = EvaluateStream;

    async fn append_audit(
        &self,
        request: Request<governance::AppendAuditRequest>,
    ) -> Result<Response<governance::AppendAuditResponse>, Status> {
        let event = request.into_inner();
        let mut state = self.0.lock().unwrap();
        if state.is_away {
            return Err(Status::unavailable("the auditor is restarting"));
        }
        let known = state
            .told
            .iter()
            .position(|known| known.event_id == event.event_id);
        let at = known.unwrap_or_else(|| {
            state.told.push(event);
            state.told.len() - 1
        });
        let record = governance::AuditRecord {
            sequence: at as u64 + 1,
            ..governance::AuditRecord::default()
        };
        Ok(Response::new(governance::AppendAuditResponse {
            record: Some(record),
        }))
    }

    async fn evaluate(
        &self,
        _: Request<governance::EvaluateRequest>,
    ) -> Result<Response<EvaluateStream>, Status> {
        not_needed()
    }

    async fn list_evaluations(
        &self,
        _: Request<governance::ListEvaluationsRequest>,
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
        _: Request<governance::GetPhaseRequest>,
    ) -> Result<Response<governance::GetPhaseResponse>, Status> {
        not_needed()
    }

    async fn set_phase(
        &self,
        _: Request<governance::SetPhaseRequest>,
    ) -> Result<Response<governance::SetPhaseResponse>, Status> {
        not_needed()
    }

    async fn list_phases(
        &self,
        _: Request<governance::ListPhasesRequest>,
    ) -> Result<Response<governance::ListPhasesResponse>, Status> {
        not_needed()
    }

    async fn list_audit(
        &self,
        _: Request<governance::ListAuditRequest>,
    ) -> Result<Response<governance::ListAuditResponse>, Status> {
        not_needed()
    }

    async fn verify_audit(
        &self,
        _: Request<governance::VerifyAuditRequest>,
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
