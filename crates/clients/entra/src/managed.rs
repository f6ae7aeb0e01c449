//! Managed identities through the instance metadata service (IMDS) of the machine.

use std::time::Duration;

use chrono::{DateTime, Utc};
use foretide_domain::SharedClock;
use foretide_http::{ClientOptions, RetryPolicy};
use reqwest::StatusCode;
use url::Url;

use crate::EntraError;
use crate::cache::FreshToken;
use crate::config::ManagedIdentity;
use crate::error::OAuthErrorBody;
use crate::reply::{read_limited, read_token, unavailable};

const IMDS: &str = "http://169.254.169.254";
const API_VERSION: &str = "2018-02-01";
/// While IMDS is being upgraded it answers 404 or 410, for up to 70 seconds.
const UPGRADE: Duration = Duration::from_secs(70);

pub(crate) struct Imds {
    address: Url,
    which: ManagedIdentity,
    http: reqwest::Client,
    pub(crate) retry: RetryPolicy,
    pub(crate) upgrade: Duration,
    clock: SharedClock,
}

impl Imds {
    pub(crate) fn new(
        which: ManagedIdentity,
        endpoint: Option<Url>,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        let unusable = |problem: &str| EntraError::credential("the IMDS endpoint", problem);
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => Url::parse(IMDS).expect("a constant address"),
        };
        let address = endpoint
            .join("/metadata/identity/oauth2/token")
            .map_err(|_| unusable("must be an http(s) address"))?;
        Ok(Self {
            address,
            which,
            http: client()?,
            retry: retry(),
            upgrade: UPGRADE,
            clock,
        })
    }

    pub(crate) async fn ask(&self, audience: &str) -> Result<FreshToken, EntraError> {
        let response =
            match tokio::time::timeout(self.upgrade, self.answer_after_upgrade(audience)).await {
                Ok(response) => response?,
                Err(_) => {
                    let reason = "IMDS is being upgraded, or this machine has none".to_owned();
                    return Err(EntraError::Unavailable { reason });
                }
            };
        decided("IMDS", response, self.clock.now()).await
    }

    /// Asks until the answer is neither 404 nor 410.
    async fn answer_after_upgrade(&self, audience: &str) -> Result<reqwest::Response, EntraError> {
        let mut wait = self.retry.base;
        loop {
            let request = || {
                let mut query = vec![("api-version", API_VERSION), ("resource", audience)];
                query.extend(self.selector());
                let request = self.http.get(self.address.clone()).query(&query);
                request.header("Metadata", "true")
            };
            let response = foretide_http::send(&self.retry, request)
                .await
                .map_err(|error| unavailable(&error))?;
            if !matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Ok(response);
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(Duration::from_secs(10));
        }
    }

    fn selector(&self) -> Option<(&'static str, &str)> {
        match &self.which {
            ManagedIdentity::SystemAssigned => None,
            ManagedIdentity::ClientId(id) => Some(("client_id", id)),
            ManagedIdentity::ObjectId(id) => Some(("object_id", id)),
            ManagedIdentity::ResourceId(id) => Some(("msi_res_id", id)),
        }
    }
}

/// A machine's answer as a token, or as a decision.
pub(crate) async fn decided(
    service: &str,
    response: reqwest::Response,
    answered_at: DateTime<Utc>,
) -> Result<FreshToken, EntraError> {
    let status = response.status();
    if status.is_success() {
        return read_token(&read_limited(response).await?, answered_at);
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = foretide_http::retry_after(response.headers());
        return Err(EntraError::Throttled { retry_after });
    }
    if status.is_server_error() {
        let reason = format!("{service} answers HTTP {}", status.as_u16());
        return Err(EntraError::Unavailable { reason });
    }
    let body = read_limited(response).await.unwrap_or_default();
    let body: OAuthErrorBody = serde_json::from_slice(&body).unwrap_or_default();
    Err(refusal(&body, status.as_u16()))
}

/// A client for addresses of the machine itself: a proxy would answer for another one.
pub(crate) fn client() -> Result<reqwest::Client, EntraError> {
    let options = ClientOptions {
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(30),
        without_proxy: true,
        ..ClientOptions::default()
    };
    foretide_http::client(&options)
        .map_err(|error| EntraError::credential("the machine's endpoint", error.to_string()))
}

/// How often and how fast a machine is asked again.
pub(crate) fn retry() -> RetryPolicy {
    RetryPolicy {
        attempts: 5,
        base: Duration::from_millis(800),
        ..RetryPolicy::default()
    }
}

fn refusal(body: &OAuthErrorBody, status: u16) -> EntraError {
    let hint = if body.says("Identity not found") {
        "no such managed identity is assigned to this machine: assign it, or name another one"
    } else {
        "the metadata service refuses: check which identity is named, and the audience"
    };
    EntraError::InvalidClient {
        error: body.error_word(),
        code: format!("HTTP {status}"),
        hint,
    }
}
