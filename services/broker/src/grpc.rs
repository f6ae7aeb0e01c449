//! The wire: requests parsed, use cases called, answers rendered.

use std::sync::Arc;

use foretide_api::actions::v1 as wire;
use foretide_api::actions::v1::actions_service_server::ActionsService;
use foretide_api::actions::v1::propose_from_forecast_response::Event as StreamEvent;
use foretide_api::{
    FieldError, into_status, moment, progress, text, timestamp, use_case_id, uuid_field,
};
use foretide_domain::{ProposalId, Role};
use foretide_policy::PayloadHash;
use foretide_service_runtime::{caller, require};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::model::{
    Decision, KillSwitch, ProposalFilter, ProposalRecord, ProposeOutcome, Route, StateName,
};
use crate::propose::{HandWritten, ProposeRequest};
use crate::service::{Broker, DecisionRequest};

const MAX_LIST: u32 = 1_000;
const DEFAULT_LIST: u32 = 100;
const MAX_TITLE: usize = 200;
/// What a card shows of a text; a longer one would be cut unseen.
const MAX_MESSAGE: usize = 800;
const MAX_COMMENT: usize = 1_000;

/// The gRPC face of the broker.
pub(crate) struct ActionsGrpc {
    broker: Arc<Broker>,
}

impl ActionsGrpc {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }
}

#[tonic::async_trait]
impl ActionsService for ActionsGrpc {
    type ProposeFromForecastStream =
        ReceiverStream<Result<wire::ProposeFromForecastResponse, Status>>;

    async fn propose_from_forecast(
        &self,
        request: Request<wire::ProposeFromForecastRequest>,
    ) -> Result<Response<Self::ProposeFromForecastStream>, Status> {
        let caller = require(&request, Role::Operator)?;
        let request = propose_request(request.into_inner()).map_err(into_status)?;
        self.broker
            .declared(&request.use_case)
            .map_err(into_status)?;
        let (sender, receiver) = mpsc::channel(16);
        let broker = Arc::clone(&self.broker);
        let work = async move {
            let tell = |stage: &str, done: usize, total: usize| {
                let event = StreamEvent::Progress(progress(stage, done, total));
                // Progress is only for watching: when nobody keeps up, some of it is left out.
                drop(sender.try_send(Ok(wire::ProposeFromForecastResponse { event: Some(event) })));
            };
            let outcome = broker.propose(&caller, &request, &tell).await;
            let last = match outcome {
                Ok(outcome) => Ok(wire::ProposeFromForecastResponse {
                    event: Some(StreamEvent::Summary(summary(outcome))),
                }),
                Err(error) => Err(into_status(error)),
            };
            if sender.send(last).await.is_err() {
                tracing::debug!("the caller did not wait for the proposals");
            }
        };
        tokio::spawn(work.in_current_span());
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn create_proposal(
        &self,
        request: Request<wire::CreateProposalRequest>,
    ) -> Result<Response<wire::CreateProposalResponse>, Status> {
        let caller = require(&request, Role::Operator)?;
        let written = hand_written(&request.into_inner()).map_err(into_status)?;
        let record = self
            .broker
            .create(&caller, written)
            .await
            .map_err(into_status)?;
        let proposal = Some(proposal_message(record));
        Ok(Response::new(wire::CreateProposalResponse { proposal }))
    }

    async fn list_proposals(
        &self,
        request: Request<wire::ListProposalsRequest>,
    ) -> Result<Response<wire::ListProposalsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let filter = filter(&request.into_inner()).map_err(into_status)?;
        let records = self.broker.list(&filter).await.map_err(into_status)?;
        let proposals = records.into_iter().map(proposal_message).collect();
        Ok(Response::new(wire::ListProposalsResponse { proposals }))
    }

    async fn get_proposal(
        &self,
        request: Request<wire::GetProposalRequest>,
    ) -> Result<Response<wire::GetProposalResponse>, Status> {
        require(&request, Role::Viewer)?;
        let id = proposal_id(&request.into_inner().proposal_id).map_err(into_status)?;
        let record = self.broker.find(id).await.map_err(into_status)?;
        let proposal = Some(proposal_message(record));
        Ok(Response::new(wire::GetProposalResponse { proposal }))
    }

