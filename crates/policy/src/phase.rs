//! How far a use case may go, and who may change that.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{Phase, Principal, Role};

use crate::gate::Verdict;

/// For so many days after a phase was reached everything still needs approval.
pub const NEW_PHASE_DAYS: i64 = 30;

/// Who changes a phase.
#[derive(Debug, Clone, Copy)]
pub enum PhaseActor<'a> {
    /// Somebody who called.
    Caller(&'a Principal),
    /// A gate's verdict, without a person.
    Gate,
}

/// Why a phase stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhaseRefusal {
    /// It is there already.
    #[error("the phase is {0} already")]
    NoChange(Phase),
    /// Only a person promotes.
    #[error("only a person can raise a phase")]
    NotAPerson,
    /// The caller is not an approver.
    #[error("only an approver can change a phase")]
    NotApprover,
    /// From shadow to proactive in one go.
    #[error("a phase is raised one step at a time: {from} cannot become {to}")]
    TooFar {
        /// The phase now.
        from: Phase,
        /// The phase asked for.
        to: Phase,
    },
    /// No reason was given.
    #[error("a reason is needed to change a phase")]
    NoReason,
    /// The evaluations do not carry it.
    #[error("the gate must pass before a phase is raised: it is {0}")]
    GateNotPassed(Verdict),
}

/// Checks a change of phase.
///
/// # Errors
/// Says why the phase stays as it is.
pub fn change_phase(
    from: Phase,
    to: Phase,
    actor: PhaseActor<'_>,
    reason: &str,
    gate: Verdict,
) -> Result<(), PhaseRefusal> {
    let raises = to > from;
    match actor {
        PhaseActor::Gate if raises => return Err(PhaseRefusal::NotAPerson),
        PhaseActor::Gate => {}
        PhaseActor::Caller(principal) if !principal.is_person() => {
            return Err(PhaseRefusal::NotAPerson);
        }
        PhaseActor::Caller(principal) if !principal.has(Role::Approver) => {
            return Err(PhaseRefusal::NotApprover);
        }
        PhaseActor::Caller(_) => {}
    }
    if from == to {
        return Err(PhaseRefusal::NoChange(from));
    }
    if reason.trim().is_empty() {
        return Err(PhaseRefusal::NoReason);
    }
    if raises && from == Phase::Shadow && to == Phase::Proactive {
        return Err(PhaseRefusal::TooFar { from, to });
    }
    if raises && gate != Verdict::Pass {
        return Err(PhaseRefusal::GateNotPassed(gate));
    }
    Ok(())
}

/// Why an action waits for a person. In this version every action does, in every phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalNeeded {
    /// The phase asks for it.
    #[error("in phase {0} every action needs approval")]
    Phase(Phase),
    /// The phase is too new.
    #[error(
        "in the first {NEW_PHASE_DAYS} days of a phase every action needs approval (until {until})"
    )]
    NewPhase {
        /// When that ends.
        until: DateTime<Utc>,
    },
    /// No kind of action is held to be low-risk enough.
    #[error("no kind of action is done without approval")]
    NoUnattendedKind,
}

/// Why an action proposed now waits for a person.
#[must_use]
pub fn approval_needed(phase: Phase, since: DateTime<Utc>, now: DateTime<Utc>) -> ApprovalNeeded {
    let until = since + TimeDelta::days(NEW_PHASE_DAYS);
    match phase {
        Phase::Shadow | Phase::Assisted => ApprovalNeeded::Phase(phase),
        Phase::Proactive if now < until => ApprovalNeeded::NewPhase { until },
        Phase::Proactive => ApprovalNeeded::NoUnattendedKind,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(roles: &[Role]) -> Principal {
        Principal {
            name: "ada".to_owned(),
            roles: roles.to_vec(),
        }
    }

    fn any_phase() -> impl Strategy<Value = Phase> {
        prop::sample::select(vec![Phase::Shadow, Phase::Assisted, Phase::Proactive])
    }

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        prop::sample::select(vec![Verdict::Pass, Verdict::Fail, Verdict::Inconclusive])
    }

    fn any_roles() -> impl Strategy<Value = Vec<Role>> {
        let all = vec![Role::Viewer, Role::Operator, Role::Approver, Role::Service];
        prop::sample::subsequence(all, 0..=4)
    }

    proptest! {
        #[test]
        fn a_phase_is_raised_only_by_an_approving_person_one_step_with_a_passed_gate(
            from in any_phase(), to in any_phase(), roles in any_roles(), gate in any_verdict(),
            by_gate in any::<bool>(), reason in "[ a]{0,2}",
        ) {
            let principal = person(&roles);
            let actor = if by_gate { PhaseActor::Gate } else { PhaseActor::Caller(&principal) };
            let changed = change_phase(from, to, actor, &reason, gate);
            if changed.is_ok() && to > from {
                prop_assert!(!by_gate && principal.is_person() && principal.has(Role::Approver));
                prop_assert!(gate == Verdict::Pass);
                prop_assert!(to as u8 - from as u8 == 1);
                prop_assert!(!reason.trim().is_empty());
            }
            prop_assert!(changed.is_err() || from != to);
        }
    }

    #[test]
    fn a_gate_may_lower_a_phase_to_the_ground() {
        let gate = PhaseActor::Gate;
        let down = change_phase(
            Phase::Proactive,
            Phase::Shadow,
            gate,
            "gate failed",
            Verdict::Fail,
        );
        assert_eq!(down, Ok(()));
    }

    #[test]
    fn an_operator_may_not_change_a_phase() {
        let operator = person(&[Role::Operator]);
        let actor = PhaseActor::Caller(&operator);
        let raised = change_phase(
            Phase::Shadow,
            Phase::Assisted,
            actor,
            "why not",
            Verdict::Pass,
        );
        assert_eq!(raised, Err(PhaseRefusal::NotApprover));
    }

    #[test]
    fn in_the_first_days_everything_needs_approval() {
        let since: DateTime<Utc> = "2026-01-05T06:00:00Z".parse().expect("valid");
        let until = since + TimeDelta::days(30);
        let at = |days| approval_needed(Phase::Proactive, since, since + TimeDelta::days(days));
        assert_eq!(at(29), ApprovalNeeded::NewPhase { until });
        assert_eq!(at(30), ApprovalNeeded::NoUnattendedKind);
        let assisted = approval_needed(Phase::Assisted, since, until);
        assert_eq!(assisted, ApprovalNeeded::Phase(Phase::Assisted));
    }
}
