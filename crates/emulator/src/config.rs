//! What the emulator knows.

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// How an emulator is set up. The default serves a demo: one tenant, any client, one rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmulatorConfig {
    /// Where to listen; loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The Entra tenant.
    pub tenant: String,
    /// Applications that may ask for tokens; empty lets any in, with any secret.
    pub clients: Vec<ClientConfig>,
    /// Seconds that a token lives.
    pub token_lifetime_seconds: u32,
    /// Data collection rules that take rows.
    pub rules: Vec<RuleConfig>,
    /// Milliseconds until accepted rows show in their table.
    pub visibility_delay_ms: u64,
    /// Engine that runs KQL; without one queries are answered 501.
    pub kql_engine: Option<KqlEngineConfig>,
}

/// An application that may ask for tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Its client id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// A data collection rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its immutable id: `dcr-` and 32 hexadecimal digits.
    pub id: String,
    /// Its streams, e.g. `Custom-PredictiveAlerting_CL`.
    pub streams: Vec<String>,
}

/// A `duckdb-kql serve`, which runs KQL for us.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KqlEngineConfig {
    /// Its address, e.g. `http://127.0.0.1:31415`.
    pub url: Url,
    /// The database it serves.
    pub database: String,
}

/// A configuration that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The signing key is public, so the emulator must not be reachable.
    #[error("listen must be a loopback address, got {0}")]
    NotLoopback(SocketAddr),
    /// Not the id of a rule.
    #[error("rules[].id must be dcr- and 32 hexadecimal digits, got {0:?}")]
    RuleId(String),
    /// Not a name that can stand in a path.
    #[error("{field} must be 1 to 64 letters, digits, '-', '_' or '.', got {got:?}")]
    Name {
        /// Which field.
        field: &'static str,
        /// What was given.
        got: String,
    },
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tenant: Self::TENANT.to_owned(),
            clients: Vec::new(),
            token_lifetime_seconds: 3599,
            rules: vec![RuleConfig {
                id: Self::RULE_ID.to_owned(),
                streams: ["Custom-PredictiveAlerting_CL", "Custom-AI_Governance_CL"]
                    .map(ToOwned::to_owned)
                    .to_vec(),
            }],
            visibility_delay_ms: 0,
            kql_engine: None,
        }
    }
}

impl EmulatorConfig {
    /// The tenant of the default configuration.
    pub const TENANT: &'static str = "00000000-0000-4000-8000-00000000f0e7";
    /// The rule of the default configuration.
    pub const RULE_ID: &'static str = "dcr-00000000000000000000000000000001";

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first field that cannot be served.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback(self.listen));
        }
        check_name("tenant", &self.tenant)?;
        for rule in &self.rules {
            let digits = rule.id.strip_prefix("dcr-").unwrap_or_default();
            if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ConfigError::RuleId(rule.id.clone()));
            }
            rule.streams
                .iter()
                .try_for_each(|stream| check_name("rules[].streams", stream))?;
        }
        Ok(())
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(ConfigError::Name {
            field,
            got: name.chars().take(64).collect(),
        })
    }
}
