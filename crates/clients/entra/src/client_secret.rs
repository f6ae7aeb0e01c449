//! The client-credentials flow with a secret.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SharedClock;
use foretide_http::{BodyError, RetryPolicy};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::cache::{FreshToken, TokenCache};
use crate::error::OAuthErrorBody;
use crate::{AccessToken, EntraError, TokenSource};

/// An application that proves itself with a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSecretConfig {
    /// Address of the authority; of another cloud, or of the emulator.
    #[serde(default = "public_cloud")]
    pub authority: Url,
    /// Tenant (directory) id or domain.
    pub tenant: String,
    /// Application (client) id.
    pub client_id: String,
    /// The secret's value.
    pub client_secret: SecretString,
}

/// Authority of the public cloud.
pub const PUBLIC_CLOUD_AUTHORITY: &str = "https://login.microsoftonline.com";

fn public_cloud() -> Url {
    Url::parse(PUBLIC_CLOUD_AUTHORITY).expect("a constant address")
}

/// Tokens by client secret, cached.
pub struct ClientSecretSource {
    config: ClientSecretConfig,
    endpoint: Url,
    http: reqwest::Client,
    retry: RetryPolicy,
    clock: SharedClock,
    cache: TokenCache,
}

impl fmt::Debug for ClientSecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecretSource")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl ClientSecretSource {
    /// A source for this application. Nothing is asked for yet.
    ///
    /// # Errors
    /// When the tenant or the authority makes no address.
    pub fn new(
        config: ClientSecretConfig,
        http: reqwest::Client,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        let endpoint = token_endpoint(&config)?;
        let cache = TokenCache::new(SharedClock::clone(&clock));
        Ok(Self {
            config,
            endpoint,
            http,
            retry: RetryPolicy::default(),
            clock,
            cache,
        })
    }

    /// Repeats failed requests as this policy says.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    async fn fetch(&self, audience: &str) -> Result<FreshToken, EntraError> {
        let scope = format!("{}/.default", audience.trim_end_matches('/'));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.config.client_id),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("scope", &scope),
        ];
        let request = || self.http.post(self.endpoint.clone()).form(&form);
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| unavailable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(status, response, self.clock.now()).await);
        }
        let answered_at = self.clock.now();
        let body = read_limited(response).await?;
        read_token(&body, answered_at)
    }
}

#[async_trait]
impl TokenSource for ClientSecretSource {
    async fn token(&self, audience: &str) -> Result<AccessToken, EntraError> {
        self.cache
            .get_or_fetch(audience, self.fetch(audience))
            .await
    }
}

fn token_endpoint(config: &ClientSecretConfig) -> Result<Url, EntraError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if config.tenant.is_empty() || !config.tenant.chars().all(plain) {
        return Err(EntraError::Malformed {
            reason: "the tenant must be a directory id or a domain".to_owned(),
        });
    }
    let mut endpoint = config.authority.clone();
    endpoint
        .path_segments_mut()
        .map_err(|()| EntraError::Malformed {
            reason: "the authority must be an http(s) address".to_owned(),
        })?
        .pop_if_empty()
        .extend([config.tenant.as_str(), "oauth2", "v2.0", "token"]);
    Ok(endpoint)
}

async fn refusal(
    status: StatusCode,
    response: reqwest::Response,
    now: DateTime<Utc>,
) -> EntraError {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = foretide_http::retry_after(response.headers(), now);
        return EntraError::Throttled { retry_after };
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return EntraError::Unavailable {
            reason: format!("HTTP {}", status.as_u16()),
        };
    }
    // A refusal without a readable body is still a refusal: the status says enough.
    let body = read_limited(response).await.unwrap_or_default();
    let body: OAuthErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    body.into_error(status.as_u16())
}

/// Far more than any token or error body holds.
const LARGEST_BODY: usize = 256 * 1024;

async fn read_limited(response: reqwest::Response) -> Result<Vec<u8>, EntraError> {
    foretide_http::read_body(response, LARGEST_BODY)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge { limit } => EntraError::Malformed {
                reason: format!("it is larger than {limit} bytes"),
            },
            BodyError::Broken(_) => EntraError::Unavailable {
                reason: "the connection broke".to_owned(),
            },
        })
}

fn unavailable(error: &reqwest::Error) -> EntraError {
    let reason = if error.is_timeout() {
        "no reply in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    EntraError::Unavailable {
        reason: reason.to_owned(),
    }
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    #[serde(deserialize_with = "number_or_text")]
    expires_in: u64,
    #[serde(default, deserialize_with = "optional_number_or_text")]
    refresh_in: Option<u64>,
}

/// Longest life that is believed: a wild number must not overflow a date.
const LONGEST_LIFE_SECONDS: u64 = 7 * 24 * 3_600;

fn read_token(body: &[u8], asked_at: DateTime<Utc>) -> Result<FreshToken, EntraError> {
    let malformed = |reason: String| EntraError::Malformed { reason };
    let body: TokenBody = serde_json::from_slice(body)
        .map_err(|error| malformed(format!("line {}, column {}", error.line(), error.column())))?;
    if body.access_token.is_empty() {
        return Err(malformed("access_token is empty".to_owned()));
    }
    let seconds = body.expires_in.min(LONGEST_LIFE_SECONDS);
    let expires_in = Duration::from_secs(seconds);
    Ok(FreshToken {
        token: AccessToken {
            secret: SecretString::from(body.access_token),
            expires_at: asked_at + TimeDelta::seconds(seconds.cast_signed()),
        },
        expires_in,
        refresh_in: body.refresh_in.map(Duration::from_secs),
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl NumberOrText {
    fn read<E: serde::de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| E::custom("must be whole seconds")),
        }
    }
}

/// Numbers are JSON numbers here and strings in other flows: both are read.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    NumberOrText::deserialize(deserializer)?.read()
}

fn optional_number_or_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    Option::<NumberOrText>::deserialize(deserializer)?
        .map(NumberOrText::read)
        .transpose()
}
