//! What went wrong, as decisions for the caller. No variant holds the address.

use std::time::Duration;

/// A notice that was not, or perhaps not, posted.
#[derive(Debug, thiserror::Error)]
pub enum TeamsError {
    /// 400: the workflow does not take this message, or is switched off.
    #[error("the Teams workflow refused the message (400): is the workflow switched on?")]
    Refused,
    /// 401 or 403: the address's signature is not, or no longer, good.
    #[error("the Teams workflow refused the webhook's signature ({0}): make a new webhook address")]
    Unauthorized(u16),
    /// 404 or 410: the workflow was deleted.
    #[error("the Teams workflow is gone ({0}): make a new one and configure its address")]
    Gone(u16),
    /// 413: more than Teams takes.
    #[error("the Teams workflow finds the message too large (413)")]
    TooLarge,
    /// 429: try again later.
    #[error("the Teams workflow takes no more messages for now (429)")]
    RateLimited {
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// 408 or 5xx: try again later.
    #[error("the Teams workflow is not available ({0})")]
    Unavailable(u16),
    /// A status that a workflow does not give.
    #[error("the Teams workflow gave an answer that was not expected ({0})")]
    Unexpected(u16),
    /// No connection: nothing was sent.
    #[error("the Teams workflow cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The connection ended without an answer: the message may have been posted.
    #[error("the Teams workflow did not answer; the message may have been posted")]
    NoAnswer(#[source] reqwest::Error),
}

impl TeamsError {
    /// Whether another try may help and cannot post the message twice.
    #[must_use]
    pub fn is_worth_repeating(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Unavailable(_) | Self::Unreachable(_)
        )
    }

    /// Whether the message may be in the channel despite the error.
    #[must_use]
    pub fn may_have_been_posted(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }
}
