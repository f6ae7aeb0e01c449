//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use foretide_entra::EntraError;

use crate::content::WouldClose;

/// A call of Azure Resource Manager that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// No token could be had.
    #[error("no token for Azure Resource Manager")]
    Token(#[source] EntraError),
    /// 400: the request is wrong. Trying again does not help.
    #[error("Azure refuses {what}: {message}")]
    BadRequest {
        /// What was written or read.
        what: String,
        /// The service's words.
        message: String,
    },
    /// 401: the token is not accepted.
    #[error("Azure does not accept the token: {message}; check the tenant and the audience")]
    Unauthorized {
        /// The service's words.
        message: String,
    },
    /// 403: the identity may not.
    #[error("no right to {what}: give the application the role {role}; a grant takes some minutes")]
    Forbidden {
        /// What was tried.
        what: String,
        /// Role that allows it.
        role: &'static str,
    },
    /// 404 of something above what was asked for.
    #[error(
        "{message}: check subscription_id, resource_group and workspace, and that Sentinel is on"
    )]
    UnknownWorkspace {
        /// The service's words.
        message: String,
    },
    /// 404 of something that must be there.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// 409 or 412: somebody else changed it since it was read.
    #[error("{what} was changed meanwhile: {message}; read it again and decide anew")]
    Conflict {
        /// What was written.
        what: String,
        /// The service's words.
        message: String,
    },
    /// A person closed it: a write would reopen it.
    #[error("incident {incident} is closed; it is not touched any more")]
    IncidentClosed {
        /// Its name, a GUID.
        incident: String,
    },
    /// What was to be written would close an incident.
    #[error(transparent)]
    WouldClose(#[from] WouldClose),
    /// 429 beyond what is waited for here.
    #[error("Azure Resource Manager asks to slow down")]
    Throttled {
        /// How long to wait, when the reply says it.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing: try again later. A write may have taken effect.
    #[error("Azure Resource Manager is not available: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// A long-running operation ended without success.
    #[error("Azure could not finish {what}: {message}")]
    OperationFailed {
        /// What was written.
        what: String,
        /// The service's words.
        message: String,
    },
    /// A long-running operation takes longer than is waited for.
    #[error("Azure has not finished {what} after {waited_seconds} s; look again later")]
    OperationSlow {
        /// What was written.
        what: String,
        /// How long was waited.
        waited_seconds: u64,
    },
    /// A link that leads to another host, where the token must not go, or in a circle.
    #[error("Azure's answer about {what} links to a place that is not followed: {reason}")]
    ForeignLink {
        /// What was read.
        what: String,
        /// What is wrong with the link.
        reason: &'static str,
    },
    /// An answer that is none.
    #[error("Azure's answer about {what} cannot be read: {reason}")]
    Unreadable {
        /// What was read.
        what: String,
        /// Where and why.
        reason: String,
    },
    /// A status that is not in the contract.
    #[error("unexpected answer {status} of Azure about {what}: {message}")]
    Unexpected {
        /// What was read or written.
        what: String,
        /// HTTP status.
        status: u16,
        /// The service's words.
        message: String,
    },
}

impl ArmError {
    /// Whether the same call may succeed later without anybody acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::OperationSlow { .. } => true,
            Self::Token(error) => error.is_transient(),
            _ => false,
        }
    }

    /// How long the service asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after }
            | Self::Token(EntraError::Throttled { retry_after }) => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn from_transport(error: &reqwest::Error) -> Self {
        Self::Unavailable {
            reason: foretide_http::transport_reason(error).to_owned(),
        }
    }
}
