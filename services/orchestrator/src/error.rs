//! What can go wrong, and what it means to the caller.

use foretide_api::{ErrorCode, FieldError, ServiceError};
use foretide_db::DbError;
use foretide_domain::{JobId, RunId};
use foretide_jobs::QueueError;

/// A request to the orchestrator that was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrchestratorError {
    /// A field of the request cannot be used.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Nobody declared this use case.
    #[error("use case {name} is not declared: use one of {known}, or none for all")]
    UnknownUseCase {
        /// What was asked for.
        name: String,
        /// The declared ones.
        known: String,
    },
    /// There is no such run.
    #[error("run {0} not found")]
    NoRun(RunId),
    /// The dead letter belongs to no run, so there is nothing to take up again.
    #[error("dead letter {0} belongs to no run and cannot be retried: {1}")]
    NoRunToRetry(JobId, String),
    /// The queue refused.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The database refused.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl ServiceError for OrchestratorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(error) => error.code(),
            Self::UnknownUseCase { .. }
            | Self::NoRun(_)
            | Self::Queue(QueueError::NoDeadLetter(_)) => ErrorCode::NotFound,
            Self::NoRunToRetry(..) => ErrorCode::FailedPrecondition,
            Self::Database(error) | Self::Queue(QueueError::Database(error))
                if error.is_transient() =>
            {
                ErrorCode::Unavailable
            }
            Self::Queue(_) | Self::Database(_) => ErrorCode::Internal,
        }
    }
}
