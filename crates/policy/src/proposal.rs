//! The life of a proposal: the only way from an idea to an effect.
//!
//! ```text
//! waiting -- approve (quorum of others, same hash) --> approved -- begin --> executing -- finish --> executed | failed
//!    |-- reject --> rejected      |-- stop --> failed         '-- resume (once, after a crash) --'
//!    |-- expire --> expired       '-- expire --> expired
//!    '-- supersede --> superseded
//! ```

use chrono::{DateTime, Utc};
use foretide_domain::{Phase, Principal, Role};

use crate::payload_hash::PayloadHash;

/// An execution that was interrupted is tried again once, so that a crash loses no notice and a
/// crash loop sends no flood.
pub const MAX_ATTEMPTS: u32 = 2;

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// For people to decide.
    Waiting,
    /// Approved by enough people, not begun.
    Approved,
    /// Begun, the end not known.
    Executing {
        /// How often it was begun.
        attempts: u32,
    },
    /// Done.
    Executed,
    /// Not done, or not known to be done; never tried again.
    Failed,
    /// A person said no.
    Rejected,
    /// Nobody decided in time: counts as no.
    Expired,
    /// A newer forecast took its place.
    Superseded,
}

/// Somebody's yes, bound to what it was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What exactly.
    pub payload_hash: PayloadHash,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Services never approve or reject.
    #[error("a service cannot decide on a proposal: only a person can")]
    ServiceCannotApprove,
    /// The caller is not an approver.
    #[error("only an approver can decide on a proposal")]
    NotApprover,
    /// One's own proposal.
    #[error("nobody can approve their own proposal: ask another approver")]
    SelfApproval,
    /// A newer forecast took its place.
    #[error("the proposal was superseded by a newer one: decide on that")]
    Superseded,
    /// Too late.
    #[error("the proposal has expired, which counts as rejected")]
    Expired,
    /// It was decided before, or this person has approved it before.
    #[error("the proposal was decided already")]
    AlreadyDecided,
    /// Not what was shown.
    #[error(
        "the payload, its forecast or the policy is not what the hash was made of: look at the proposal again"
    )]
    AlteredPayload,
    /// The kill switch is engaged.
    #[error("the kill switch is engaged: nothing is approved or executed")]
    KillSwitch,
    /// The use case's phase does not allow actions.
    #[error("the use case is in phase shadow: nothing is approved or executed")]
    PhaseForbids,
    /// Execution without enough approvals by others.
    #[error("the proposal has not been approved")]
    NotApproved,
    /// Interrupted too often.
    #[error("the execution was interrupted too often: whether it had an effect is not known")]
    TooManyAttempts,
}

/// What a proposal is held against at the moment of a decision or an execution.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The moment.
    pub now: DateTime<Utc>,
    /// Hash of what would be done, computed anew from what is stored and the policy now in force.
    pub content: PayloadHash,
    /// Phase of the use case.
    pub phase: Phase,
    /// Whether the kill switch is engaged.
    pub kill_switch: bool,
    /// How many different people must approve.
    pub quorum: u32,
}

/// What an approval came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More people must approve.
    Counted {
        /// How many more.
        missing: u32,
    },
    /// Enough have: the proposal is approved.
    QuorumReached,
}

/// Leave to have one effect, once. Cannot be copied, and only a [`Proposal`] gives it out.
#[derive(Debug)]
#[must_use = "a permit that is dropped leaves the proposal executing"]
pub struct ExecutionPermit {
    attempt: u32,
    payload_hash: PayloadHash,
}

impl ExecutionPermit {
    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What exactly may be done.
    #[must_use]
    pub fn payload_hash(&self) -> PayloadHash {
        self.payload_hash
    }
}

/// As much of a proposal as the rules look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Who proposed it.
    pub proposed_by: String,
    /// Hash of what was proposed.
    pub payload_hash: PayloadHash,
    /// When it counts as rejected if it is not done.
    pub expires_at: DateTime<Utc>,
    /// Where it stands.
    pub state: State,
    /// Who has approved it.
    pub approvals: Vec<Approval>,
}

/// Whether two names are of one person: case and any white space or control character do not count.
#[must_use]
pub fn same_person(one: &str, other: &str) -> bool {
    normalised(one) == normalised(other)
}

