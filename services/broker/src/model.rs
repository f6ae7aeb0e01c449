//! What the broker speaks of.

use chrono::{DateTime, Utc};
use foretide_audit_chain::CanonicalJson;
use foretide_domain::{
    ActionKind, CapacityKind, ForecastId, Phase, ProposalId, RiskWindowId, RunId, TimeSpan,
    UseCaseId,
};
use foretide_outbox::{AuditEvent, NewItem};
use foretide_policy::{PayloadHash, PolicyVersion, Standing, State};
use uuid::Uuid;

/// One additive part of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Driver {
    /// Its name.
    pub(crate) name: String,
    /// Incidents it adds or takes away.
    pub(crate) contribution: f64,
}

/// A proposal with everything that is known of it.
#[derive(Debug, Clone)]
pub(crate) struct ProposalRecord {
    /// Made of run and risk window, so that the same window is proposed once.
    pub(crate) id: ProposalId,
    /// The run whose forecast it rests on; nothing for a notice written by a person.
    pub(crate) run_id: Option<RunId>,
    /// Its use case.
    pub(crate) use_case: UseCaseId,
    /// The forecast it rests on.
    pub(crate) forecast_id: Option<ForecastId>,
    /// The risk window it is about.
    pub(crate) risk_window_id: Option<RiskWindowId>,
    /// What would be done.
    pub(crate) kind: ActionKind,
    /// Headline.
    pub(crate) title: String,
    /// What would be sent, byte for byte.
    pub(crate) payload: CanonicalJson,
    /// Rules it was proposed under.
    pub(crate) policy_version: PolicyVersion,
    /// When it was proposed.
    pub(crate) proposed_at: DateTime<Utc>,
    /// As much of it as the policy looks at: proposer, hash, expiry, state, approvals.
    pub(crate) life: foretide_policy::Proposal,
    /// What people said, oldest first.
    pub(crate) decisions: Vec<Decision>,
    /// How often it was begun, and when.
    pub(crate) execution: Execution,
}

impl ProposalRecord {
    /// What the proposal is held against now. The hash is computed from what is stored.
    pub(crate) fn standing(&self, circumstances: &Circumstances, kill_switch: bool) -> Standing {
        let policy = &circumstances.policy;
        Standing {
            now: circumstances.now,
            content: PayloadHash::of(self.kind, &self.payload, self.forecast_id, policy),
            phase: circumstances.phase,
            kill_switch,
            quorum: circumstances.quorum,
        }
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.execution.attempts
    }
}

/// What holds at the moment of a decision, whatever the proposal.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    pub(crate) now: DateTime<Utc>,
    pub(crate) phase: Phase,
    pub(crate) policy: PolicyVersion,
    pub(crate) quorum: u32,
}

/// What somebody said to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Yes or no.
    pub(crate) verdict: Verdict,
    /// Who.
    pub(crate) decided_by: String,
    /// When.
    pub(crate) decided_at: DateTime<Utc>,
    /// To what exactly.
    pub(crate) payload_hash: PayloadHash,
    /// Why, in their words.
    pub(crate) comment: String,
    /// Where they said it.
    pub(crate) route: Route,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Verdict {
    /// The verdict's word.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// Where a decision was made. Only recorded: the same rules hold on every route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// On the command line.
    Cli,
    /// In the console.
    Console,
    /// By calling the service.
    Grpc,
}

impl Route {
    /// The route's word.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Console => "console",
            Self::Grpc => "grpc",
        }
    }

    /// The route of a word; calling the service when there is none.
    #[must_use]
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "cli" => Some(Self::Cli),
            "console" => Some(Self::Console),
            "grpc" | "" => Some(Self::Grpc),
            _ => None,
        }
    }
}

/// How an execution went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Execution {
    /// How often it was begun.
    pub(crate) attempts: u32,
    /// When it was begun the last time.
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// When its end was known.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// Until when the process that executes is believed to be alive.
    pub(crate) lease_until: Option<DateTime<Utc>>,
    /// What the outside answered, or the error.
    pub(crate) outcome: Option<String>,
}

