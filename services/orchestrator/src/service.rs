//! What the orchestrator does, without gRPC and SQL.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_domain::{JobId, RunId, SharedClock, Step, UseCase, UseCaseId};
use foretide_jobs::{DeadLetter, PushOptions, Queue};
use tokio::sync::watch;

use crate::calendar::Calendar;
use crate::error::OrchestratorError;
use crate::metrics::Metrics;
use crate::model::{NewRun, Run, RunState, RunStep};
use crate::steps::RunStepJob;
use crate::storage::Storage;

/// Starts runs, follows them, and takes failed ones up again. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Orchestrator {
    pub(crate) storage: Storage,
    pub(crate) metrics: Metrics,
    queue: Queue,
    calendar: Arc<Calendar>,
    clock: SharedClock,
    use_cases: Arc<Vec<UseCase>>,
    changes: Arc<watch::Sender<()>>,
}

impl Orchestrator {
    pub(crate) fn new(
        storage: Storage,
        queue: Queue,
        calendar: Calendar,
        clock: SharedClock,
        use_cases: Arc<Vec<UseCase>>,
        metrics: Metrics,
    ) -> Self {
        let changes = Arc::new(watch::Sender::new(()));
        let calendar = Arc::new(calendar);
        Self {
            storage,
            metrics,
            queue,
            calendar,
            clock,
            use_cases,
            changes,
        }
    }

    /// What the run counts as: the context's clock, which a replay moves.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Tells watchers of this process that a run has changed. Those of others look every second.
    pub(crate) fn announce(&self) {
        self.changes.send_replace(());
    }

    /// Learns of changes made in this process.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Use cases a step of a run is about: all, or the one that was asked for; until there is a
    /// forecast also the one that it watches. In the order of their declaration, those that watch
    /// others last.
    pub(crate) fn use_cases_of(&self, run: &Run, step: Step) -> impl Iterator<Item = &UseCase> {
        let only = run.use_case.as_ref();
        let only = only.and_then(|only| self.use_cases.iter().find(|one| one.id == *only));
        let is_meant = move |use_case: &&UseCase| {
            only.is_none_or(|only| {
                use_case.id == only.id
                    || step <= Step::Score && only.of.as_ref() == Some(&use_case.id)
            })
        };
        let (watched, watching) = (self.use_cases.iter(), self.use_cases.iter());
        watched
            .filter(|use_case| use_case.of.is_none())
            .chain(watching.filter(|use_case| use_case.of.is_some()))
            .filter(is_meant)
    }

    /// Puts a run on the queue, or returns the one that has its dedup key already.
    pub(crate) async fn start_run(&self, new: NewRun) -> Result<Run, OrchestratorError> {
        self.check_declared(new.use_case.as_ref())?;
        let steps = new.kind.steps().iter().map(|step| waiting(*step)).collect();
        let run = Run {
            id: RunId::new(),
            kind: new.kind,
            use_case: new.use_case,
            as_of: new.as_of.unwrap_or_else(|| self.now()),
            state: RunState::Queued,
            dedup_key: new.dedup_key,
            started_by: new.started_by,
            force_training: new.force_training,
            queued_at: self.now(),
            finished_at: None,
            steps,
        };
        let id = run.id;
        let run = self.storage.insert(run).await?;
        if run.id == id {
            tracing::info!(run_id = %run.id, kind = %run.kind, started_by = run.started_by, "run started");
            self.metrics.run(run.kind, RunState::Queued);
        }
        // A failure here is made up for by the reconciler: the run is stored.
        self.push_current(&run).await?;
        self.announce();
        Ok(run)
    }

    fn check_declared(&self, use_case: Option<&UseCaseId>) -> Result<(), OrchestratorError> {
        let Some(name) = use_case else { return Ok(()) };
        if self.use_cases.iter().any(|declared| declared.id == *name) {
            return Ok(());
        }
        let known: Vec<_> = self
            .use_cases
            .iter()
            .map(|declared| declared.id.as_str())
            .collect();
        Err(OrchestratorError::UnknownUseCase {
            name: name.to_string(),
            known: known.join(", "),
        })
    }

    /// Makes sure that the step the run stands at is on the queue. Any number of calls push it once.
    pub(crate) async fn push_current(&self, run: &Run) -> Result<(), OrchestratorError> {
        let Some(step) = run.current().filter(|_| !run.state.has_ended()) else {
            return Ok(());
        };
        let job = RunStepJob {
            run_id: run.id,
            step,
        };
        let once = format!("run/{}/{step}", run.id);
        let options = PushOptions {
            run_id: Some(run.id),
            ..PushOptions::once(once)
        };
        self.queue.push(&job, options).await?;
        Ok(())
    }

    pub(crate) async fn get_run(&self, id: RunId) -> Result<Run, OrchestratorError> {
        self.storage
            .get(id)
            .await?
            .ok_or(OrchestratorError::NoRun(id))
    }

    pub(crate) async fn list_runs(&self, limit: u64) -> Result<Vec<Run>, OrchestratorError> {
        Ok(self.storage.newest(limit).await?)
    }

    pub(crate) async fn list_dead_letters(
        &self,
        limit: u64,
    ) -> Result<Vec<DeadLetter>, OrchestratorError> {
        Ok(self.queue.list_dead_letters(limit).await?)
    }

    /// Takes a failed run up again at the step whose job died.
    pub(crate) async fn retry_dead_letter(&self, job_id: JobId) -> Result<Run, OrchestratorError> {
        let letter = self.queue.dead_letter(job_id).await?;
        let Some(run_id) = letter.run_id else {
            return Err(OrchestratorError::NoRunToRetry(job_id, letter.reason));
        };
        // The run first: its job may begin at once, and would pass over a failed run. Should we die
        // in between, the dead letter is still there to be retried.
        self.get_run(run_id).await?;
        let run = self.storage.reopen(run_id).await?;
        self.queue.retry_dead_letter(job_id).await?;
        tracing::info!(%run_id, job.id = %job_id, "run taken up again");
        self.announce();
        Ok(run)
    }
}

fn waiting(step: Step) -> RunStep {
    RunStep {
        step,
        state: RunState::Queued,
        attempts: 0,
        started_at: None,
        finished_at: None,
        progress: None,
        summary: serde_json::Map::new(),
        error: String::new(),
    }
}
