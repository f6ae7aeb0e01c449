//! Proposals: what is to be done, exactly, and a person's yes or no.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use foretide_api::actions::v1::{
    ApproveProposalRequest, GetKillSwitchRequest, GetProposalRequest, KillSwitch,
    ListProposalsRequest, Proposal, ProposalState, RejectProposalRequest,
};
use http::StatusCode;
use serde::Deserialize;
use tonic::Code;

use crate::calls::{Answer, request, required};
use crate::error::PageError;
use crate::format::{self, Moment};
use crate::page::{self, Frame, Section};
use crate::session::Session;

const SHOWN: u32 = 200;
const SERVICE: &str = "broker";
const ROUTE: &str = "console";

/// States that can be filtered by: word in the address, state, label.
const FILTERS: [(&str, ProposalState, &str); 7] = [
    ("all", ProposalState::Unspecified, "All"),
    ("waiting", ProposalState::Waiting, "Waiting"),
    ("executed", ProposalState::Executed, "Executed"),
    ("rejected", ProposalState::Rejected, "Rejected"),
    ("expired", ProposalState::Expired, "Expired"),
    ("superseded", ProposalState::Superseded, "Superseded"),
    ("failed", ProposalState::Failed, "Failed"),
];

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
pub(crate) struct DecisionForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    payload_hash: String,
    #[serde(default)]
    comment: String,
}

#[derive(Template)]
#[template(path = "proposals.html")]
struct ProposalsPage {
    frame: Frame,
    filters: Vec<Filter>,
    kill_switch: Option<KillSwitchView>,
    proposals: Vec<ProposalRow>,
}

struct Filter {
    value: &'static str,
    label: &'static str,
    current: bool,
}

struct KillSwitchView {
    changed_by: String,
    changed_at: Option<Moment>,
    reason: String,
}

struct ProposalRow {
    id: String,
    title: String,
    use_case: String,
    action: String,
    state: Badge,
    proposed_by: String,
    proposed_at: Option<Moment>,
    expires_at: Option<Moment>,
}

