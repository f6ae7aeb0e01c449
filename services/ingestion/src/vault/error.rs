//! Why a pseudonym does not lead to a name, or keys stay as they are.

use foretide_api::{ErrorCode, ServiceError};
use foretide_db::DbError;
use foretide_pseudonyms::EpochId;

/// Fewest and most characters of a reason.
pub(crate) const REASON_CHARS: std::ops::RangeInclusive<usize> = 8..=500;

/// A call about pseudonyms that is not carried out. Never holds a name or a key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The caller may not.
    #[error("{0} lacks the role approver")]
    Denied(String),
    /// No usable reason.
    #[error(
        "reason: must be one line of {} to {} characters; it stands in the audit log",
        REASON_CHARS.start(),
        REASON_CHARS.end()
    )]
    Reason,
    /// The caller has tried too often.
    #[error("{0} tries within an hour are enough: wait, or raise pseudonym_resolves_an_hour")]
    TooMany(u32),
    /// Not a pseudonym, kind or name.
    #[error("{0}")]
    Malformed(String),
    /// Nothing is known of it.
    #[error("nothing is known of this pseudonym")]
    Unknown,
    /// It was erased by itself.
    #[error("what stood behind this pseudonym was erased")]
    Erased,
    /// Its keys were dropped.
    #[error("the keys of epoch {0} were dropped: its pseudonyms lead nowhere any more")]
    Gone(EpochId),
    /// No such epoch.
    #[error("there is no epoch {0}: foretide pseudonyms epochs lists them")]
    NoEpoch(EpochId),
    /// The epoch is in force, or will be.
    #[error(
        "epoch {0} is not over: rotate first; then it can be dropped from the day on which the new \
         one is in force"
    )]
    NotOver(EpochId),
    /// The second confirmation is missing.
    #[error("confirm: must repeat {0}; this cannot be undone")]
    NotConfirmed(String),
    /// History is being read with the present keys.
    #[error("a run is reading history: try again when it has ended")]
    Busy,
    /// What was to happen cannot be recorded.
    #[error("the audit log does not answer, so nothing was done or told: try again later")]
    AuditAway(#[source] Box<tonic::Status>),
    /// The master key is not the one that wrapped the secrets.
    #[error(
        "the secrets of epoch {epoch} were wrapped by the master key {wrapped_by}, which is not at \
         hand: set it as previous_pseudonym_key, or put it back"
    )]
    OtherMasterKey {
        /// Whose secrets.
        epoch: EpochId,
        /// The key's id.
        wrapped_by: String,
    },
    /// A stored row that does not open.
    #[error("what is stored of {0} does not open")]
    DoesNotOpen(String),
    /// The machine gives no randomness.
    #[error("no random numbers for a new key: {0}")]
    NoRandomness(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl VaultError {
    /// The word that stands in the audit log for the outcome.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Denied(_) => "refused: lacks the role approver",
            Self::Reason => "refused: no reason",
            Self::TooMany(_) => "refused: too many tries",
            Self::Malformed(_) => "refused: malformed",
            Self::NotConfirmed(_) => "refused: not confirmed",
            Self::Busy => "refused: a run is reading",
            Self::NotOver(_) => "refused: not over",
            Self::Unknown => "unknown",
            Self::NoEpoch(_) => "unknown epoch",
            Self::Erased => "erased before",
            Self::Gone(_) => "dropped before",
            Self::AuditAway(_)
            | Self::OtherMasterKey { .. }
            | Self::DoesNotOpen(_)
            | Self::NoRandomness(_)
            | Self::Database(_) => "failed",
        }
    }
}

impl ServiceError for VaultError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Denied(_) => ErrorCode::PermissionDenied,
            Self::Reason | Self::Malformed(_) | Self::NotConfirmed(_) => ErrorCode::InvalidArgument,
            Self::TooMany(_) => ErrorCode::ResourceExhausted,
            Self::Unknown | Self::NoEpoch(_) => ErrorCode::NotFound,
            Self::Erased | Self::Gone(_) | Self::NotOver(_) => ErrorCode::FailedPrecondition,
            Self::Busy | Self::AuditAway(_) => ErrorCode::Unavailable,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::OtherMasterKey { .. }
            | Self::DoesNotOpen(_)
            | Self::NoRandomness(_)
            | Self::Database(_) => ErrorCode::Internal,
        }
    }
}
