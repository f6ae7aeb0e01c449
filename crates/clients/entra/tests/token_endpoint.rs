//! The client-secret flow against a token endpoint on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SimulatedClock;
use foretide_entra::{
    ClientSecretConfig, ClientSecretSource, EntraError, StaticToken, TokenSource,
};
use foretide_http::{ClientOptions, RetryPolicy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

type Answer = (StatusCode, Vec<(&'static str, &'static str)>, String);

#[derive(Clone, Default)]
struct Endpoint {
    answers: Arc<Mutex<Vec<Answer>>>,
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

impl Endpoint {
    fn will_answer(&self, status: u16, body: &serde_json::Value) -> &Self {
        self.will_answer_text(status, vec![], &body.to_string())
    }

    fn will_answer_text(
        &self,
        status: u16,
        headers: Vec<(&'static str, &'static str)>,
        body: &str,
    ) -> &Self {
        let status = StatusCode::from_u16(status).unwrap();
        self.answers
            .lock()
            .unwrap()
            .push((status, headers, body.to_owned()));
        self
    }

    fn requests(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(State(endpoint): State<Self>, uri: Uri, body: String) -> Response {
        endpoint
            .seen
            .lock()
            .unwrap()
            .push((uri.path().to_owned(), body));
        let mut answers = endpoint.answers.lock().unwrap();
        assert!(
            !answers.is_empty(),
            "the endpoint was asked more often than the test expects"
        );
        let (status, extra, body) = answers.remove(0);
        let mut headers = HeaderMap::new();
        for (name, value) in extra {
            headers.insert(name, value.parse().unwrap());
        }
        (status, headers, body).into_response()
    }
}

struct Bench {
    endpoint: Endpoint,
    clock: SimulatedClock,
    source: ClientSecretSource,
}

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

async fn bench() -> Bench {
    let endpoint = Endpoint::default();
    let app = axum::Router::new()
        .fallback(Endpoint::answer)
        .with_state(endpoint.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let clock = SimulatedClock::starting_at(noon());
    let source = source(&authority, &clock);
    Bench {
        endpoint,
        clock,
        source,
    }
}

fn source(authority: &str, clock: &SimulatedClock) -> ClientSecretSource {
    let config = ClientSecretConfig {
        authority: Url::parse(authority).unwrap(),
        tenant: "contoso.example".to_owned(),
        client_id: "app-1".to_owned(),
        client_secret: SecretString::from("p&ss=word"),
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    ClientSecretSource::new(config, http, Arc::new(clock.clone()))
        .unwrap()
        .with_retry(RetryPolicy {
            attempts: 2,
            base: Duration::from_millis(1),
            ..RetryPolicy::default()
        })
}

fn token(text: &str, expires_in: u64) -> serde_json::Value {
    json!({"token_type": "Bearer", "expires_in": expires_in, "ext_expires_in": expires_in, "access_token": text})
}

const MONITOR: &str = "https://monitor.azure.com";

#[tokio::test]
async fn asks_once_for_one_audience_and_caches() {
    let bench = bench().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    let (one, two) = tokio::join!(bench.source.token(MONITOR), bench.source.token(MONITOR));
    assert_eq!(one.unwrap().secret.expose_secret(), "first");
    let two = two.unwrap();
    assert_eq!(two.secret.expose_secret(), "first");
    assert_eq!(two.expires_at, noon() + TimeDelta::seconds(3_599));
    let requests = bench.endpoint.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].0, "/contoso.example/oauth2/v2.0/token");
    assert_eq!(
        requests[0].1,
        "grant_type=client_credentials&client_id=app-1&client_secret=p%26ss%3Dword&scope=https%3A%2F%2Fmonitor.azure.com%2F.default"
    );
}

#[tokio::test]
async fn refreshes_before_the_end_and_serves_the_old_token_while_that_fails() {
    let bench = bench().await;
    bench.endpoint.will_answer(200, &token("first", 3_599));
    bench.source.token(MONITOR).await.unwrap();
    bench.clock.advance_to(noon() + TimeDelta::seconds(3_400));
    bench
        .endpoint
        .will_answer(500, &json!({}))
        .will_answer(503, &json!({}));
    let still_old = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(still_old.secret.expose_secret(), "first");
    bench.clock.advance_to(noon() + TimeDelta::seconds(3_431));
    bench.endpoint.will_answer(200, &token("second", 3_599));
    assert_eq!(
        bench
            .source
            .token(MONITOR)
            .await
            .unwrap()
            .secret
            .expose_secret(),
        "second"
    );
}

#[tokio::test]
async fn an_ended_token_is_not_served() {
    let bench = bench().await;
    bench.endpoint.will_answer(200, &token("first", 600));
    bench.source.token(MONITOR).await.unwrap();
    bench.clock.advance_to(noon() + TimeDelta::seconds(600));
    bench
        .endpoint
        .will_answer(500, &json!({}))
        .will_answer(500, &json!({}));
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        matches!(error, EntraError::Unavailable { .. }) && error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_client_is_explained_and_not_repeated() {
    let bench = bench().await;
    bench.endpoint.will_answer(
        401,
        &json!({
            "error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret provided.",
            "error_codes": [7_000_215],
            "trace_id": "a",
        }),
    );
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "Entra ID refuses the client: AADSTS7000215 (invalid_client); the client secret is wrong: give the secret's value, not its id"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn reads_the_code_from_the_description_and_survives_a_body_that_is_no_json() {
    let bench = bench().await;
    bench.endpoint.will_answer(
        400,
        &json!({"error": "unauthorized_client", "error_description": "AADSTS700016: no such app"}),
    );
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        error.to_string().contains("check client id and tenant"),
        "{error}"
    );
    bench
        .endpoint
        .will_answer_text(403, vec![], "<html>go away");
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 403"), "{error}");
}

#[tokio::test]
async fn throttling_carries_the_wait() {
    let bench = bench().await;
    bench
        .endpoint
        .will_answer_text(429, vec![("retry-after", "90")], "{}");
    let error = bench.source.token(MONITOR).await.unwrap_err();
    assert!(
        matches!(error, EntraError::Throttled { retry_after: Some(wait) } if wait.as_secs() == 90),
        "{error}"
    );
}

#[tokio::test]
async fn malformed_replies_are_refused_without_being_shown() {
    let bench = bench().await;
    let huge = format!("{{\"access_token\":\"{}\"", "x".repeat(300 * 1024));
    for body in [
        "",
        "not json",
        r#"{"access_token":"top-secret"}"#,
        r#"{"access_token":"top-secret","expires_in":"soon"}"#,
        r#"{"access_token":"","expires_in":3599}"#,
        r#"{"access_token":"top-secret","expires_in":-5}"#,
        &huge,
    ] {
        bench.endpoint.will_answer_text(200, vec![], body);
        let error = bench.source.token(MONITOR).await.unwrap_err();
        assert!(matches!(error, EntraError::Malformed { .. }), "{error}");
        assert!(!error.to_string().contains("top-secret"), "{error}");
    }
}

#[tokio::test]
async fn numbers_may_be_text_and_a_wild_life_is_cut() {
    let bench = bench().await;
    bench.endpoint.will_answer_text(
        200,
        vec![],
        r#"{"access_token":"t","expires_in":"18446744073709551615","refresh_in":"60"}"#,
    );
    let token = bench.source.token(MONITOR).await.unwrap();
    assert_eq!(token.expires_at, noon() + TimeDelta::days(7));
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let clock = SimulatedClock::starting_at(noon());
    let error = source("http://127.0.0.1:9/", &clock)
        .token(MONITOR)
        .await
        .unwrap_err();
    assert!(matches!(error, EntraError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn secrets_are_in_no_debug_output() {
    let bench = bench().await;
    let shown = format!("{:?} {:?}", bench.source, StaticToken::new("static-secret"));
    assert!(
        !shown.contains("p&ss=word") && !shown.contains("static-secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_tenant_cannot_leave_its_place_in_the_address() {
    let clock = SimulatedClock::starting_at(noon());
    for tenant in ["", "a/b", "..%2f", "a?b"] {
        let config = ClientSecretConfig {
            authority: Url::parse("https://login.example").unwrap(),
            tenant: tenant.to_owned(),
            client_id: "app".to_owned(),
            client_secret: SecretString::from("s"),
        };
        let http = foretide_http::client(&ClientOptions::default()).unwrap();
        assert!(
            ClientSecretSource::new(config, http, Arc::new(clock.clone())).is_err(),
            "{tenant}"
        );
    }
}
