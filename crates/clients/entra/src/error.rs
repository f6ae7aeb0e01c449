//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use serde::Deserialize;

use crate::hints;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum EntraError {
    /// The identity or its request is refused: trying again does not help, an operator must act.
    #[error("Entra ID refuses the client: {code} ({error}); {hint}")]
    InvalidClient {
        /// OAuth error word, e.g. `invalid_client`.
        error: String,
        /// `AADSTS` and number, or the HTTP status when there is none.
        code: String,
        /// What the operator can do.
        hint: &'static str,
    },
    /// What proves the identity cannot be used: a missing variable, an unreadable file.
    #[error("the identity cannot prove itself: {what} {problem}")]
    Credential {
        /// The variable, key or file.
        what: String,
        /// What is wrong with it and what to do, never its content.
        problem: String,
    },
    /// Too many requests: wait.
    #[error("Entra ID asks to slow down")]
    Throttled {
        /// How long, when the reply says it.
        retry_after: Option<Duration>,
    },
    /// Not reachable or failing: try again later.
    #[error("Entra ID is not available: {reason}")]
    Unavailable {
        /// What happened, without secrets.
        reason: String,
    },
    /// The reply is none of a token endpoint.
    #[error(
        "the reply of the token endpoint cannot be read: {reason}; check the authority address"
    )]
    Malformed {
        /// What is wrong with it, without its text.
        reason: String,
    },
}

impl EntraError {
    /// Whether the same request may succeed later without anybody acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    pub(crate) fn credential(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Credential {
            what: what.into(),
            problem: problem.into(),
        }
    }

    /// Whether the endpoint found the assertion too old or too new.
    pub(crate) fn blames_the_time(&self) -> bool {
        matches!(self, Self::InvalidClient { code, .. } if code == "AADSTS700024")
    }
}

/// Error body of the token endpoint and, with fewer fields, of IMDS.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OAuthErrorBody {
    error: String,
    error_description: String,
    error_codes: Vec<u64>,
}

impl OAuthErrorBody {
    pub(crate) fn into_error(self, status: u16) -> EntraError {
        let number = self
            .error_codes
            .first()
            .copied()
            .or_else(|| self.described_code());
        let code = number.map_or_else(|| format!("HTTP {status}"), |code| format!("AADSTS{code}"));
        if hints::is_transient(number) {
            let reason = format!("it answers {code}");
            return EntraError::Unavailable { reason };
        }
        EntraError::InvalidClient {
            error: self.error_word(),
            code,
            hint: hints::advice(number),
        }
    }

    pub(crate) fn error_word(&self) -> String {
        if self.error.is_empty() {
            "no error word".to_owned()
        } else {
            clip(&self.error)
        }
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.error_description.contains(text)
    }

    /// The number in `AADSTS7000215: ...`.
    fn described_code(&self) -> Option<u64> {
        let digits = self.error_description.strip_prefix("AADSTS")?;
        digits
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    }
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
