#![doc = include_str!("../README.md")]

mod cache;
mod certificate;
mod cloud;
mod config;
mod endpoint;
mod error;
mod files;
mod hints;
mod host;
mod managed;
mod reply;
mod tokens;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use cloud::Cloud;
pub use config::{Credential, IdentityConfig, ManagedIdentity};
pub use error::EntraError;
pub use tokens::{Environment, IdentityTokens};

/// Where Azure clients get their bearer tokens from.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token for the audience (`https://monitor.azure.com`, without `/.default`), from the cache
    /// when it is still good.
    ///
    /// # Errors
    /// When no token can be had and none that still lives is cached.
    async fn token(&self, audience: &str) -> Result<AccessToken, EntraError>;
}

/// A bearer token and the moment it ends.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The token itself.
    pub secret: SecretString,
    /// First moment at which it is no longer accepted.
    pub expires_at: DateTime<Utc>,
}

/// The same token for every audience: for tests and for proxies that check nothing.
#[derive(Debug, Clone)]
pub struct StaticToken(SecretString);

impl StaticToken {
    /// Serves this token, which never ends.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }
}

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self, _audience: &str) -> Result<AccessToken, EntraError> {
        Ok(AccessToken {
            secret: self.0.clone(),
            expires_at: DateTime::<Utc>::MAX_UTC,
        })
    }
}
