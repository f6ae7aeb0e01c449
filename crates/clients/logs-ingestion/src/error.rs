//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use foretide_entra::EntraError;

/// A rule that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not an address one can append to.
    #[error("endpoint must be an http(s) address, got {got:?}")]
    Endpoint {
        /// What was given.
        got: String,
    },
    /// Not a workspace's GUID.
    #[error("workspace_id must be the workspace's GUID (customer id), got {got:?}")]
    WorkspaceId {
        /// What was given.
        got: String,
    },
    /// Not a workspace's key.
    #[error("shared_key must be the workspace's primary or secondary key, which is base64")]
    SharedKey,
    /// Not an immutable id.
    #[error("dcr_immutable_id must be dcr- and 32 hexadecimal digits, got {got:?}")]
    RuleId {
        /// What was given.
        got: String,
    },
}

/// Why a chunk was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// One row alone is larger than a call may be. The other rows are not concerned.
    #[error("row {row} is {bytes} bytes; one call takes at most 1 MiB")]
    RowTooLarge {
        /// Its position among the given rows.
        row: usize,
        /// Its size as JSON.
        bytes: usize,
    },
    /// 400: the rows do not fit the stream, or there is no such stream.
    #[error(
        "stream {stream} refuses the rows: {message}; compare the rows with the stream's columns"
    )]
    BadPayload {
        /// Which stream.
        stream: String,
        /// The service's words.
        message: String,
    },
    /// 401: the token is not accepted.
    #[error("the token is refused: {message}; check audience and tenant")]
    Unauthorized {
        /// The service's words.
        message: String,
    },
    /// 403: the identity may not write through the rule.
    #[error(
        "no right to write through {rule}: give the identity Monitoring Metrics Publisher on it; a grant takes up to 30 minutes"
    )]
    Forbidden {
        /// Which rule.
        rule: String,
    },
    /// 404: no such rule at this endpoint.
    #[error("there is no rule {rule} at this endpoint: check the immutable id and the region")]
    UnknownRule {
        /// Which rule.
        rule: String,
    },
    /// 413, of a single row.
    #[error("the service finds the row too large")]
    TooLarge,
    /// 429 beyond what is waited for here.
    #[error("the rule's limits are reached; try again later")]
    Throttled {
        /// How long to wait, when the reply says it.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing: try again later. Rows may have arrived if the answer was lost.
    #[error("the logs ingestion endpoint is not available: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
    /// A status that is not in the contract.
    #[error("unexpected answer {status} of the logs ingestion endpoint: {message}")]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// The service's words.
        message: String,
    },
    /// No token could be had.
    #[error("no token for the logs ingestion endpoint")]
    Token(#[source] EntraError),
    /// An earlier chunk met an error that this one would meet too.
    #[error("not tried after the error of an earlier chunk")]
    NotTried,
}

impl UploadError {
    /// Whether the same rows may be accepted later. False: the rows themselves are at fault.
    #[must_use]
    pub fn worth_another_try(&self) -> bool {
        !matches!(
            self,
            Self::RowTooLarge { .. } | Self::BadPayload { .. } | Self::TooLarge
        )
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

    pub(crate) fn concerns_every_chunk(&self) -> bool {
        self.worth_another_try()
    }

    pub(crate) fn from_transport(error: &reqwest::Error) -> Self {
        Self::Unavailable {
            reason: foretide_http::transport_reason(error).to_owned(),
        }
    }
}