    async fn approve_proposal(
        &self,
        request: Request<wire::ApproveProposalRequest>,
    ) -> Result<Response<wire::ApproveProposalResponse>, Status> {
        // Who may approve is for the policy to say, so that the refusal names the rule.
        let caller = caller(&request)?;
        let (presented, decision) = approval(&request.into_inner()).map_err(into_status)?;
        let approved = self.broker.approve(&caller, presented, decision).await;
        let proposal = Some(proposal_message(approved.map_err(into_status)?));
        Ok(Response::new(wire::ApproveProposalResponse { proposal }))
    }

    async fn reject_proposal(
        &self,
        request: Request<wire::RejectProposalRequest>,
    ) -> Result<Response<wire::RejectProposalResponse>, Status> {
        let caller = caller(&request)?;
        let wire::RejectProposalRequest {
            proposal_id,
            comment,
            route,
        } = request.into_inner();
        let decision = decision(&proposal_id, &comment, &route).map_err(into_status)?;
        let rejected = self.broker.reject(&caller, decision).await;
        let proposal = Some(proposal_message(rejected.map_err(into_status)?));
        Ok(Response::new(wire::RejectProposalResponse { proposal }))
    }

    async fn get_kill_switch(
        &self,
        request: Request<wire::GetKillSwitchRequest>,
    ) -> Result<Response<wire::GetKillSwitchResponse>, Status> {
        require(&request, Role::Viewer)?;
        let kill_switch = self.broker.kill_switch().await.map_err(into_status)?;
        let kill_switch = Some(kill_switch_message(kill_switch));
        Ok(Response::new(wire::GetKillSwitchResponse { kill_switch }))
    }

    async fn set_kill_switch(
        &self,
        request: Request<wire::SetKillSwitchRequest>,
    ) -> Result<Response<wire::SetKillSwitchResponse>, Status> {
        let caller = caller(&request)?;
        let wire::SetKillSwitchRequest { engaged, reason } = request.into_inner();
        let reason = text("reason", &reason, MAX_COMMENT).map_err(into_status)?;
        let changed = self.broker.set_kill_switch(&caller, engaged, reason).await;
        let kill_switch = Some(kill_switch_message(changed.map_err(into_status)?));
        Ok(Response::new(wire::SetKillSwitchResponse { kill_switch }))
    }
}

fn propose_request(
    request: wire::ProposeFromForecastRequest,
) -> Result<ProposeRequest, FieldError> {
    let wire::ProposeFromForecastRequest {
        run_id,
        use_case,
        as_of,
    } = request;
    Ok(ProposeRequest {
        run_id: uuid_field("run_id", &run_id)?,
        use_case: use_case_id("use_case", &use_case)?,
        as_of: moment("as_of", as_of)?,
    })
}

fn hand_written(request: &wire::CreateProposalRequest) -> Result<HandWritten, FieldError> {
    let wire::CreateProposalRequest {
        use_case,
        title,
        message,
    } = request;
    Ok(HandWritten {
        use_case: use_case_id("use_case", use_case)?,
        title: text("title", title, MAX_TITLE)?,
        message: text("message", message, MAX_MESSAGE)?,
    })
}

fn filter(request: &wire::ListProposalsRequest) -> Result<ProposalFilter, FieldError> {
    let wire::ListProposalsRequest {
        state,
        use_case,
        limit,
    } = request;
    let states = match wire::ProposalState::try_from(*state) {
        Ok(wire::ProposalState::Unspecified) => vec![],
        Ok(wire::ProposalState::Waiting) => vec![StateName::Waiting],
        Ok(wire::ProposalState::Approved) => vec![StateName::Approved, StateName::Executing],
        Ok(wire::ProposalState::Rejected) => vec![StateName::Rejected],
        Ok(wire::ProposalState::Expired) => vec![StateName::Expired],
        Ok(wire::ProposalState::Superseded) => vec![StateName::Superseded],
        Ok(wire::ProposalState::Executed) => vec![StateName::Executed],
        Ok(wire::ProposalState::Failed) => vec![StateName::Failed],
        Err(_) => return Err(FieldError::new("state", "is not a known state")),
    };
    let use_case = match use_case.as_str() {
        "" => None,
        id => Some(use_case_id("use_case", id)?),
    };
    let limit = if *limit == 0 { DEFAULT_LIST } else { *limit };
    Ok(ProposalFilter {
        states,
        use_case,
        limit: u64::from(limit.min(MAX_LIST)),
    })
}