/// Whether anything may be done at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KillSwitch {
    /// Engaged: nothing is proposed, approved or executed.
    pub(crate) engaged: bool,
    /// Who changed it.
    pub(crate) changed_by: String,
    /// When; nothing when it never was.
    pub(crate) changed_at: Option<DateTime<Utc>>,
    /// And why.
    pub(crate) reason: String,
}

/// Something worth a record in the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEvent {
    pub(crate) actor: String,
    pub(crate) action: &'static str,
    pub(crate) subject: String,
    pub(crate) run_id: Option<RunId>,
    pub(crate) details: CanonicalJson,
}

impl NewEvent {
    /// The event on its way to the audit chain.
    pub(crate) fn into_item(self) -> NewItem {
        let event = AuditEvent {
            id: Uuid::now_v7(),
            actor: self.actor,
            action: self.action.to_owned(),
            subject: self.subject,
            run_id: self.run_id,
            details: self.details.to_string(),
        };
        event.into_item()
    }
}

/// A period of raised load that the scorer found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RiskWindow {
    /// Which window.
    pub(crate) id: RiskWindowId,
    /// The series it is about.
    pub(crate) scope: String,
    /// When it is.
    pub(crate) span: TimeSpan,
    /// P(load of the whole period > its capacity).
    pub(crate) probability: f64,
    /// Incidents expected in it.
    pub(crate) expected: f64,
    /// Incidents that it is compared with.
    pub(crate) capacity: f64,
    /// Where that number comes from.
    pub(crate) capacity_kind: CapacityKind,
    /// The rule that raised it.
    pub(crate) trigger: String,
    /// False for a baseline that is only recorded.
    pub(crate) acts: bool,
    /// What it rests on.
    pub(crate) drivers: Vec<Driver>,
}

/// A forecast, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuedForecast {
    /// Which forecast.
    pub(crate) id: ForecastId,
    /// The run that made it.
    pub(crate) run_id: RunId,
    /// When it was issued.
    pub(crate) issued_at: DateTime<Utc>,
    /// `valid`, `degraded` or `learning`.
    pub(crate) validity: foretide_policy::Validity,
    /// Model that made it, with its version.
    pub(crate) model: String,
}

/// How far a use case may go, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhaseState {
    /// How far.
    pub(crate) phase: Phase,
    /// Since when.
    pub(crate) since: DateTime<Utc>,
}

/// What came of a run's forecast.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProposeOutcome {
    /// Proposals for the run's risk windows, those of an earlier call included.
    pub(crate) proposals: Vec<ProposalId>,
    /// Older proposals that this forecast replaces.
    pub(crate) superseded: u32,
    /// Proposals that nobody decided in time.
    pub(crate) expired: u32,
    /// Why nothing was proposed, if nothing was.
    pub(crate) reason: String,
}

/// Which proposals are asked for, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProposalFilter {
    pub(crate) states: Vec<StateName>,
    pub(crate) use_case: Option<UseCaseId>,
    pub(crate) limit: u64,
}

/// A state as it is stored, without its particulars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateName {
    Waiting,
    Approved,
    Executing,
    Executed,
    Failed,
    Rejected,
    Expired,
    Superseded,
}

impl StateName {
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Approved,
        Self::Executing,
        Self::Executed,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Superseded,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Approved => State::Approved,
            Self::Executing => State::Executing { attempts },
            Self::Executed => State::Executed,
            Self::Failed => State::Failed,
            Self::Rejected => State::Rejected,
            Self::Expired => State::Expired,
            Self::Superseded => State::Superseded,
        }
    }
}

impl From<State> for StateName {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Approved => Self::Approved,
            State::Executing { .. } => Self::Executing,
            State::Executed => Self::Executed,
            State::Failed => Self::Failed,
            State::Rejected => Self::Rejected,
            State::Expired => Self::Expired,
            State::Superseded => Self::Superseded,
        }
    }
}
