//! Picking jobs up and ending them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::WorkerContext;
use foretide_domain::JobId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::backoff::Backoff;
use crate::dead_letter::Burial;
use crate::envelope::Envelope;
use crate::handler::{AnyHandler, Attemptable, Erased, Handler};
use crate::job::{Job, JobContext, Outcome};
use crate::queue::Queue;
use crate::store::{Claimed, Ending, HEARTBEAT, NewRow};

/// How often workers look for jobs that other processes have pushed or that have come due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest pause between tries to reach a database that does not answer.
const LONGEST_OUTAGE_PAUSE: Duration = Duration::from_secs(10);

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Jobs done at the same time.
    pub concurrency: usize,
    /// How long running jobs may go on after the shutdown was asked for. What is not done by then is
    /// dropped and picked up by another worker.
    pub drain: Duration,
    /// Pauses between attempts.
    pub backoff: Backoff,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 4,
            drain: Duration::from_secs(25),
            backoff: Backoff::default(),
        }
    }
}

/// Picks jobs up and runs their handlers.
pub struct Worker {
    queue: Queue,
    options: WorkerOptions,
    handlers: HashMap<&'static str, Arc<dyn AnyHandler>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("queue", &self.queue)
            .field("jobs", &self.handlers.keys())
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that knows no jobs yet.
    #[must_use]
    pub fn new(queue: &Queue, options: WorkerOptions) -> Self {
        Self {
            queue: queue.clone(),
            options,
            handlers: HashMap::new(),
        }
    }

    /// Lets the worker do a kind of job.
    #[must_use]
    pub fn with<J: Job>(mut self, handler: impl Handler<J>) -> Self {
        self.handlers
            .insert(J::NAME, Arc::new(Erased::<J, _>::new(handler)));
        self
    }

    /// Works until the shutdown is asked for, then finishes what runs, within the drain limit. Goes
    /// on through outages of the database.
    pub async fn run(self, shutdown: CancellationToken) {
        let session = Session {
            // A new name with each start: the jobs of the process before are then freed.
            worker: WorkerContext::new(&format!("{}-{}", std::process::id(), uuid::Uuid::new_v4())),
            cancelled: CancellationToken::new(),
            queue: self.queue,
            handlers: self.handlers,
            backoff: self.options.backoff,
        };
        let session = Arc::new(session);
        if !session.register(&shutdown).await {
            return;
        }
        let heart = tokio::spawn(Arc::clone(&session).beat());
        let running = TaskTracker::new();
        session
            .pick_until(&shutdown, &running, self.options.concurrency.max(1))
            .await;
        running.close();
        if tokio::time::timeout(self.options.drain, running.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                jobs = running.len(),
                "drain limit reached, leaving jobs to other workers"
            );
            session.cancelled.cancel();
            running.wait().await;
        }
        heart.abort();
    }
}

/// One worker from its start to its end.
struct Session {
    worker: WorkerContext,
    cancelled: CancellationToken,
    queue: Queue,
    handlers: HashMap<&'static str, Arc<dyn AnyHandler>>,
    backoff: Backoff,
}

