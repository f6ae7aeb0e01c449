//! Makes sure that no run waits for a job that was never put on the queue: a process can die between
//! storing a run and pushing its job, or between ending a step and pushing the next.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::OrchestratorError;
use crate::service::Orchestrator;

const EVERY: Duration = Duration::from_secs(30);

/// Looks at all unfinished runs at the start and from time to time. Takes no input, changes nothing
/// that is in order.
pub(crate) async fn keep(orchestrator: Orchestrator, shutdown: CancellationToken) {
    loop {
        if let Err(error) = look(&orchestrator).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "cannot look after unfinished runs, trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(orchestrator: &Orchestrator) -> Result<(), OrchestratorError> {
    for run in orchestrator.storage.unfinished().await? {
        orchestrator.push_current(&run).await?;
    }
    Ok(())
}
