//! What is allowed. Every rule about acting lives here and nowhere else, pure, so that it can be read
//! and property-tested without a runtime.
//!
//! - [`may_propose`]: whether a forecast may become a proposal.
//! - [`PayloadHash`]: what an approval is bound to: the exact payload, forecast and policy version.
//! - [`Proposal`]: the only way from a proposal to an effect. An effect needs an [`ExecutionPermit`],
//!   and a permit is given out only after the approval of someone else.
//! - [`change_phase`]: up only by a person, one step at a time, with a passed gate; down by anyone who
//!   may, or by a failing gate.
//! - [`judge`], [`judge_windows`]: the three-valued gate, of hours and of warnings.

mod gate;
mod payload_hash;
mod phase;
mod proposal;
mod propose;
mod rules;

pub use gate::{
    Evidence, GateCriteria, GateEvidence, GateReport, Verdict, WindowCriteria, WindowEvidence,
    judge, judge_windows,
};
pub use payload_hash::{PayloadHash, PayloadHashError};
pub use phase::{
    ApprovalNeeded, NEW_PHASE_DAYS, PhaseActor, PhaseRefusal, approval_needed, change_phase,
};
pub use proposal::{
    Approval, ExecutionPermit, MAX_ATTEMPTS, Progress, Proposal, Refusal, Standing, State, decide,
    same_person,
};
pub use propose::{UnknownValidity, Validity, Withheld, may_propose, severity_of_period};
pub use rules::{PolicyVersion, Rules, RulesError};
