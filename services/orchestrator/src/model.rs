//! Runs and steps, in domain types.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use foretide_domain::{RunId, Step, UseCaseId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which part of the way a run walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RunKind {
    /// What is new in the workspace, into features.
    Refresh,
    /// A new champion.
    Train,
    /// The whole way, training only when it is due.
    Forecast,
    /// Settled forecasts beside what happened.
    Evaluate,
}

impl RunKind {
    pub(crate) const ALL: [Self; 4] = [Self::Refresh, Self::Train, Self::Forecast, Self::Evaluate];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Train => "train",
            Self::Forecast => "forecast",
            Self::Evaluate => "evaluate",
        }
    }

    pub(crate) fn steps(self) -> &'static [Step] {
        match self {
            Self::Refresh => &[Step::Ingest, Step::Features],
            Self::Train => &[Step::Ingest, Step::Features, Step::Train],
            Self::Forecast => &Step::ALL,
            Self::Evaluate => &[Step::Audit],
        }
    }
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RunKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| {
                let got: String = text.chars().take(64).collect();
                format!("must be refresh, train, forecast or evaluate, got {got:?}")
            })
    }
}

/// Where a run or a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RunState {
    Queued,
    Running,
    Succeeded,
    Failed,
    /// All steps were done, and a part of what they should have done was not.
    Incomplete,
}

impl RunState {
    const ALL: [Self; 5] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Incomplete,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
        }
    }

    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Incomplete)
    }
}

impl FromStr for RunState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| format!("unknown state {text:?}"))
    }
}

/// What a step told last while it worked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct StepProgress {
    pub(crate) stage: String,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunStep {
    pub(crate) step: Step,
    pub(crate) state: RunState,
    pub(crate) attempts: u32,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) progress: Option<StepProgress>,
    /// By use case (by `all` for ingest), what is done.
    pub(crate) summary: Map<String, Value>,
    pub(crate) error: String,
}

/// One walk along the way of the data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) kind: RunKind,
    /// None means all declared ones.
    pub(crate) use_case: Option<UseCaseId>,
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) state: RunState,
    pub(crate) dedup_key: Option<String>,
    pub(crate) started_by: String,
    pub(crate) force_training: bool,
    pub(crate) queued_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) steps: Vec<RunStep>,
}

impl Run {
    pub(crate) fn step(&self, step: Step) -> Option<&RunStep> {
        self.steps.iter().find(|candidate| candidate.step == step)
    }

    /// The step after the given one.
    pub(crate) fn next_after(&self, step: Step) -> Option<Step> {
        let position = self
            .steps
            .iter()
            .position(|candidate| candidate.step == step)?;
        self.steps.get(position + 1).map(|next| next.step)
    }

    /// The step the run stands at: the first that has not succeeded.
    pub(crate) fn current(&self) -> Option<Step> {
        self.steps
            .iter()
            .find(|step| step.state != RunState::Succeeded)
            .map(|step| step.step)
    }
}

/// What somebody wants to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewRun {
    pub(crate) kind: RunKind,
    pub(crate) use_case: Option<UseCaseId>,
    /// None means now.
    pub(crate) as_of: Option<DateTime<Utc>>,
    pub(crate) dedup_key: Option<String>,
    pub(crate) started_by: String,
    pub(crate) force_training: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_walks_its_steps_in_the_one_order() {
        for kind in RunKind::ALL {
            let steps = kind.steps();
            assert!(!steps.is_empty() && steps.is_sorted(), "{kind}: {steps:?}");
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("Forecast; DROP TABLE run".parse::<RunKind>().is_err());
    }
}
