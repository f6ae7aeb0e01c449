//! A token endpoint on loopback that answers as it is told, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use foretide_domain::SimulatedClock;
use foretide_entra::{Credential, EntraError, IdentityConfig, IdentityTokens, TokenSource};
use foretide_http::{ClientOptions, RetryPolicy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

pub(crate) const MONITOR: &str = "https://monitor.azure.com";
pub(crate) const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";

type Answer = (StatusCode, Vec<(&'static str, String)>, String);

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        pairs(&self.body)
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

#[derive(Clone, Default)]
pub(crate) struct Endpoint {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Asked>>>,
    /// While this is held nobody is answered.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
}

impl Endpoint {
    pub(crate) fn will_answer(&self, status: u16, body: &serde_json::Value) -> &Self {
        self.will_answer_text(status, vec![], &body.to_string())
    }

    pub(crate) fn will_answer_text(
        &self,
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: &str,
    ) -> &Self {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = (status, headers, body.to_owned());
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(
        State(endpoint): State<Self>,
        uri: Uri,
        headers: HeaderMap,
        body: String,
    ) -> Response {
        endpoint.seen.lock().unwrap().push(Asked {
            path: uri.path().to_owned(),
            query: pairs(uri.query().unwrap_or_default()),
            headers,
            body,
        });
        let _open = endpoint.gate.lock().await;
        let Some((status, extra, body)) = endpoint.answers.lock().unwrap().pop_front() else {
            return (
                StatusCode::IM_A_TEAPOT,
                "asked more often than the test expects",
            )
                .into_response();
        };
        let mut headers = HeaderMap::new();
        for (name, value) in extra {
            headers.insert(name, value.parse().unwrap());
        }
        (status, headers, body).into_response()
    }
}

/// An identity, a clock set by hand, and the endpoint that it asks.
pub(crate) struct Bench {
    pub(crate) endpoint: Endpoint,
    pub(crate) address: Url,
    pub(crate) clock: SimulatedClock,
    pub(crate) source: IdentityTokens,
}

impl Bench {
    pub(crate) async fn with_secret() -> Self {
        let secret = SecretString::from("p&ss=word");
        let identity = IdentityConfig::client_secret("contoso.example", "app-1", secret);
        Self::with(|authority| identity.at(authority)).await
    }

    /// An identity that is given the endpoint's address.
    pub(crate) async fn with(identity: impl FnOnce(Url) -> IdentityConfig) -> Self {
        Self::start(identity, |_| BTreeMap::new()).await.unwrap()
    }

    /// An identity that finds the endpoint's address in variables.
    pub(crate) async fn in_environment(
        identity: IdentityConfig,
        variables: impl FnOnce(&Url) -> BTreeMap<String, String>,
    ) -> Result<Self, EntraError> {
        Self::start(|_| identity, variables).await
    }

    async fn start(
        identity: impl FnOnce(Url) -> IdentityConfig,
        variables: impl FnOnce(&Url) -> BTreeMap<String, String>,
    ) -> Result<Self, EntraError> {
        let endpoint = Endpoint::default();
        let app = axum::Router::new()
            .fallback(Endpoint::answer)
            .with_state(endpoint.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let address = Url::parse(&address).unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let clock = SimulatedClock::starting_at(noon());
        let variables = variables(&address);
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let source = tokens_of(identity(address.clone()), &clock, &variables)?;
        Ok(Self {
            endpoint,
            address,
            clock,
            source,
        })
    }

    /// The token's text, or the refusal.
    pub(crate) async fn token(&self) -> Result<String, EntraError> {
        let token = self.source.token(MONITOR).await?;
        Ok(token.secret.expose_secret().to_owned())
    }

    pub(crate) fn after(&self, seconds: i64) {
        let moment = noon() + chrono::TimeDelta::seconds(seconds);
        self.clock.advance_to(moment);
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(crate) fn tokens_of(
    identity: IdentityConfig,
    clock: &SimulatedClock,
    variables: &[(&str, &str)],
) -> Result<IdentityTokens, EntraError> {
    let environment = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| *name == wanted)?;
        Some(found.1.to_owned())
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let tokens =
        IdentityTokens::with_environment(identity, &environment, http, Arc::new(clock.clone()))?;
    Ok(tokens.with_retry(RetryPolicy {
        attempts: 2,
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    }))
}

pub(crate) fn at(authority: Url, credential: Credential) -> IdentityConfig {
    IdentityConfig::from(credential).at(authority)
}

pub(crate) fn token(text: &str, expires_in: u64) -> serde_json::Value {
    json!({"token_type": "Bearer", "expires_in": expires_in, "ext_expires_in": expires_in, "access_token": text})
}

pub(crate) fn refusal(code: u64) -> serde_json::Value {
    json!({"error": "invalid_client", "error_description": format!("AADSTS{code}: no."), "error_codes": [code]})
}
