//! Phases, evaluations and the audit chain.

use foretide_api::governance::v1 as governance;
use foretide_api::types::v1 as types;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, Fakes, HASH, HOSTILE, RUN_ID, at};

#[async_trait]
impl governance::governance_service_server::GovernanceService for Fakes {
    type EvaluateStream = BoxStream<governance::EvaluateResponse>;

    async fn list_phases(
        &self,
        request: Request<governance::ListPhasesRequest>,
    ) -> Answer<governance::ListPhasesResponse> {
        self.take(request)?;
        let state = governance::PhaseState {
            use_case: "risk_period".to_owned(),
            phase: types::Phase::Assisted.into(),
            since: at(-100),
            changed_by: "anna".to_owned(),
            reason: HOSTILE.to_owned(),
        };
        Ok(Response::new(governance::ListPhasesResponse {
            states: vec![state],
        }))
    }

    async fn list_evaluations(
        &self,
        request: Request<governance::ListEvaluationsRequest>,
    ) -> Answer<governance::ListEvaluationsResponse> {
        let asked = self.take(request)?;
        let evaluation = governance::Evaluation {
            use_case: asked.use_case.clone(),
            series_id: format!("{}/total", asked.use_case),
            evaluated_at: at(-2),
            hours: 72,
            mae: 1.25,
            pinball: 0.456,
            naive_pinball: 0.789,
            coverage_80: 0.79,
            coverage_95: 0.94,
            model_version: 3,
            ..Default::default()
        };
        Ok(Response::new(governance::ListEvaluationsResponse {
            evaluations: vec![evaluation],
        }))
    }

    async fn list_audit(
        &self,
        request: Request<governance::ListAuditRequest>,
    ) -> Answer<governance::ListAuditResponse> {
        let asked = self.take(request)?;
        let newest = if asked.from_sequence == 0 {
            250
        } else {
            asked.from_sequence
        };
        let record = |sequence: u64| governance::AuditRecord {
            sequence,
            event_id: format!("event-{sequence}"),
            recorded_at: at(-1),
            actor: "anna".to_owned(),
            action: "proposal.approved".to_owned(),
            subject: HOSTILE.to_owned(),
            run_id: RUN_ID.to_owned(),
            details_json: serde_json::json!({ "comment": HOSTILE }).to_string(),
            previous_hash: HASH.to_owned(),
            hash: HASH.to_owned(),
        };
        let records = (1..=newest)
            .rev()
            .take(asked.limit as usize)
            .map(record)
            .collect();
        self.story().audit_requests.push(asked);
        Ok(Response::new(governance::ListAuditResponse { records }))
    }

    async fn verify_audit(
        &self,
        request: Request<governance::VerifyAuditRequest>,
    ) -> Answer<governance::VerifyAuditResponse> {
        self.take(request)?;
        let intact = !self.story().chain_is_broken;
        Ok(Response::new(governance::VerifyAuditResponse {
            intact,
            records: 250,
            head_hash: HASH.to_owned(),
            broken_sequence: if intact { 0 } else { 240 },
            problem: if intact {
                String::new()
            } else {
                "the hash does not fit".to_owned()
            },
        }))
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

    async fn evaluate(
        &self,
        _: Request<governance::EvaluateRequest>,
    ) -> Answer<Self::EvaluateStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_track_record(
        &self,
        request: Request<governance::GetTrackRecordRequest>,
    ) -> Answer<governance::GetTrackRecordResponse> {
        let use_case = self.take(request)?.use_case;
        Ok(Response::new(governance::GetTrackRecordResponse {
            track_record: Some(governance::TrackRecord {
                use_case,
                summary: vec![
                    "Of the last 56 days the gate says inconclusive: 11 of 14 settled days."
                        .to_owned(),
                ],
                ..governance::TrackRecord::default()
            }),
            windows: Vec::new(),
        }))
    }

    async fn get_phase(
        &self,
        _: Request<governance::GetPhaseRequest>,
    ) -> Answer<governance::GetPhaseResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn set_phase(
        &self,
        _: Request<governance::SetPhaseRequest>,
    ) -> Answer<governance::SetPhaseResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn append_audit(
        &self,
        _: Request<governance::AppendAuditRequest>,
    ) -> Answer<governance::AppendAuditResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
