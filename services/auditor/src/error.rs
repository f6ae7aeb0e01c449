//! What can go wrong, and what it means to the caller.

use foretide_api::{ErrorCode, FieldError, ServiceError};
use foretide_db::DbError;
use foretide_domain::UseCaseId;
use foretide_lake::LakeError;
use foretide_policy::PhaseRefusal;

/// An error of the auditor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditorError {
    /// A field of the request cannot be used.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Nobody declared this use case.
    #[error("use case {0} is not declared: see the configuration")]
    UnknownUseCase(UseCaseId),
    /// The phase stays as it is.
    #[error(transparent)]
    Phase(#[from] PhaseRefusal),
    /// The same event id with another content.
    #[error(
        "event {0} is in the audit chain already, with another content: choose another event_id"
    )]
    EventDiffers(String),
    /// A service this one needs did not answer as it must.
    #[error("{peer}: {source}")]
    Peer {
        /// Which service.
        peer: &'static str,
        /// What it said.
        source: Box<tonic::Status>,
    },
    /// A service this one needs sent something that cannot be.
    #[error("{peer} sent an answer that cannot be used: {source}")]
    PeerAnswer {
        /// Which service.
        peer: &'static str,
        /// What is wrong.
        source: FieldError,
    },
    /// The table is not what a checkpoint was signed for: nothing more is signed.
    #[error(
        "record {0} is not what was signed: the audit log was cut off or rewritten, and no checkpoint \
         of it is signed; see `audit verify`"
    )]
    NotWhatWasSigned(u64),
    /// What was signed before could not be read yet.
    #[error("nothing is signed before the earlier checkpoints are read")]
    NotResumed,
    /// Nothing was recorded yet.
    #[error("there is no checkpoint of the audit log yet")]
    NoCheckpoint,
    /// A proof of what is not there.
    #[error("there is no such tree: ask for 1 to {0} within a checkpoint that was given out")]
    NoSuchTree(u64),
    /// A checkpoint that cannot be read.
    #[error("a checkpoint of the audit log cannot be used")]
    Note(#[from] foretide_audit_chain::NoteError),
    /// The lake, where checkpoints of the chain are kept.
    #[error("the lake cannot be used for checkpoints of the audit chain")]
    Lake(#[from] LakeError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sea_orm::DbErr> for AuditorError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl ServiceError for AuditorError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(_) => ErrorCode::InvalidArgument,
            Self::UnknownUseCase(_) => ErrorCode::NotFound,
            Self::Phase(refusal) => match refusal {
                PhaseRefusal::NotAPerson | PhaseRefusal::NotApprover => ErrorCode::PermissionDenied,
                PhaseRefusal::NoReason => ErrorCode::InvalidArgument,
                PhaseRefusal::NoChange(_)
                | PhaseRefusal::TooFar { .. }
                | PhaseRefusal::GateNotPassed(_) => ErrorCode::FailedPrecondition,
            },
            Self::NoCheckpoint | Self::NotResumed | Self::NotWhatWasSigned(_) => {
                ErrorCode::FailedPrecondition
            }
            Self::NoSuchTree(_) => ErrorCode::InvalidArgument,
            Self::Note(_) => ErrorCode::Internal,
            Self::EventDiffers(_) => ErrorCode::AlreadyExists,
            Self::Peer { source, .. } => match source.as_ref().code() {
                tonic::Code::InvalidArgument | tonic::Code::PermissionDenied => ErrorCode::Internal,
                _ => ServiceError::code(source.as_ref()),
            },
            Self::PeerAnswer { .. } => ErrorCode::Internal,
            Self::Lake(_) => ErrorCode::Unavailable,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) => ErrorCode::Internal,
        }
    }
}
