//! Errors as pages: clear words, no internals.

use axum::response::{IntoResponse, Redirect, Response};
use foretide_api::FieldError;
use http::StatusCode;
use tonic::Code;

use crate::page::{self, ErrorPage};
use crate::session;

/// A page that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// A service said no, or said nothing.
    #[error("{service}: {status}")]
    Service {
        service: &'static str,
        status: Box<tonic::Status>,
    },
    /// A service's answer contradicts the protocol.
    #[error("{service} gave an answer that cannot be shown: {source}")]
    Answer {
        service: &'static str,
        source: FieldError,
    },
    /// A part of the address is not what it must be.
    #[error("{0}")]
    Address(String),
    /// The form did not come from a page of ours.
    #[error("the form has expired or did not come from this console")]
    Forged,
    /// Nothing is there.
    #[error("there is no such page")]
    NotFound,
}

impl PageError {
    pub(crate) fn from_status(service: &'static str, status: tonic::Status) -> Self {
        Self::Service {
            service,
            status: Box::new(status),
        }
    }

    /// The HTTP status that says the same.
    pub(crate) fn http_status(&self) -> StatusCode {
        match self {
            Self::Service { status, .. } => match status.code() {
                Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
                Code::NotFound => StatusCode::NOT_FOUND,
                Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => {
                    StatusCode::CONFLICT
                }
                Code::PermissionDenied => StatusCode::FORBIDDEN,
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                Code::Unavailable | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
                Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::Answer { .. } => StatusCode::BAD_GATEWAY,
            Self::Address(_) => StatusCode::BAD_REQUEST,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }

    /// What a person may read. What a service says about itself (connections, causes) stays in
    /// the log.
    pub(crate) fn explanation(&self) -> String {
        match self {
            Self::Service { service, status } => match status.code() {
                Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::FailedPrecondition
                | Code::PermissionDenied
                | Code::ResourceExhausted => sentence(status.message()),
                Code::DeadlineExceeded => format!("The {service} took too long to answer. Try again in a moment."),
                Code::Unavailable | Code::Cancelled | Code::Aborted => {
                    format!("The {service} cannot be reached at the moment. Try again in a moment.")
                }
                _ => format!("The {service} failed. Its log tells why."),
            },
            Self::Answer { service, .. } => {
                format!("The {service} gave an answer that this console cannot show.")
            }
            Self::Address(problem) => sentence(problem),
            Self::Forged => {
                "The form has expired or did not come from this console. Open the page again and repeat what you did."
                    .to_owned()
            }
            Self::NotFound => "There is no such page.".to_owned(),
        }
    }
}

/// A lower-case message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.trim().chars();
    let Some(first) = characters.next() else {
        return "The request was refused.".to_owned();
    };
    let mut sentence: String = first.to_uppercase().chain(characters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.http_status();
        if status == StatusCode::UNAUTHORIZED {
            return ([session::forget()], Redirect::to("/login")).into_response();
        }
        if status.is_server_error() {
            tracing::warn!(error = %self, "a page could not be shown");
        }
        page::render(status, &ErrorPage::new(status, self.explanation()))
    }
}