fn normalised(name: &str) -> String {
    let invisible = |c: &char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    };
    name.chars()
        .filter(|c| !invisible(c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Decides whether this caller's approval counts.
///
/// # Errors
/// Says why it does not. Who may decide at all is checked first, so that nobody else learns more.
pub fn decide(
    proposal: &Proposal,
    caller: &Principal,
    presented: PayloadHash,
    standing: &Standing,
) -> Result<Approval, Refusal> {
    may_decide(caller)?;
    if same_person(&caller.name, &proposal.proposed_by) {
        return Err(Refusal::SelfApproval);
    }
    still_waiting(proposal, standing.now)?;
    let has_approved = |approval: &Approval| same_person(&approval.by, &caller.name);
    if proposal.approvals.iter().any(has_approved) {
        return Err(Refusal::AlreadyDecided);
    }
    if presented != proposal.payload_hash {
        return Err(Refusal::AlteredPayload);
    }
    unchanged_and_allowed(proposal, standing)?;
    Ok(Approval {
        by: caller.name.clone(),
        at: standing.now,
        payload_hash: presented,
    })
}

fn may_decide(caller: &Principal) -> Result<(), Refusal> {
    if !caller.is_person() {
        return Err(Refusal::ServiceCannotApprove);
    }
    let anonymous = normalised(&caller.name).is_empty();
    if !caller.has(Role::Approver) || anonymous {
        return Err(Refusal::NotApprover);
    }
    Ok(())
}

fn still_waiting(proposal: &Proposal, now: DateTime<Utc>) -> Result<(), Refusal> {
    match proposal.state {
        State::Waiting if now >= proposal.expires_at => Err(Refusal::Expired),
        State::Waiting => Ok(()),
        State::Expired => Err(Refusal::Expired),
        State::Superseded => Err(Refusal::Superseded),
        State::Approved
        | State::Executing { .. }
        | State::Executed
        | State::Failed
        | State::Rejected => Err(Refusal::AlreadyDecided),
    }
}

fn unchanged_and_allowed(proposal: &Proposal, standing: &Standing) -> Result<(), Refusal> {
    if standing.content != proposal.payload_hash {
        return Err(Refusal::AlteredPayload);
    }
    if standing.kill_switch {
        return Err(Refusal::KillSwitch);
    }
    if standing.phase == Phase::Shadow {
        return Err(Refusal::PhaseForbids);
    }
    Ok(())
}

impl Proposal {
    /// Counts the caller's approval; with enough of them the proposal is approved.
    ///
    /// # Errors
    /// Says why it does not count; nothing changes then.
    pub fn approve(
        &mut self,
        caller: &Principal,
        presented: PayloadHash,
        standing: &Standing,
    ) -> Result<Progress, Refusal> {
        let approval = decide(self, caller, presented, standing)?;
        self.approvals.push(approval);
        let counted = self.approvals_by_others();
        if counted < standing.quorum {
            return Ok(Progress::Counted {
                missing: standing.quorum - counted,
            });
        }
        self.state = State::Approved;
        Ok(Progress::QuorumReached)
    }

    /// Different people, other than the proposer, who approved exactly this.
    fn approvals_by_others(&self) -> u32 {
        let mut names: Vec<_> = self
            .approvals
            .iter()
            .filter(|approval| approval.payload_hash == self.payload_hash)
            .map(|approval| normalised(&approval.by))
            .filter(|name| *name != normalised(&self.proposed_by))
            .collect();
        names.sort();
        names.dedup();
        u32::try_from(names.len()).unwrap_or(u32::MAX)
    }

    /// Takes the caller's no. One's own proposal may be withdrawn this way, by an approver.
    ///
    /// # Errors
    /// Says why it does not count; nothing changes then.
    pub fn reject(&mut self, caller: &Principal, now: DateTime<Utc>) -> Result<(), Refusal> {
        may_decide(caller)?;
        still_waiting(self, now)?;
        self.state = State::Rejected;
        Ok(())
    }

    /// Lets a newer proposal take the place of one that waits. Tells whether anything changed.
    pub fn supersede(&mut self) -> bool {
        let waits = self.state == State::Waiting;
        if waits {
            self.state = State::Superseded;
        }
        waits
    }

    /// Ends what nobody decided or began in time. Tells whether anything changed.
    pub fn expire(&mut self, now: DateTime<Utc>) -> bool {
        let open = matches!(self.state, State::Waiting | State::Approved);
        let expires = open && now >= self.expires_at;
        if expires {
            self.state = State::Expired;
        }
        expires
    }

    /// Begins the execution, if everything that was true at the approval still is.
    ///
    /// # Errors
    /// Says what is not; nothing changes then.
    pub fn begin(&mut self, standing: &Standing) -> Result<ExecutionPermit, Refusal> {
        match self.state {
            State::Approved => {}
            State::Waiting => return Err(Refusal::NotApproved),
            _ => {
                return Err(still_waiting(self, standing.now)
                    .err()
                    .unwrap_or(Refusal::NotApproved));
            }
        }
        if standing.now >= self.expires_at {
            return Err(Refusal::Expired);
        }
        self.permit(1, standing)
    }

    /// Begins an interrupted execution again.
    ///
    /// # Errors
    /// When it was interrupted too often, or is no longer allowed; nothing changes then.
    pub fn resume(&mut self, standing: &Standing) -> Result<ExecutionPermit, Refusal> {
        let State::Executing { attempts } = self.state else {
            return Err(still_waiting(self, standing.now)
                .err()
                .unwrap_or(Refusal::NotApproved));
        };
        if attempts >= MAX_ATTEMPTS {
            return Err(Refusal::TooManyAttempts);
        }
        self.permit(attempts + 1, standing)
    }

    fn permit(&mut self, attempt: u32, standing: &Standing) -> Result<ExecutionPermit, Refusal> {
        unchanged_and_allowed(self, standing)?;
        if self.approvals_by_others() < standing.quorum.max(1) {
            return Err(Refusal::NotApproved);
        }
        self.state = State::Executing { attempts: attempt };
        Ok(ExecutionPermit {
            attempt,
            payload_hash: self.payload_hash,
        })
    }

    /// Records how the permitted effect ended. Only the first time counts.
    pub fn finish(&mut self, permit: &ExecutionPermit, succeeded: bool) {
        let permitted = State::Executing {
            attempts: permit.attempt,
        };
        if self.state == permitted && permit.payload_hash == self.payload_hash {
            self.state = if succeeded {
                State::Executed
            } else {
                State::Failed
            };
        }
    }

    /// Ends, without an effect, what was approved or interrupted and may not go on. Tells whether
    /// anything changed.
    pub fn stop(&mut self) -> bool {
        let stops = matches!(self.state, State::Approved | State::Executing { .. });
        if stops {
            self.state = State::Failed;
        }
        stops
    }
}