/// A state in words, and the class that colours it.
struct Badge {
    word: &'static str,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "proposal.html")]
struct ProposalPage {
    frame: Frame,
    refusal: String,
    proposal: ProposalRow,
    may_be_decided: bool,
    run_id: String,
    forecast_id: String,
    policy_version: String,
    payload: String,
    payload_hash: String,
    decisions: Vec<DecisionRow>,
    execution: Option<ExecutionView>,
}

struct DecisionRow {
    verdict: String,
    decided_by: String,
    decided_at: Option<Moment>,
    comment: String,
    route: String,
}

struct ExecutionView {
    started_at: Option<Moment>,
    finished_at: Option<Moment>,
    attempts: u32,
    outcome: String,
}

pub(crate) async fn list(
    session: Session,
    Query(query): Query<ListQuery>,
) -> Result<Response, PageError> {
    let wanted = if query.state.is_empty() {
        "all"
    } else {
        query.state.as_str()
    };
    let known = FILTERS.iter().find(|(word, ..)| *word == wanted);
    let Some((_, state, _)) = known else {
        return Err(PageError::Address(format!(
            "there is no proposal state {wanted:?}"
        )));
    };
    let asked = ListProposalsRequest {
        state: (*state).into(),
        use_case: String::new(),
        limit: SHOWN,
    };
    let (mut proposals, mut kill_switch) = (session.peers.broker(), session.peers.broker());
    let (proposals, kill_switch) = tokio::join!(
        proposals.list_proposals(request(asked)),
        kill_switch.get_kill_switch(request(GetKillSwitchRequest {})),
    );
    let page = ProposalsPage {
        frame: Frame::new("Proposals", Section::Proposals, &session),
        filters: FILTERS
            .map(|(value, _, label)| Filter {
                value,
                label,
                current: value == wanted,
            })
            .into(),
        kill_switch: kill_switch.of(SERVICE)?.kill_switch.and_then(engaged),
        proposals: proposals.of(SERVICE)?.proposals.iter().map(row).collect(),
    };
    Ok(page::render(StatusCode::OK, &page))
}

fn engaged(kill_switch: KillSwitch) -> Option<KillSwitchView> {
    let KillSwitch {
        engaged,
        changed_by,
        changed_at,
        reason,
    } = kill_switch;
    engaged.then(|| KillSwitchView {
        changed_by,
        changed_at: format::moment(changed_at),
        reason,
    })
}

pub(crate) async fn show(
    session: Session,
    Path(proposal_id): Path<String>,
) -> Result<Response, PageError> {
    proposal_page(&session, proposal_id, StatusCode::OK, String::new()).await
}

/// Approves the payload whose hash the page showed. The broker decides whether this person may.
pub(crate) async fn approve(
    session: Session,
    Path(proposal_id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    session.check_form(&form.form_token)?;
    let asked = ApproveProposalRequest {
        proposal_id: proposal_id.clone(),
        payload_hash: form.payload_hash,
        comment: form.comment,
        route: ROUTE.to_owned(),
    };
    let answer = session
        .peers
        .broker()
        .approve_proposal(request(asked))
        .await
        .map(|_| ());
    decided(&session, proposal_id, answer).await
}

pub(crate) async fn reject(
    session: Session,
    Path(proposal_id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    session.check_form(&form.form_token)?;
    let asked = RejectProposalRequest {
        proposal_id: proposal_id.clone(),
        comment: form.comment,
        route: ROUTE.to_owned(),
    };
    let answer = session
        .peers
        .broker()
        .reject_proposal(request(asked))
        .await
        .map(|_| ());
    decided(&session, proposal_id, answer).await
}

/// Shows the proposal as it is after a decision, with the reason if the broker refused it.
async fn decided(
    session: &Session,
    proposal_id: String,
    answer: Result<(), tonic::Status>,
) -> Result<Response, PageError> {
    let status = match answer {
        Ok(()) => {
            let address: String =
                url::form_urlencoded::byte_serialize(proposal_id.as_bytes()).collect();
            return Ok(Redirect::to(&format!("/proposals/{address}")).into_response());
        }
        Err(status) => status,
    };
    let is_refusal = matches!(
        status.code(),
        Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::Aborted
    );
    let error = PageError::from_status(SERVICE, status);
    if !is_refusal {
        return Err(error);
    }
    proposal_page(
        session,
        proposal_id,
        error.http_status(),
        error.explanation(),
    )
    .await
}

async fn proposal_page(
    session: &Session,
    proposal_id: String,
    status: StatusCode,
    refusal: String,
) -> Result<Response, PageError> {
    let asked = GetProposalRequest { proposal_id };
    let answer = session
        .peers
        .broker()
        .get_proposal(request(asked))
        .await
        .of(SERVICE)?;
    let proposal = required(SERVICE, "proposal", answer.proposal)?;
    let page = ProposalPage {
        frame: Frame::new(proposal.title.clone(), Section::Proposals, session),
        refusal,
        proposal: row(&proposal),
        may_be_decided: proposal.state() == ProposalState::Waiting,
        payload: format::pretty_json(&proposal.payload_json),
        decisions: proposal.decisions.into_iter().map(decision_row).collect(),
        execution: proposal.execution.map(execution_view),
        run_id: proposal.run_id,
        forecast_id: proposal.forecast_id,
        policy_version: proposal.policy_version,
        payload_hash: proposal.payload_hash,
    };
    Ok(page::render(status, &page))
}

fn row(proposal: &Proposal) -> ProposalRow {
    ProposalRow {
        id: proposal.proposal_id.clone(),
        title: proposal.title.clone(),
        use_case: format::words(&proposal.use_case),
        action: format::words(&proposal.action_kind),
        state: badge(proposal.state()),
        proposed_by: proposal.proposed_by.clone(),
        proposed_at: format::moment(proposal.proposed_at),
        expires_at: format::moment(proposal.expires_at),
    }
}

fn decision_row(decision: foretide_api::actions::v1::Decision) -> DecisionRow {
    DecisionRow {
        verdict: decision.verdict,
        decided_by: decision.decided_by,
        decided_at: format::moment(decision.decided_at),
        comment: decision.comment,
        route: decision.route,
    }
}

fn execution_view(execution: foretide_api::actions::v1::Execution) -> ExecutionView {
    ExecutionView {
        started_at: format::moment(execution.started_at),
        finished_at: format::moment(execution.finished_at),
        attempts: execution.attempts,
        outcome: execution.outcome,
    }
}

fn badge(state: ProposalState) -> Badge {
    let (word, class) = match state {
        ProposalState::Unspecified => ("unknown", "neutral"),
        ProposalState::Waiting => ("waiting", "active"),
        ProposalState::Approved => ("approved", "good"),
        ProposalState::Rejected => ("rejected", "neutral"),
        ProposalState::Expired => ("expired", "neutral"),
        ProposalState::Superseded => ("superseded", "neutral"),
        ProposalState::Executed => ("executed", "good"),
        ProposalState::Failed => ("failed", "bad"),
    };
    Badge { word, class }
}
