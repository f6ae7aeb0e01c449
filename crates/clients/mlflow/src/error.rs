//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

/// Why MLflow did not do it.
#[derive(Debug, thiserror::Error)]
pub enum MlflowError {
    /// The configured address is none.
    #[error("the MLflow address must begin with http:// or https://, got {got:?}")]
    BadAddress {
        /// What was given.
        got: String,
    },
    /// The name or id is not there.
    #[error("MLflow does not have it: {message}")]
    NotFound {
        /// The server's words.
        message: String,
    },
    /// The name is taken.
    #[error("MLflow has it already: {message}")]
    AlreadyExists {
        /// The server's words.
        message: String,
    },
    /// The request breaks a rule of the server; the same again fails again.
    #[error("MLflow refuses the request: {code}: {message}")]
    Invalid {
        /// The server's error code.
        code: String,
        /// The server's words.
        message: String,
    },
    /// Not let in.
    #[error("MLflow does not let us in: {message}; check the credentials in mlflow")]
    Unauthorized {
        /// The server's words.
        message: String,
    },
    /// The server does not know itself by the name in the address.
    #[error(
        "MLflow refuses its own host name: start it with MLFLOW_SERVER_ALLOWED_HOSTS naming the host and port of mlflow.url"
    )]
    HostNotAllowed,
    /// Too many requests: wait.
    #[error("MLflow asks to slow down")]
    Throttled {
        /// How long, when the reply says it.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing: try again later.
    #[error("MLflow is not available: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// The reply is none of MLflow.
    #[error(
        "the reply of MLflow cannot be read: {reason}; check that mlflow.url is an MLflow server"
    )]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl MlflowError {
    /// How long the server asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn from_transport(error: &reqwest::Error) -> Self {
        Self::Unavailable {
            reason: foretide_http::transport_reason(error).to_owned(),
        }
    }

    pub(crate) fn from_refusal(
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let text = String::from_utf8_lossy(body);
        if status == StatusCode::FORBIDDEN && text.contains("Invalid Host header") {
            return Self::HostNotAllowed;
        }
        let ErrorBody {
            error_code: code,
            message,
        } = serde_json::from_slice(body).unwrap_or_default();
        let message = first_line(&message, status);
        match (status, code.as_str()) {
            (StatusCode::TOO_MANY_REQUESTS, _) => Self::Throttled { retry_after },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Self::Unauthorized { message },
            (_, "RESOURCE_ALREADY_EXISTS") => Self::AlreadyExists { message },
            (_, "RESOURCE_DOES_NOT_EXIST") => Self::NotFound { message },
            (status, _) if status.is_server_error() => Self::Unavailable { reason: message },
            (_, "") => Self::Malformed {
                reason: format!("HTTP {} without an error code", status.as_u16()),
            },
            _ => Self::Invalid { code, message },
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error_code: String,
    message: String,
}

/// The first sentence is for people; what follows may be SQL.
fn first_line(message: &str, status: StatusCode) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split(" Error: (").next().unwrap_or_default();
    if line.is_empty() {
        return format!("HTTP {}", status.as_u16());
    }
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}
