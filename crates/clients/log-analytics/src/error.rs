//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use foretide_entra::EntraError;

use crate::answer::AnswerError;

/// A query without a usable answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No token.
    #[error("there is no token for Log Analytics")]
    Token(#[source] EntraError),
    /// The query itself is wrong. Trying again does not help.
    #[error("Log Analytics refuses the query: {message}")]
    BadQuery {
        /// What the service said.
        message: String,
    },
    /// The token is not accepted.
    #[error("Log Analytics does not accept the token: {message}")]
    Unauthorized {
        /// What the service said.
        message: String,
    },
    /// The identity may not read the workspace, or the audience is of another cloud.
    #[error(
        "reading the workspace is not permitted: {message}; give the application the role Log \
         Analytics Reader and check the audience"
    )]
    Forbidden {
        /// What the service said.
        message: String,
    },
    /// There is no such workspace.
    #[error("the workspace {workspace} does not exist: use its GUID (customer id), not its name")]
    UnknownWorkspace {
        /// Which one was asked for.
        workspace: String,
    },
    /// More rows or bytes than an answer may have. Ask for less.
    #[error("the answer is too large: {message}")]
    TooLarge {
        /// What the limit was.
        message: String,
    },
    /// The answer is incomplete. Ask for less.
    #[error("the answer is incomplete: {message}")]
    Partial {
        /// What the service said.
        message: String,
    },
    /// The query took too long. Ask for less.
    #[error("the query took too long")]
    Timeout,
    /// Too many queries: wait.
    #[error("Log Analytics asks to slow down")]
    Throttled {
        /// How long, when the answer says it.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing: try again later.
    #[error("Log Analytics is not available: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long to wait, when the answer says it.
        retry_after: Option<Duration>,
    },
    /// The answer is none of a query.
    #[error("the answer of Log Analytics cannot be read")]
    Unreadable(#[source] AnswerError),
    /// Any other status.
    #[error("Log Analytics answered with status {status}: {message}")]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// What the service said.
        message: String,
    },
}

impl QueryError {
    /// Whether the same query over a shorter time may succeed.
    #[must_use]
    pub fn asks_for_less(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. } | Self::Partial { .. } | Self::Timeout
        )
    }

    /// Whether the workspace has no table of this name: no data of that kind has ever come in.
    #[must_use]
    pub fn misses_table(&self, table: &str) -> bool {
        let Self::BadQuery { message } = self else {
            return false;
        };
        let message = message.to_lowercase();
        let table = table.to_lowercase();
        message.contains("resolve") && message.contains(&format!("'{table}'"))
    }

    /// Whether the same query may succeed later without anybody acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } => true,
            Self::Token(error) => error.is_transient(),
            _ => false,
        }
    }
}
