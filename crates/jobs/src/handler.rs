//! Handlers, and handlers whose job type has been forgotten.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use serde_json::Value;

use crate::job::{Job, JobContext, Outcome, PayloadError};

/// Does one kind of job.
#[async_trait]
pub trait Handler<J: Job>: Send + Sync + 'static {
    /// Does the job, or says why not. May be called again for the same job, even at the same time
    /// when a worker was believed dead, so effects must be idempotent.
    async fn handle(&self, job: &J, context: &JobContext) -> Outcome;

    /// Called before the job becomes a dead letter, for whatever reason: also when the process died
    /// in every attempt, and without the job when its payload cannot be read. Must be idempotent.
    async fn died(&self, _job: Option<&J>, _context: &JobContext, _reason: &str) {}
}

/// A handler for jobs of a kind that only it knows.
#[async_trait]
pub(crate) trait AnyHandler: Send + Sync {
    fn max_attempts(&self) -> u32;
    async fn died_unread(&self, context: &JobContext, reason: &str);
    fn read(&self, version: u32, payload: Value) -> Result<Box<dyn Attemptable>, PayloadError>;
}

/// A job beside its handler.
#[async_trait]
pub(crate) trait Attemptable: Send + Sync {
    async fn attempt(&self, context: &JobContext) -> Outcome;
    async fn died(&self, context: &JobContext, reason: &str);
}

pub(crate) struct Erased<J, H> {
    handler: Arc<H>,
    job: PhantomData<fn() -> J>,
}

impl<J: Job, H: Handler<J>> Erased<J, H> {
    pub(crate) fn new(handler: H) -> Self {
        Self {
            handler: Arc::new(handler),
            job: PhantomData,
        }
    }
}

#[async_trait]
impl<J: Job, H: Handler<J>> AnyHandler for Erased<J, H> {
    async fn died_unread(&self, context: &JobContext, reason: &str) {
        tell::<J, H>(&self.handler, None, context, reason).await;
    }

    fn max_attempts(&self) -> u32 {
        J::MAX_ATTEMPTS.max(1)
    }

    fn read(&self, version: u32, payload: Value) -> Result<Box<dyn Attemptable>, PayloadError> {
        let job = J::read(version, payload)?;
        Ok(Box::new(Readied {
            job,
            handler: Arc::clone(&self.handler),
        }))
    }
}

struct Readied<J, H> {
    job: J,
    handler: Arc<H>,
}

#[async_trait]
impl<J: Job, H: Handler<J>> Attemptable for Readied<J, H> {
    async fn attempt(&self, context: &JobContext) -> Outcome {
        let deadline = self.job.deadline();
        let work = AssertUnwindSafe(self.handler.handle(&self.job, context)).catch_unwind();
        match tokio::time::timeout(deadline, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Outcome::retry(format!("panicked: {}", panic_text(&*panic))),
            Err(_) => Outcome::retry(format!("took longer than {}", seconds(deadline))),
        }
    }

    async fn died(&self, context: &JobContext, reason: &str) {
        tell(&self.handler, Some(&self.job), context, reason).await;
    }
}

async fn tell<J: Job, H: Handler<J>>(
    handler: &Arc<H>,
    job: Option<&J>,
    context: &JobContext,
    reason: &str,
) {
    let told = AssertUnwindSafe(handler.died(job, context, reason)).catch_unwind();
    if let Err(panic) = told.await {
        let panic = panic_text(&*panic);
        tracing::error!(job.id = %context.job_id, panic, "handler panicked on hearing of a death");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
