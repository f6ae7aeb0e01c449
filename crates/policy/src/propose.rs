//! Whether a forecast, or a person, may propose an action.

use std::str::FromStr;

use foretide_domain::{ActionKind, Phase, Severity, UseCase};

/// How far the inputs of a forecast can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Its inputs were complete.
    Valid,
    /// Its inputs were incomplete: intervals are widened and actions blocked.
    Degraded,
    /// There is not enough history yet.
    Learning,
}

/// A word that is no validity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("validity must be valid, degraded or learning, got {0:?}")]
pub struct UnknownValidity(String);

impl FromStr for Validity {
    type Err = UnknownValidity;

    fn from_str(text: &str) -> Result<Self, UnknownValidity> {
        match text {
            "valid" => Ok(Self::Valid),
            "degraded" => Ok(Self::Degraded),
            "learning" => Ok(Self::Learning),
            other => Err(UnknownValidity(other.chars().take(64).collect())),
        }
    }
}

/// Why nothing is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The kill switch is engaged.
    #[error("the kill switch is engaged")]
    KillSwitch,
    /// In this phase nothing leaves but our own tables.
    #[error("phase is shadow")]
    Shadow,
    /// The use case does not declare this kind of action.
    #[error("the use case does not declare the action {0}")]
    NotDeclared(ActionKind),
    /// The forecast's inputs were incomplete.
    #[error("the forecast is degraded: its inputs were incomplete")]
    Degraded,
    /// The forecast rests on too little history.
    #[error("the forecast is still learning: there is too little history")]
    Learning,
}

/// Probabilities from which on a high-risk period is of high, and of medium, severity.
const HIGH: f64 = 0.9;
const MEDIUM: f64 = 0.7;

/// How severely a high-risk period of this probability is told of, wherever it is told. Nothing
/// predicted is more than high, and nothing that is told is less than low.
#[must_use]
pub fn severity_of_period(probability: f64) -> Severity {
    if probability >= HIGH {
        Severity::High
    } else if probability >= MEDIUM {
        Severity::Medium
    } else {
        Severity::Low
    }
}

/// Whether an action of this kind may be proposed. A notice written by a person has no validity.
///
/// # Errors
/// Says what stands in the way.
pub fn may_propose(
    phase: Phase,
    kind: ActionKind,
    use_case: &UseCase,
    validity: Option<Validity>,
    kill_switch: bool,
) -> Result<(), Withheld> {
    if kill_switch {
        return Err(Withheld::KillSwitch);
    }
    if phase == Phase::Shadow {
        return Err(Withheld::Shadow);
    }
    if !use_case.actions.contains(&kind) {
        return Err(Withheld::NotDeclared(kind));
    }
    match validity {
        Some(Validity::Degraded) => Err(Withheld::Degraded),
        Some(Validity::Learning) => Err(Withheld::Learning),
        Some(Validity::Valid) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(id: &str) -> UseCase {
        let mut all = UseCase::built_in().into_iter();
        all.find(|use_case| use_case.id.as_str() == id)
            .expect("built in")
    }

    #[test]
    fn only_a_sound_forecast_in_a_phase_that_acts_proposes() {
        let risk = built_in("risk_period");
        let kind = ActionKind::TeamsNotice;
        let valid = Some(Validity::Valid);
        let ask = |phase, validity, kill| may_propose(phase, kind, &risk, validity, kill);

        assert_eq!(ask(Phase::Assisted, valid, false), Ok(()));
        assert_eq!(ask(Phase::Proactive, None, false), Ok(()));
        assert_eq!(ask(Phase::Shadow, valid, false), Err(Withheld::Shadow));
        assert_eq!(ask(Phase::Assisted, valid, true), Err(Withheld::KillSwitch));
        let degraded = Some(Validity::Degraded);
        assert_eq!(
            ask(Phase::Assisted, degraded, false),
            Err(Withheld::Degraded)
        );
        let learning = Some(Validity::Learning);
        assert_eq!(
            ask(Phase::Proactive, learning, false),
            Err(Withheld::Learning)
        );
        let volume = built_in("attack_volume");
        assert_eq!(
            may_propose(Phase::Assisted, kind, &volume, valid, false),
            Err(Withheld::NotDeclared(kind))
        );
    }

    #[test]
    fn an_unknown_validity_is_not_taken_for_valid() {
        assert!("".parse::<Validity>().is_err());
        assert!("VALID".parse::<Validity>().is_err());
    }
}
