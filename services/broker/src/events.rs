//! What the audit chain is told, in which words.

use foretide_audit_chain::CanonicalJson;
use foretide_domain::{ForecastId, Principal};
use foretide_policy::{ApprovalNeeded, Refusal};
use serde_json::{Value, json};

use crate::model::{Decision, KillSwitch, NewEvent, ProposalRecord, Verdict};

/// Name under which the broker itself stands in the audit chain.
pub(crate) const BROKER: &str = "service:broker";

fn about(record: &ProposalRecord, actor: &str, action: &'static str, details: &Value) -> NewEvent {
    NewEvent {
        actor: actor.to_owned(),
        action,
        subject: format!("proposal/{}", record.id),
        run_id: record.run_id,
        details: CanonicalJson::of(details),
    }
}

pub(crate) fn proposed(record: &ProposalRecord, needed: Option<ApprovalNeeded>) -> NewEvent {
    let details = json!({
        "use_case": record.use_case.as_str(),
        "action": record.kind.name(),
        "title": record.title,
        "forecast_id": record.forecast_id.map(|id| id.to_string()),
        "risk_window_id": record.risk_window_id.map(|id| id.to_string()),
        "payload_hash": record.life.payload_hash.to_string(),
        "policy_version": record.policy_version.as_str(),
        "expires_at": record.life.expires_at.to_rfc3339(),
        "approval": needed.map(|needed| needed.to_string()),
    });
    about(
        record,
        &record.life.proposed_by,
        "proposal.created",
        &details,
    )
}

pub(crate) fn superseded(record: &ProposalRecord, by: ForecastId) -> NewEvent {
    let details = json!({"by_forecast": by.to_string()});
    about(record, BROKER, "proposal.superseded", &details)
}

pub(crate) fn expired(record: &ProposalRecord) -> NewEvent {
    let details = json!({"expires_at": record.life.expires_at.to_rfc3339()});
    about(record, BROKER, "proposal.expired", &details)
}

pub(crate) fn decided(record: &ProposalRecord, decision: &Decision, missing: u32) -> NewEvent {
    let action = match decision.verdict {
        Verdict::Approve => "proposal.approved",
        Verdict::Reject => "proposal.rejected",
    };
    let details = json!({
        "payload_hash": decision.payload_hash.to_string(),
        "policy_version": record.policy_version.as_str(),
        "comment": decision.comment,
        "route": decision.route.name(),
        "approvals_missing": missing,
    });
    about(record, &decision.decided_by, action, &details)
}

pub(crate) fn refused(record: &ProposalRecord, caller: &Principal, refusal: Refusal) -> NewEvent {
    let details = json!({"reason": refusal.to_string()});
    about(record, &caller.name, "proposal.decision_refused", &details)
}

pub(crate) fn begun(record: &ProposalRecord, attempt: u32) -> NewEvent {
    let details = json!({
        "attempt": attempt,
        "payload_hash": record.life.payload_hash.to_string(),
    });
    let action = if attempt == 1 {
        "execution.started"
    } else {
        "execution.resumed"
    };
    about(record, BROKER, action, &details)
}

pub(crate) fn ended(record: &ProposalRecord, succeeded: bool) -> NewEvent {
    let details = json!({"attempts": record.attempts(), "outcome": record.execution.outcome});
    let action = if succeeded {
        "execution.succeeded"
    } else {
        "execution.failed"
    };
    about(record, BROKER, action, &details)
}

pub(crate) fn kill_switch(kill_switch: &KillSwitch) -> NewEvent {
    NewEvent {
        actor: kill_switch.changed_by.clone(),
        action: if kill_switch.engaged {
            "kill_switch.engaged"
        } else {
            "kill_switch.released"
        },
        subject: "kill_switch".to_owned(),
        run_id: None,
        details: CanonicalJson::of(&json!({"reason": kill_switch.reason})),
    }
}