fn approval(
    request: &wire::ApproveProposalRequest,
) -> Result<(PayloadHash, DecisionRequest), FieldError> {
    let wire::ApproveProposalRequest {
        proposal_id,
        payload_hash,
        comment,
        route,
    } = request;
    let presented = payload_hash
        .parse()
        .map_err(|_| FieldError::new("payload_hash", "must be 64 lower-case hexadecimal digits"))?;
    Ok((presented, decision(proposal_id, comment, route)?))
}

fn decision(id: &str, comment: &str, route: &str) -> Result<DecisionRequest, FieldError> {
    let comment = match comment.trim() {
        "" => String::new(),
        comment => text("comment", comment, MAX_COMMENT)?,
    };
    Ok(DecisionRequest {
        id: proposal_id(id)?,
        comment,
        route: Route::of(route)
            .ok_or_else(|| FieldError::new("route", "must be cli, console or grpc"))?,
    })
}

fn proposal_id(text: &str) -> Result<ProposalId, FieldError> {
    uuid_field("proposal_id", text)
}

fn summary(outcome: ProposeOutcome) -> wire::ProposeSummary {
    wire::ProposeSummary {
        proposal_ids: outcome.proposals.iter().map(ToString::to_string).collect(),
        superseded: outcome.superseded,
        expired: outcome.expired,
        reason: outcome.reason,
    }
}

fn proposal_message(record: ProposalRecord) -> wire::Proposal {
    let text = |id: Option<String>| id.unwrap_or_default();
    let execution = (record.execution.outcome.is_some() || record.execution.started_at.is_some())
        .then(|| execution_message(&record));
    wire::Proposal {
        proposal_id: record.id.to_string(),
        run_id: text(record.run_id.map(|id| id.to_string())),
        use_case: record.use_case.to_string(),
        forecast_id: text(record.forecast_id.map(|id| id.to_string())),
        risk_window_id: text(record.risk_window_id.map(|id| id.to_string())),
        action_kind: record.kind.name().to_owned(),
        state: state_message(record.life.state.into()).into(),
        title: record.title,
        payload_json: record.payload.to_string(),
        payload_hash: record.life.payload_hash.to_string(),
        policy_version: record.policy_version.to_string(),
        proposed_by: record.life.proposed_by,
        proposed_at: timestamp(record.proposed_at),
        expires_at: timestamp(record.life.expires_at),
        decisions: record.decisions.into_iter().map(decision_message).collect(),
        execution,
    }
}

fn execution_message(record: &ProposalRecord) -> wire::Execution {
    let execution = &record.execution;
    wire::Execution {
        started_at: execution.started_at.and_then(timestamp),
        finished_at: execution.finished_at.and_then(timestamp),
        attempts: execution.attempts,
        outcome: execution.outcome.clone().unwrap_or_default(),
    }
}

fn state_message(state: StateName) -> wire::ProposalState {
    match state {
        StateName::Waiting => wire::ProposalState::Waiting,
        StateName::Approved | StateName::Executing => wire::ProposalState::Approved,
        StateName::Executed => wire::ProposalState::Executed,
        StateName::Failed => wire::ProposalState::Failed,
        StateName::Rejected => wire::ProposalState::Rejected,
        StateName::Expired => wire::ProposalState::Expired,
        StateName::Superseded => wire::ProposalState::Superseded,
    }
}

fn decision_message(decision: Decision) -> wire::Decision {
    wire::Decision {
        verdict: decision.verdict.name().to_owned(),
        decided_by: decision.decided_by,
        decided_at: timestamp(decision.decided_at),
        comment: decision.comment,
        route: decision.route.name().to_owned(),
    }
}

fn kill_switch_message(kill_switch: KillSwitch) -> wire::KillSwitch {
    wire::KillSwitch {
        engaged: kill_switch.engaged,
        changed_by: kill_switch.changed_by,
        changed_at: kill_switch.changed_at.and_then(timestamp),
        reason: kill_switch.reason,
    }
}
