//! The wire: requests parsed, use cases called, answers rendered.

use std::sync::Arc;

use foretide_api::governance::v1 as wire;
use foretide_api::governance::v1::evaluate_response::Event as StreamEvent;
use foretide_api::governance::v1::governance_service_server::GovernanceService;
use foretide_api::{
    FieldError, into_status, moment, phase_message, progress, span_message, text, timestamp,
    use_case_id, uuid_field,
};
use foretide_audit_chain::{AuditRecord, CanonicalJson, Digest, Event};
use foretide_domain::{Role, RunId, TimeSpan};
use foretide_forecasting::risk::Warnings;
use foretide_policy::Verdict;
use foretide_service_runtime::require;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::evaluate::EvaluateRequest;
use crate::model::{Evaluation, PhaseState, Standing, WindowOutcome};
use crate::service::Auditor;
use crate::storage::{AuditFilter, EvaluationFilter};
use crate::track_record;

/// Largest details of one event, bytes of canonical JSON.
pub(crate) const MAX_DETAILS_BYTES: usize = 64 * 1024;
const MAX_LIST: u32 = 1_000;
const DEFAULT_LIST: u32 = 100;

/// The gRPC face of the auditor.
pub(crate) struct GovernanceGrpc {
    auditor: Arc<Auditor>,
}

impl GovernanceGrpc {
    pub(crate) fn new(auditor: Arc<Auditor>) -> Self {
        Self { auditor }
    }
}

#[tonic::async_trait]
impl GovernanceService for GovernanceGrpc {
    type EvaluateStream = ReceiverStream<Result<wire::EvaluateResponse, Status>>;

    async fn evaluate(
        &self,
        request: Request<wire::EvaluateRequest>,
    ) -> Result<Response<Self::EvaluateStream>, Status> {
        require(&request, Role::Operator)?;
        let request = evaluate_request(request.into_inner()).map_err(into_status)?;
        self.auditor
            .declared(&request.use_case)
            .map_err(into_status)?;
        let (sender, receiver) = mpsc::channel(64);
        let auditor = Arc::clone(&self.auditor);
        let work = async move {
            let tell = |stage: &str, done: usize, total: usize| {
                let event = StreamEvent::Progress(progress(stage, done, total));
                // Progress is only for watching: when nobody keeps up, some of it is left out.
                drop(sender.try_send(Ok(wire::EvaluateResponse { event: Some(event) })));
            };
            let outcome = auditor.evaluate(&request, &tell).await;
            let last = match outcome {
                Ok(outcome) => Ok(wire::EvaluateResponse {
                    event: Some(StreamEvent::Summary(summary(outcome))),
                }),
                Err(error) => Err(into_status(error)),
            };
            if sender.send(last).await.is_err() {
                tracing::debug!("the caller did not wait for the evaluation");
            }
        };
        tokio::spawn(work.in_current_span());
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn list_evaluations(
        &self,
        request: Request<wire::ListEvaluationsRequest>,
    ) -> Result<Response<wire::ListEvaluationsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let filter = evaluation_filter(&request.into_inner()).map_err(into_status)?;
        let evaluations = self
            .auditor
            .evaluations(&filter)
            .await
            .map_err(into_status)?;
        let evaluations = evaluations.into_iter().map(evaluation_message).collect();
        Ok(Response::new(wire::ListEvaluationsResponse { evaluations }))
    }

    async fn get_track_record(
        &self,
        request: Request<wire::GetTrackRecordRequest>,
    ) -> Result<Response<wire::GetTrackRecordResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetTrackRecordRequest {
            use_case,
            with_windows,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let now = self.auditor.clock.now();
        let standing = self.auditor.standing(&use_case, now).await;
        let track_record = Some(standing_message(standing.map_err(into_status)?));
        let windows = if with_windows {
            let settled = self.auditor.settled_windows(&use_case, now).await;
            settled.map_err(into_status)?
        } else {
            Vec::new()
        };
        Ok(Response::new(wire::GetTrackRecordResponse {
            track_record,
            windows: windows.into_iter().map(window_message).collect(),
        }))
    }

