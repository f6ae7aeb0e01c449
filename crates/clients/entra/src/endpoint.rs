//! The token endpoint of a tenant.

use chrono::{DateTime, Utc};
use foretide_domain::SharedClock;
use foretide_http::RetryPolicy;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap};
use url::{Host, Url};

use crate::EntraError;
use crate::cache::FreshToken;
use crate::error::OAuthErrorBody;
use crate::reply::{read_limited, read_token, unavailable};

/// Where a tenant's applications get their tokens.
pub(crate) struct TokenEndpoint {
    pub(crate) address: Url,
    http: reqwest::Client,
    pub(crate) retry: RetryPolicy,
    pub(crate) clock: SharedClock,
}

/// A request for a token that failed.
pub(crate) struct Failure {
    pub(crate) error: EntraError,
    /// The time at the endpoint, as its reply said.
    pub(crate) server_time: Option<DateTime<Utc>>,
}

impl From<EntraError> for Failure {
    fn from(error: EntraError) -> Self {
        Self {
            error,
            server_time: None,
        }
    }
}

impl TokenEndpoint {
    pub(crate) fn new(
        authority: &Url,
        tenant: &str,
        http: reqwest::Client,
        clock: SharedClock,
    ) -> Result<Self, EntraError> {
        Ok(Self {
            address: address(authority, tenant)?,
            http,
            retry: RetryPolicy::default(),
            clock,
        })
    }

    /// Asks for a token of the audience; `proof` are the form fields that prove the identity.
    pub(crate) async fn ask(
        &self,
        client_id: &str,
        audience: &str,
        proof: &[(&str, &str)],
    ) -> Result<FreshToken, Failure> {
        let scope = format!("{audience}/.default");
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", &scope),
        ];
        form.extend_from_slice(proof);
        let request_id = uuid::Uuid::new_v4().to_string();
        let request = || {
            let request = self.http.post(self.address.clone());
            request.header("client-request-id", &request_id).form(&form)
        };
        let response = foretide_http::send(&self.retry, request)
            .await
            .map_err(|error| unavailable(&error))?;
        let answered_at = self.clock.now();
        if response.status().is_success() {
            let body = read_limited(response).await?;
            return Ok(read_token(&body, answered_at)?);
        }
        let server_time = date(response.headers());
        let error = refusal(response).await;
        tracing::debug!(%request_id, %error, "the token endpoint refused");
        Err(Failure { error, server_time })
    }
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc))
}

/// What a tenant must be.
pub(crate) const TENANT: &str = "must be a directory id or a domain";

/// Whether a text can stand for a tenant in an address.
pub(crate) fn is_tenant(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !text.is_empty() && text.chars().all(plain)
}

fn address(authority: &Url, tenant: &str) -> Result<Url, EntraError> {
    if !is_tenant(tenant) {
        return Err(EntraError::credential("tenant", TENANT));
    }
    if !keeps_secrets(authority) {
        let problem = "must be an https address; http is for loopback only";
        return Err(EntraError::credential("authority", problem));
    }
    let mut address = authority.clone();
    address
        .path_segments_mut()
        .map_err(|()| EntraError::credential("authority", "must be an https address"))?
        .pop_if_empty()
        .extend([tenant, "oauth2", "v2.0", "token"]);
    Ok(address)
}

/// Whether nobody on the way can read what is sent there.
fn keeps_secrets(address: &Url) -> bool {
    let on_loopback = match address.host() {
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        Some(Host::Domain(host)) => host == "localhost",
        None => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && on_loopback)
}

async fn refusal(response: reqwest::Response) -> EntraError {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = foretide_http::retry_after(response.headers());
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