impl Session {
    async fn register(&self, shutdown: &CancellationToken) -> bool {
        let mut outage = Outage::default();
        while let Err(error) = self.queue.store.register(&self.worker).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot register the worker, trying again"
            );
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(outage.next_pause()) => {}
            }
        }
        true
    }

    /// Says that the worker lives, also while it drains, and frees the jobs of dead workers.
    async fn beat(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.queue.store.heartbeat(&self.worker).await {
                Ok(0) => {}
                Ok(freed) => {
                    tracing::warn!(jobs = freed, "freed the jobs of a worker that died");
                    self.queue.pushed.notify_waiters();
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "heartbeat failed");
                }
            }
        }
    }

    async fn pick_until(
        self: &Arc<Self>,
        shutdown: &CancellationToken,
        running: &TaskTracker,
        concurrency: usize,
    ) {
        let slots = Arc::new(Semaphore::new(concurrency));
        let mut outage = Outage::default();
        loop {
            let slot = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                slot = Arc::clone(&slots).acquire_owned() => slot.expect("the semaphore is never closed"),
            };
            // Asked for before looking, so that a push in between is not missed.
            let pushed = self.queue.pushed.notified();
            // Never cancelled half-way: that would hold on to SQLite's only write lock.
            let pause = match self.queue.store.claim(&self.worker).await {
                Ok(Some(job)) => {
                    outage = Outage::default();
                    let session = Arc::clone(self);
                    running.spawn(async move {
                        session.process(job).await;
                        drop(slot);
                    });
                    continue;
                }
                Ok(None) => {
                    outage = Outage::default();
                    LOOK_EVERY
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot look for jobs, trying again"
                    );
                    outage.next_pause()
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = pushed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn process(&self, claimed: Claimed) {
        let envelope = match Envelope::open(claimed.bytes()) {
            Ok(envelope) => envelope,
            Err(error) => {
                let ending = self.unreadable(&claimed, &error.to_string());
                return self.end(&claimed, claimed.fallback_id(), ending).await;
            }
        };
        let attempt = envelope.attempts.saturating_add(claimed.pick());
        let span = tracing::info_span!(
            "job",
            job.name = envelope.name,
            job.id = %envelope.job_id,
            run_id = envelope.run_id.map(tracing::field::display),
            attempt,
        );
        foretide_telemetry::set_parent(&span, &envelope.traceparent);
        async {
            if let Some(ending) = self.attempt(&envelope, attempt).await {
                self.end(&claimed, envelope.job_id, ending).await;
            }
        }
        .instrument(span)
        .await;
    }

    /// Makes one attempt. Nothing when it had to be dropped.
    async fn attempt(&self, envelope: &Envelope, attempt: u32) -> Option<Ending> {
        let Some(handler) = self.handlers.get(envelope.name.as_str()) else {
            let reason = format!("nobody here handles jobs named {:?}", envelope.name);
            return Some(self.burial(envelope, attempt, reason));
        };
        let context = JobContext {
            job_id: envelope.job_id,
            run_id: envelope.run_id,
            attempt,
            is_last_attempt: attempt >= handler.max_attempts(),
            cancelled: self.cancelled.clone(),
        };
        let job = match handler.read(envelope.version, envelope.payload.clone()) {
            Ok(job) => job,
            Err(error) => {
                let reason = error.to_string();
                handler.died_unread(&context, &reason).await;
                return Some(self.burial(envelope, attempt, reason));
            }
        };
        if attempt > handler.max_attempts() {
            let reason = format!("the process died in the last of {} attempts", attempt - 1);
            return Some(
                self.give_up(&*job, envelope, &context, attempt - 1, reason)
                    .await,
            );
        }
        let outcome = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return None,
            outcome = job.attempt(&context) => outcome,
        };
        Some(match outcome {
            Outcome::Done => Ending::Done,
            Outcome::Retry { reason, after } if !context.is_last_attempt => {
                let delay = self
                    .backoff
                    .pause_after(attempt)
                    .max(after.unwrap_or_default());
                tracing::info!(reason, ?delay, "job will be tried again");
                let bytes = envelope.after_attempts(attempt).bytes();
                Ending::Again(NewRow {
                    bytes,
                    dedup_key: None,
                    delay,
                })
            }
            Outcome::Retry { reason, .. } | Outcome::Fail { reason } => {
                self.give_up(&*job, envelope, &context, attempt, reason)
                    .await
            }
        })
    }

    async fn give_up(
        &self,
        job: &dyn Attemptable,
        envelope: &Envelope,
        context: &JobContext,
        attempts: u32,
        reason: String,
    ) -> Ending {
        job.died(context, &reason).await;
        self.burial(envelope, attempts, reason)
    }

    fn burial(&self, envelope: &Envelope, attempts: u32, reason: String) -> Ending {
        tracing::warn!(reason, attempts, "job becomes a dead letter");
        Ending::Dead(Burial {
            job_id: envelope.job_id,
            name: envelope.name.clone(),
            version: envelope.version,
            run_id: envelope.run_id,
            envelope: envelope.bytes(),
            reason,
            attempts,
            died_at: self.queue.clock.now(),
        })
    }

    fn unreadable(&self, claimed: &Claimed, reason: &str) -> Ending {
        tracing::error!(
            reason,
            "a stored job cannot be read and becomes a dead letter"
        );
        Ending::Dead(Burial {
            job_id: claimed.fallback_id(),
            name: String::new(),
            version: 0,
            run_id: None,
            envelope: claimed.bytes().to_vec(),
            reason: reason.to_owned(),
            attempts: claimed.pick(),
            died_at: self.queue.clock.now(),
        })
    }

    /// Writes the ending, through outages. Given up only when the worker must stop: the job is then
    /// freed like that of a worker that died.
    async fn end(&self, claimed: &Claimed, job_id: JobId, ending: Ending) {
        let mut outage = Outage::default();
        loop {
            match self.queue.store.end(&self.worker, claimed, &ending).await {
                Ok(true) => {
                    if matches!(ending, Ending::Again(_)) {
                        self.queue.pushed.notify_waiters();
                    }
                    return;
                }
                Ok(false) => {
                    tracing::warn!(job.id = %job_id, "another worker holds this job by now, its ending counts");
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, job.id = %job_id, "cannot write how the job ended, trying again");
                }
            }
            tokio::select! {
                () = self.cancelled.cancelled() => return,
                () = tokio::time::sleep(outage.next_pause()) => {}
            }
        }
    }
}

/// Pauses between tries to reach a database that does not answer.
struct Outage(Duration);

impl Default for Outage {
    fn default() -> Self {
        Self(Duration::from_millis(250))
    }
}

impl Outage {
    fn next_pause(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_OUTAGE_PAUSE);
        pause
    }
}
