//! What can go wrong, and what it means to the caller.

use chrono::{DateTime, Utc};
use foretide_api::{ErrorCode, FieldError, ServiceError};
use foretide_db::DbError;
use foretide_domain::{Measure, RunId};
use foretide_features::FeatureError;
use foretide_lake::LakeError;
use polars::error::PolarsError;

/// A request to the feature store that was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeatureStoreError {
    /// A field of the request cannot be used.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Nobody declared this use case.
    #[error("use case {name:?} is not declared: use one of {known}")]
    UnknownUseCase {
        /// What was asked for.
        name: String,
        /// The declared ones.
        known: String,
    },
    /// Nothing has been ingested that was known at the moment.
    #[error(
        "nothing of measure {measure} is known at {known_at}: ingest has read no row that it counts"
    )]
    NoHistory {
        /// The measure the use case counts.
        measure: Measure,
        /// The moment asked for.
        known_at: DateTime<Utc>,
    },
    /// The answer would be larger than a message can be.
    #[error("{series} series of {hours} hours are more than one answer holds: ask for fewer hours")]
    TooMuch {
        /// Series in the answer.
        series: usize,
        /// Hours of each.
        hours: usize,
    },
    /// One run, two moments.
    #[error("run {run_id} has materialized {use_case} as of {known_at} already: use a new run id")]
    RunUsedTwice {
        /// The run.
        run_id: RunId,
        /// The use case.
        use_case: String,
        /// The moment of the first call.
        known_at: DateTime<Utc>,
    },
    /// A training set that was built before would be another one now.
    #[error(
        "training set {path} cannot be rebuilt to the same bytes: buckets known at its moment were \
         changed; restore them or build one as of a later moment"
    )]
    NotReproducible {
        /// Its path in the lake.
        path: String,
    },
    /// A stored object is damaged.
    #[error("{0}; restore the file, or remove it and run ingest for its day again")]
    Damaged(#[source] LakeError),
    /// The lake failed otherwise.
    #[error(transparent)]
    Lake(LakeError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A view does not fit its counts.
    #[error(transparent)]
    Compute(#[from] FeatureError),
    /// A table could not be made.
    #[error("a table could not be made")]
    Table(#[from] PolarsError),
    /// A worker thread ended early.
    #[error("a worker ended early")]
    Worker(#[from] tokio::task::JoinError),
}

impl From<LakeError> for FeatureStoreError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Corrupt { .. }
            | LakeError::ChecksumMismatch { .. }
            | LakeError::TooLarge { .. }
            | LakeError::NotFound { .. } => Self::Damaged(error),
            other => Self::Lake(other),
        }
    }
}

impl ServiceError for FeatureStoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(error) => error.code(),
            Self::UnknownUseCase { .. } => ErrorCode::NotFound,
            Self::NoHistory { .. } | Self::NotReproducible { .. } | Self::Damaged(_) => {
                ErrorCode::FailedPrecondition
            }
            Self::TooMuch { .. } => ErrorCode::ResourceExhausted,
            Self::RunUsedTwice { .. } => ErrorCode::AlreadyExists,
            Self::Lake(LakeError::Store { .. }) => ErrorCode::Unavailable,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Lake(_)
            | Self::Database(_)
            | Self::Compute(_)
            | Self::Table(_)
            | Self::Worker(_) => ErrorCode::Internal,
        }
    }
}
