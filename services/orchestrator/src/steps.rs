//! One step of a run, as a job.

use std::time::Duration;

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_domain::{RunId, Step, UseCase};
use foretide_jobs::{Handler, Job, JobContext, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::error::OrchestratorError;
use crate::model::{Run, RunState, StepProgress};
use crate::pipeline::{StepFailure, StepServices};
use crate::service::Orchestrator;

/// Under this name the summary of a step that is not done by use case is kept.
const ALL: &str = "all";
/// Progress is written down at most this often, and whenever the stage changes.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Pause before a database that does not answer is asked again.
const OUTAGE_PAUSE: Duration = Duration::from_secs(2);

/// A step of a run, to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunStepJob {
    pub(crate) run_id: RunId,
    pub(crate) step: Step,
}

impl Job for RunStepJob {
    const NAME: &'static str = "run_step";
    const VERSION: u32 = 1;
    const MAX_ATTEMPTS: u32 = 8;

    fn deadline(&self) -> Duration {
        let minutes = match self.step {
            Step::Ingest => 30,
            Step::Features | Step::Score | Step::Audit => 15,
            Step::Train => 90,
            Step::Act => 5,
        };
        Duration::from_secs(minutes * 60)
    }
}

/// Does the steps of runs.
pub(crate) struct StepHandler<S> {
    orchestrator: Orchestrator,
    services: S,
}

impl<S: StepServices> StepHandler<S> {
    pub(crate) fn new(orchestrator: Orchestrator, services: S) -> Self {
        Self {
            orchestrator,
            services,
        }
    }

    async fn work(
        &self,
        job: &RunStepJob,
        context: &JobContext,
    ) -> Result<Outcome, OrchestratorError> {
        let (storage, now) = (&self.orchestrator.storage, self.orchestrator.now());
        let run = match storage
            .begin_step(job.run_id, job.step, context.attempt, now)
            .await
        {
            Err(DbError::NotFound { what }) => {
                return Ok(Outcome::fail(format!("{what} not found")));
            }
            run => run?,
        };
        self.orchestrator.announce();
        if run.state == RunState::Failed {
            tracing::info!(step = %job.step, "the run has failed meanwhile, nothing to do");
            return Ok(Outcome::Done);
        }
        let already_done = run
            .step(job.step)
            .is_some_and(|step| step.state == RunState::Succeeded);
        if !already_done && let Err(failure) = self.perform(&run, job.step).await? {
            return self.postpone(job, failure).await;
        }
        let run = storage
            .succeed_step(job.run_id, job.step, self.orchestrator.now())
            .await?;
        if !already_done {
            self.record(&run, job.step);
        }
        self.orchestrator.push_current(&run).await?;
        self.orchestrator.announce();
        Ok(Outcome::Done)
    }

