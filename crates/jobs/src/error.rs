//! Errors of the queue.

use foretide_db::DbError;
use foretide_domain::JobId;

/// Why the queue could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue's tables could not be set up.
    #[error("cannot set up the job queue's tables")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database refused or does not answer.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The job's payload cannot be written as JSON.
    #[error("payload of job {name} cannot be stored")]
    Payload {
        /// Which kind of job.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// There is no such dead letter, or it has been retried already.
    #[error("dead letter {0} not found: it may have been retried already")]
    NoDeadLetter(JobId),
}

impl From<sqlx::Error> for QueueError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}
