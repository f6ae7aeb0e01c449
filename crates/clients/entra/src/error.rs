//! What can go wrong, as decisions for the caller.

use std::time::Duration;

use serde::Deserialize;

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
}

/// Error body of the token endpoint.
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
        EntraError::InvalidClient {
            error: if self.error.is_empty() {
                "no error word".to_owned()
            } else {
                clip(&self.error)
            },
            code: number.map_or_else(|| format!("HTTP {status}"), |code| format!("AADSTS{code}")),
            hint: hint(number),
        }
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

fn hint(code: Option<u64>) -> &'static str {
    match code {
        Some(7_000_215) => "the client secret is wrong: give the secret's value, not its id",
        Some(7_000_222) => "the client secret has expired: make a new one and restart",
        Some(700_016) => "the application is not in this tenant: check client id and tenant",
        Some(70_025) => "the application has no federated credential: add one for this workload",
        Some(700_213 | 70_021) => {
            "no federated credential fits: compare issuer, subject and audience; a new one takes some minutes"
        }
        Some(90_002) => "the tenant does not exist in this cloud: check tenant and authority",
        Some(50_034) => "the user does not exist in this tenant",
        _ => "check tenant, client id, secret and audience",
    }
}
