//! What the orchestrator asks of the services that do the steps.

use std::time::Duration;

use async_trait::async_trait;
use foretide_domain::{Step, UseCase};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::model::{Run, StepProgress};

/// Why a step was not done, as a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepFailure {
    /// It may succeed later, not before `after`.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// It will not succeed however often it is tried.
    Never { reason: String },
}

/// The services behind the steps.
#[async_trait]
pub(crate) trait StepServices: Send + Sync + 'static {
    /// Does a step of a run, for one use case except for ingest, telling its progress. Doing it
    /// again for the same run must have no second effect. Returns the step's summary.
    async fn perform(
        &self,
        run: &Run,
        step: Step,
        use_case: Option<&UseCase>,
        progress: &mpsc::Sender<StepProgress>,
    ) -> Result<Value, StepFailure>;
}
