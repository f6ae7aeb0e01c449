//! Errors that leave the service.

use chrono::NaiveDate;
use foretide_api::{ErrorCode, ServiceError};
use foretide_db::DbError;
use foretide_domain::{RunId, SentinelTable};
use foretide_jobs::QueueError;

use crate::backfill::BackfillState;
use crate::source::IngestError;
use crate::vault::VaultError;

/// A call that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum IngestionError {
    /// The table is known but not read here.
    #[error("the table {0} is not configured: add it to tables")]
    NotConfigured(SentinelTable),
    /// The source cannot be reached.
    #[error("the source cannot be reached")]
    Source(#[source] IngestError),
    /// No row could be read, and none was before.
    #[error("nothing could be read: {0}")]
    NothingRead(String),
    /// There is no such backfill.
    #[error("there is no backfill {0}: see `foretide backfill list`")]
    UnknownBackfill(RunId),
    /// A backfill cannot be changed so from the state it is in.
    #[error("the backfill {id} is {state}: it cannot be {wanted}")]
    WrongState {
        /// Which one.
        id: RunId,
        /// Its state.
        state: BackfillState,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Backfills run one after the other.
    #[error("the backfill {0} runs: wait for it, pause it or cancel it")]
    OtherRuns(RunId),
    /// What was quoted may not be true any more.
    #[error("the quote {0} is older than a day: plan again")]
    QuoteExpired(RunId),
    /// The budget does not allow it.
    #[error(
        "beyond the query budget: {limits}; accept the cost of {quoted:.3} GB (--accept-cost), plan \
         less, or raise log_analytics.cost.budget"
    )]
    BeyondBudget {
        /// Which limits, in words.
        limits: String,
        /// GB quoted.
        quoted: f64,
    },
    /// Less is accepted than was quoted.
    #[error(
        "{accepted} GB are accepted and {quoted:.3} GB are quoted: accept as much, or plan less"
    )]
    AcceptedTooLittle {
        /// GB accepted.
        accepted: f64,
        /// GB quoted.
        quoted: f64,
    },
    /// The span holds nothing new.
    #[error(
        "there is nothing to read: the source has no objects of these days and tables, or all of \
         them have been read"
    )]
    NothingToRead,
    /// More parts than are kept.
    #[error("{0} parts are too many: plan fewer days or tables")]
    TooManyParts(usize),
    /// A day is there twice, in ways in which its rows cannot be told apart.
    #[error(
        "{table} of {day} is there as data_export and as export_job, and its rows would count twice: \
         name one source"
    )]
    ToldTwice {
        /// Which table.
        table: SentinelTable,
        /// A day that is there twice.
        day: NaiveDate,
    },
    /// Nothing is to be tried again.
    #[error("no part of the backfill {0} has failed")]
    NothingFailed(RunId),
    /// The queue.
    #[error("the job queue does not answer")]
    Queue(#[from] QueueError),
    /// The keys of pseudonyms.
    #[error("the keys of pseudonyms cannot be had")]
    Vault(#[from] VaultError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] DbError),
}

impl ServiceError for IngestionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotConfigured(_) | Self::TooManyParts(_) | Self::ToldTwice { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::UnknownBackfill(_) => ErrorCode::NotFound,
            Self::NothingRead(_)
            | Self::WrongState { .. }
            | Self::OtherRuns(_)
            | Self::QuoteExpired(_)
            | Self::AcceptedTooLittle { .. }
            | Self::NothingToRead
            | Self::NothingFailed(_) => ErrorCode::FailedPrecondition,
            Self::BeyondBudget { .. } => ErrorCode::ResourceExhausted,
            Self::Queue(_) => ErrorCode::Unavailable,
            Self::Source(_) => ErrorCode::Unavailable,
            Self::Vault(error) => error.code(),
            Self::Ledger(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Ledger(_) => ErrorCode::Internal,
        }
    }
}
