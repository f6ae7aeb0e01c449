//! A deliberately small set of error codes and the one map to gRPC status.

use tonic::{Code, Status};

/// What an error means to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is wrong and will stay wrong.
    InvalidArgument,
    /// What was asked for is not there.
    NotFound,
    /// It is there already, with other content.
    AlreadyExists,
    /// Right request, wrong moment: the message says what must be done first.
    FailedPrecondition,
    /// The caller is known and may not.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// Too much or too many.
    ResourceExhausted,
    /// Try again later.
    Unavailable,
    /// It took too long.
    DeadlineExceeded,
    /// Our fault. Details stay in the log.
    Internal,
}

impl ErrorCode {
    /// The gRPC code.
    #[must_use]
    pub fn grpc(self) -> Code {
        match self {
            Self::InvalidArgument => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::ResourceExhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }
}

/// An error that may leave a service.
pub trait ServiceError: std::error::Error {
    /// What it means to the caller.
    fn code(&self) -> ErrorCode;
}

impl ServiceError for Status {
    fn code(&self) -> ErrorCode {
        match Status::code(self) {
            Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidArgument,
            Code::NotFound => ErrorCode::NotFound,
            Code::AlreadyExists => ErrorCode::AlreadyExists,
            Code::FailedPrecondition => ErrorCode::FailedPrecondition,
            Code::PermissionDenied => ErrorCode::PermissionDenied,
            Code::Unauthenticated => ErrorCode::Unauthenticated,
            Code::ResourceExhausted => ErrorCode::ResourceExhausted,
            Code::Unavailable | Code::Aborted | Code::Cancelled => ErrorCode::Unavailable,
            Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
            Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
                ErrorCode::Internal
            }
        }
    }
}

/// The only way an error leaves a service: the whole chain of causes goes to the log, the caller
/// gets the code and the message, and of an internal error nothing but the fact.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands in map_err(into_status)"
)]
pub fn into_status<E: ServiceError>(error: E) -> Status {
    let code = error.code();
    let causes = chain(&error);
    match code {
        ErrorCode::Internal => {
            tracing::error!(code = ?code.grpc(), error = %causes, "request failed");
            Status::new(
                code.grpc(),
                "internal error: see the service's log for the cause",
            )
        }
        ErrorCode::Unavailable | ErrorCode::DeadlineExceeded => {
            tracing::warn!(code = ?code.grpc(), error = %causes, "request failed");
            Status::new(code.grpc(), error.to_string())
        }
        _ => {
            tracing::info!(code = ?code.grpc(), error = %causes, "request refused");
            Status::new(code.grpc(), error.to_string())
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