    async fn get_phase(
        &self,
        request: Request<wire::GetPhaseRequest>,
    ) -> Result<Response<wire::GetPhaseResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetPhaseRequest { use_case } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let state = self.auditor.phase(&use_case).await.map_err(into_status)?;
        let state = Some(phase_state(state));
        Ok(Response::new(wire::GetPhaseResponse { state }))
    }

    async fn set_phase(
        &self,
        request: Request<wire::SetPhaseRequest>,
    ) -> Result<Response<wire::SetPhaseResponse>, Status> {
        let caller = require(&request, Role::Approver)?;
        let wire::SetPhaseRequest {
            use_case,
            phase,
            reason,
        } = request.into_inner();
        let parsed = || -> Result<_, FieldError> {
            let use_case = use_case_id("use_case", &use_case)?;
            let phase = foretide_api::phase("phase", phase)?;
            Ok((use_case, phase, text("reason", &reason, 1_000)?))
        };
        let (use_case, phase, reason) = parsed().map_err(into_status)?;
        let changed = self
            .auditor
            .set_phase(&use_case, phase, &caller, &reason)
            .await;
        let state = Some(phase_state(changed.map_err(into_status)?));
        Ok(Response::new(wire::SetPhaseResponse { state }))
    }

    async fn list_phases(
        &self,
        request: Request<wire::ListPhasesRequest>,
    ) -> Result<Response<wire::ListPhasesResponse>, Status> {
        require(&request, Role::Viewer)?;
        let states = self.auditor.phases().await.map_err(into_status)?;
        let states = states.into_iter().map(phase_state).collect();
        Ok(Response::new(wire::ListPhasesResponse { states }))
    }

    async fn append_audit(
        &self,
        request: Request<wire::AppendAuditRequest>,
    ) -> Result<Response<wire::AppendAuditResponse>, Status> {
        require(&request, Role::Service)?;
        let event = event(&request.into_inner()).map_err(into_status)?;
        let record = self.auditor.append(event).await.map_err(into_status)?;
        let record = Some(record_message(record));
        Ok(Response::new(wire::AppendAuditResponse { record }))
    }

    async fn list_audit(
        &self,
        request: Request<wire::ListAuditRequest>,
    ) -> Result<Response<wire::ListAuditResponse>, Status> {
        require(&request, Role::Viewer)?;
        let filter = audit_filter(request.into_inner()).map_err(into_status)?;
        let records = self.auditor.records(&filter).await.map_err(into_status)?;
        let records = records.into_iter().map(record_message).collect();
        Ok(Response::new(wire::ListAuditResponse { records }))
    }

    async fn verify_audit(
        &self,
        request: Request<wire::VerifyAuditRequest>,
    ) -> Result<Response<wire::VerifyAuditResponse>, Status> {
        require(&request, Role::Viewer)?;
        let report = self.auditor.verify().await.map_err(into_status)?;
        let intact = report.broken.is_none();
        let (broken_sequence, problem) = report.broken.unwrap_or_default();
        Ok(Response::new(wire::VerifyAuditResponse {
            intact,
            records: report.records,
            head_hash: report.head_hash,
            broken_sequence,
            problem,
        }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<wire::GetCheckpointRequest>,
    ) -> Result<Response<wire::GetCheckpointResponse>, Status> {
        require(&request, Role::Viewer)?;
        let signer = &self.auditor.signer;
        let checkpoint = signer.newest().await.map_err(into_status)?;
        Ok(Response::new(wire::GetCheckpointResponse {
            checkpoint: checkpoint.to_string(),
            verifier_key: signer.keys.verifier().to_string(),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<wire::GetConsistencyProofRequest>,
    ) -> Result<Response<wire::GetConsistencyProofResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetConsistencyProofRequest { old_size, new_size } = request.into_inner();
        let proof = self.auditor.signer.consistency(old_size, new_size).await;
        let hashes = hashes(&proof.map_err(into_status)?);
        Ok(Response::new(wire::GetConsistencyProofResponse { hashes }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<wire::GetInclusionProofRequest>,
    ) -> Result<Response<wire::GetInclusionProofResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetInclusionProofRequest {
            sequence,
            tree_size,
        } = request.into_inner();
        let proof = self.auditor.signer.inclusion(sequence, tree_size).await;
        let hashes = hashes(&proof.map_err(into_status)?);
        Ok(Response::new(wire::GetInclusionProofResponse { hashes }))
    }
}

fn evaluate_request(request: wire::EvaluateRequest) -> Result<EvaluateRequest, FieldError> {
    let wire::EvaluateRequest {
        run_id,
        use_case,
        as_of,
    } = request;
    Ok(EvaluateRequest {
        run_id: uuid_field("run_id", &run_id)?,
        use_case: use_case_id("use_case", &use_case)?,
        as_of: moment("as_of", as_of)?,
    })
}

fn evaluation_filter(
    request: &wire::ListEvaluationsRequest,
) -> Result<EvaluationFilter, FieldError> {
    let wire::ListEvaluationsRequest {
        use_case,
        series_id,
        limit,
    } = request;
    let use_case = given(use_case)
        .map(|id| use_case_id("use_case", id))
        .transpose()?;
    let series_id = given(series_id)
        .map(|id| foretide_api::series_id("series_id", id))
        .transpose()?;
    Ok(EvaluationFilter {
        use_case,
        series_id,
        begins: None,
        limit: list_limit(*limit),
    })
}

fn audit_filter(request: wire::ListAuditRequest) -> Result<AuditFilter, FieldError> {
    let wire::ListAuditRequest {
        from_sequence,
        limit,
        run_id,
        subject,
        newest_first,
    } = request;
    let run_id = given(&run_id)
        .map(|id| uuid_field::<RunId>("run_id", id))
        .transpose()?
        .map(|id| id.to_string());
    let subject = given(&subject)
        .map(|subject| text("subject", subject, 256))
        .transpose()?;
    Ok(AuditFilter {
        from_sequence,
        limit: list_limit(limit),
        run_id,
        subject,
        newest_first,
    })
}

fn event(request: &wire::AppendAuditRequest) -> Result<Event, FieldError> {
    let wire::AppendAuditRequest {
        event_id,
        actor,
        action,
        subject,
        run_id,
        details_json,
    } = request;
    if details_json.len() > MAX_DETAILS_BYTES {
        let problem = format!("is longer than {MAX_DETAILS_BYTES} bytes");
        return Err(FieldError::new("details_json", problem));
    }
    let details: CanonicalJson = given(details_json)
        .unwrap_or("{}")
        .parse()
        .map_err(|_| FieldError::new("details_json", "is not valid JSON"))?;
    let run_id = given(run_id)
        .map(|id| uuid_field::<RunId>("run_id", id))
        .transpose()?
        .map(|id| id.to_string());
    Ok(Event {
        event_id: text("event_id", event_id, 128)?,
        actor: text("actor", actor, 256)?,
        action: text("action", action, 64)?,
        subject: text("subject", subject, 256)?,
        run_id,
        details,
    })
}

fn hashes(proof: &[Digest]) -> Vec<Vec<u8>> {
    proof.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn list_limit(asked: u32) -> u64 {
    let limit = if asked == 0 { DEFAULT_LIST } else { asked };
    u64::from(limit.min(MAX_LIST))
}

fn summary(outcome: crate::model::EvaluateOutcome) -> wire::EvaluateSummary {
    wire::EvaluateSummary {
        forecasts_evaluated: outcome.forecasts_evaluated,
        forecasts_waiting: outcome.forecasts_waiting,
        evaluations: outcome
            .evaluations
            .into_iter()
            .map(evaluation_message)
            .collect(),
        phase: phase_message(outcome.phase),
        rows_delivered: outcome.rows_delivered,
        rows_pending: outcome.rows_pending,
    }
}

fn evaluation_message(evaluation: Evaluation) -> wire::Evaluation {
    let score = evaluation.score;
    wire::Evaluation {
        evaluation_id: evaluation.id.to_string(),
        run_id: evaluation.run_id.to_string(),
        forecast_id: evaluation.forecast_id.to_string(),
        use_case: evaluation.use_case.to_string(),
        series_id: evaluation.series_id.to_string(),
        evaluated_at: timestamp(evaluation.evaluated_at),
        span: span_message(evaluation.span),
        hours: score.hours,
        mae: score.mae,
        pinball: score.pinball,
        // NaN is how the wire says that there was nothing to compare with.
        naive_pinball: score.naive_pinball.unwrap_or(f64::NAN),
        coverage_80: score.coverage_80,
        coverage_95: score.coverage_95,
        model_name: evaluation.model_name,
        model_version: evaluation.model_version,
    }
}

fn standing_message(standing: Standing) -> wire::TrackRecord {
    let summary = track_record::summary(&standing);
    let verdict = match standing.gate.verdict {
        Verdict::Pass => wire::Verdict::Pass,
        Verdict::Fail => wire::Verdict::Fail,
        Verdict::Inconclusive => wire::Verdict::Inconclusive,
    };
    let hours = standing.hours;
    let warnings = |warnings: Warnings| wire::Warnings {
        hits: warnings.hits,
        misses: warnings.misses,
        false_alarms: warnings.false_alarms,
    };
    wire::TrackRecord {
        use_case: standing.use_case.to_string(),
        verdict: verdict.into(),
        reasons: standing.gate.reasons,
        settled_days: standing.settled_days,
        settled_days_needed: standing.settled_days_needed,
        hours: Some(wire::HourlyRecord {
            hours: hours.hours,
            coverage_80: hours.coverage_80,
            coverage_95: hours.coverage_95,
            pinball: hours.pinball,
            naive_pinball: hours.naive_pinball,
        }),
        windows: standing.windows.map(|record| wire::WindowRecord {
            windows: record.windows,
            judgements: record.judgements,
            warnings: Some(warnings(record.warnings)),
            baseline: Some(warnings(record.baseline)),
            baseline_windows: record.baseline_windows,
            brier: record.brier,
            base_rate_brier: record.base_rate_brier,
            lead_hours: record.lead_hours,
        }),
        summary,
    }
}

fn window_message(outcome: WindowOutcome) -> wire::SettledWindow {
    let WindowOutcome {
        settled,
        end,
        capacity,
        load,
    } = outcome;
    wire::SettledWindow {
        issued_at: Some(settled.issued_at.into()),
        span: span_message(TimeSpan {
            start: settled.start,
            end,
        }),
        probability: settled.probability,
        raised: settled.was_raised,
        baseline_raised: settled.baseline_raised,
        capacity,
        load,
        exceeded: settled.has_exceeded,
    }
}

fn phase_state(state: PhaseState) -> wire::PhaseState {
    wire::PhaseState {
        use_case: state.use_case.to_string(),
        phase: phase_message(state.phase),
        since: timestamp(state.since),
        changed_by: state.changed_by,
        reason: state.reason,
    }
}

fn record_message(record: AuditRecord) -> wire::AuditRecord {
    wire::AuditRecord {
        sequence: record.sequence,
        event_id: record.event_id,
        recorded_at: timestamp(record.recorded_at),
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        run_id: record.run_id.unwrap_or_default(),
        details_json: record.details.to_string(),
        previous_hash: record.previous_hash.to_string(),
        hash: record.hash.to_string(),
    }
}