    /// Does the parts of a step that are not done yet.
    async fn perform(
        &self,
        run: &Run,
        step: Step,
    ) -> Result<Result<(), StepFailure>, OrchestratorError> {
        let done = run.step(step).map(|step| &step.summary);
        let parts: Vec<Option<&UseCase>> = match step {
            Step::Ingest => vec![None],
            _ => self
                .orchestrator
                .use_cases_of(run, step)
                .map(Some)
                .collect(),
        };
        for use_case in parts {
            let name = use_case.map_or(ALL, |use_case| use_case.id.as_str());
            if done.is_some_and(|done| done.contains_key(name)) {
                continue;
            }
            let (sender, progress) = mpsc::channel(16);
            let noting = self.note_progress(run.id, step, use_case, progress);
            let performing = async {
                let outcome = self.services.perform(run, step, use_case, &sender).await;
                drop(sender);
                outcome
            };
            let (outcome, ()) = futures::join!(performing, noting);
            match outcome {
                Ok(summary) => {
                    self.orchestrator
                        .storage
                        .note_part(run.id, step, name, &summary)
                        .await?;
                    self.orchestrator.announce();
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(()))
    }

    async fn note_progress(
        &self,
        run_id: RunId,
        step: Step,
        use_case: Option<&UseCase>,
        mut progress: mpsc::Receiver<StepProgress>,
    ) {
        let mut written: Option<(tokio::time::Instant, String)> = None;
        while let Some(mut told) = progress.recv().await {
            let is_fresh = written.as_ref().is_some_and(|(at, stage)| {
                *stage == told.stage && at.elapsed() < PROGRESS_EVERY && told.done < told.total
            });
            if is_fresh {
                continue;
            }
            written = Some((tokio::time::Instant::now(), told.stage.clone()));
            if let Some(use_case) = use_case {
                told.stage = format!("{}: {}", use_case.id, told.stage);
            }
            match self
                .orchestrator
                .storage
                .note_progress(run_id, step, &told)
                .await
            {
                Ok(()) => self.orchestrator.announce(),
                // Progress is for the eye: the step goes on without.
                Err(error) => tracing::debug!(%error, "progress not written down"),
            }
        }
    }

    async fn postpone(
        &self,
        job: &RunStepJob,
        failure: StepFailure,
    ) -> Result<Outcome, OrchestratorError> {
        match failure {
            // The death of the job, which follows, writes the reason down.
            StepFailure::Never { reason } => Ok(Outcome::Fail { reason }),
            StepFailure::Later { reason, after } => {
                self.orchestrator
                    .storage
                    .postpone_step(job.run_id, job.step, &reason)
                    .await?;
                self.orchestrator.announce();
                Ok(Outcome::Retry { reason, after })
            }
        }
    }

    fn record(&self, run: &Run, step: Step) {
        if let Some(step) = run.step(step)
            && let (Some(started), Some(finished)) = (step.started_at, step.finished_at)
        {
            self.orchestrator
                .metrics
                .step(step.step, finished - started);
        }
        if run.state.has_ended() {
            self.orchestrator.metrics.run(run.kind, run.state);
        }
    }

    async fn mark_failed(
        &self,
        run_id: RunId,
        step: Option<Step>,
        reason: &str,
    ) -> Result<(), DbError> {
        let storage = &self.orchestrator.storage;
        let Some(run) = storage.get(run_id).await? else {
            return Ok(());
        };
        let Some(step) = step.or_else(|| run.current()) else {
            return Ok(());
        };
        let run = storage
            .fail_step(run_id, step, reason, self.orchestrator.now())
            .await?;
        if run.state == RunState::Failed {
            self.orchestrator.metrics.run(run.kind, RunState::Failed);
        }
        Ok(())
    }
}

#[async_trait]
impl<S: StepServices> Handler<RunStepJob> for StepHandler<S> {
    async fn handle(&self, job: &RunStepJob, context: &JobContext) -> Outcome {
        match self.work(job, context).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let causes = &error as &dyn std::error::Error;
                tracing::warn!(error = causes, step = %job.step, "step cannot be written down");
                Outcome::retry(format!("the orchestrator's database: {error}"))
            }
        }
    }

    async fn died(&self, job: Option<&RunStepJob>, context: &JobContext, reason: &str) {
        let Some(run_id) = job.map(|job| job.run_id).or(context.run_id) else {
            return;
        };
        // A run must not look alive while its job is dead, so this goes on through outages.
        while let Err(error) = self
            .mark_failed(run_id, job.map(|job| job.step), reason)
            .await
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                %run_id,
                "cannot mark the run as failed, trying again"
            );
            tokio::select! {
                () = context.cancelled.cancelled() => return,
                () = tokio::time::sleep(OUTAGE_PAUSE) => {}
            }
        }
        self.orchestrator.announce();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_jobs_of_every_version_stay_readable() {
        let golden = include_str!("../tests/golden/run_step.v1.json");
        let payload: serde_json::Value = serde_json::from_str(golden).unwrap();
        let job = RunStepJob::read(1, payload.clone()).unwrap();
        assert_eq!(serde_json::to_value(&job).unwrap(), payload);
        assert_eq!(job.step, Step::Features);
        assert!(RunStepJob::read(2, payload).is_err());
    }
}
