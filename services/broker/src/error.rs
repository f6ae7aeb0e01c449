//! What can go wrong, and what it means to the caller.

use foretide_api::{ErrorCode, FieldError, ServiceError};
use foretide_db::DbError;
use foretide_domain::{ProposalId, RunId, UseCaseId};
use foretide_policy::{Refusal, Withheld};
use foretide_teams::MessageError;

/// An error of the broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// A field of the request cannot be used.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Nobody declared this use case.
    #[error("use case {0} is not declared: see the configuration")]
    UnknownUseCase(UseCaseId),
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    UnknownProposal(ProposalId),
    /// The run has made no forecast of this use case.
    #[error("run {run_id} has no forecast of {use_case}: run the step score first")]
    NoForecast {
        /// Which run.
        run_id: RunId,
        /// Which use case.
        use_case: UseCaseId,
    },
    /// The policy says no.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The policy does not let it be proposed.
    #[error("nothing can be proposed: {0}")]
    Withheld(#[from] Withheld),
    /// Services do not write notices.
    #[error("only a person can propose a notice by hand")]
    NotAPerson,
    /// The kill switch is for people.
    #[error("{name} may not {what} the kill switch: {who} can")]
    KillSwitch {
        /// Who asked.
        name: String,
        /// To engage or to release.
        what: &'static str,
        /// Who may.
        who: &'static str,
    },
    /// There is nowhere to send notices to.
    #[error("no Teams webhook is configured: set broker.teams.webhook_url and approve again")]
    NoWebhook,
    /// Planning incidents are not written from here.
    #[error(
        "planning incidents are not written directly: set broker.planning_incidents.mode to direct, \
         with workspace and identity, and approve again"
    )]
    NoPlanner,
    /// What would be sent is more than Teams takes.
    #[error("no card can be made of it")]
    Message(#[from] MessageError),
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
    /// The execution's task ended abnormally; it is resumed later.
    #[error("the execution was interrupted and will be resumed")]
    Interrupted,
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sea_orm::DbErr> for BrokerError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl ServiceError for BrokerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(_) => ErrorCode::InvalidArgument,
            Self::UnknownUseCase(_) | Self::UnknownProposal(_) => ErrorCode::NotFound,
            Self::Refused(refusal) => match refusal {
                Refusal::ServiceCannotApprove | Refusal::NotApprover | Refusal::SelfApproval => {
                    ErrorCode::PermissionDenied
                }
                Refusal::Superseded
                | Refusal::Expired
                | Refusal::AlreadyDecided
                | Refusal::AlteredPayload
                | Refusal::KillSwitch
                | Refusal::PhaseForbids
                | Refusal::NotApproved
                | Refusal::TooManyAttempts => ErrorCode::FailedPrecondition,
            },
            Self::NotAPerson | Self::KillSwitch { .. } => ErrorCode::PermissionDenied,
            Self::Message(_)
            | Self::NoForecast { .. }
            | Self::Withheld(_)
            | Self::NoWebhook
            | Self::NoPlanner => ErrorCode::FailedPrecondition,
            Self::Peer { source, .. } => match source.as_ref().code() {
                tonic::Code::InvalidArgument | tonic::Code::PermissionDenied => ErrorCode::Internal,
                _ => ServiceError::code(source.as_ref()),
            },
            Self::PeerAnswer { .. } => ErrorCode::Internal,
            Self::Interrupted => ErrorCode::Unavailable,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) => ErrorCode::Internal,
        }
    }
}
