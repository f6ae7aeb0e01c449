//! The legacy sink against an endpoint on loopback that checks signatures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foretide_domain::FixedClock;
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_logs_ingestion::{
    ChunkOutcome, ConfigError, DataCollectorClient, DataCollectorConfig, RowSink, UploadError,
};
use hmac::{Hmac, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;

const WORKSPACE: &str = "00000000-0000-4000-8000-00000000aaaa";
const KEY: &[u8] = b"a key of the workspace, 64 bytes in real life";
const STREAM: &str = "Custom-PredictiveAlerting_CL";

/// Log type and rows of a call.
type Call = (String, Vec<Value>);

#[derive(Clone, Default)]
struct Endpoint {
    answers: Arc<Mutex<Vec<(u16, &'static str)>>>,
    accepted: Arc<Mutex<Vec<Call>>>,
}

impl Endpoint {
    fn will_answer(&self, status: u16, body: &'static str) -> &Self {
        self.answers.lock().unwrap().push((status, body));
        self
    }

    async fn take(
        State(endpoint): State<Self>,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        assert_eq!(uri.to_string(), "/api/logs?api-version=2016-04-01");
        if !is_signed(&headers, body.len()) {
            let body = r#"{"Error":"InvalidAuthorization","Message":"wrong signature"}"#;
            return (StatusCode::FORBIDDEN, body).into_response();
        }
        let mut answers = endpoint.answers.lock().unwrap();
        if !answers.is_empty() {
            let (status, body) = answers.remove(0);
            return (StatusCode::from_u16(status).unwrap(), body).into_response();
        }
        let log_type = headers["log-type"].to_str().unwrap().to_owned();
        let rows = serde_json::from_slice(&body).unwrap();
        endpoint.accepted.lock().unwrap().push((log_type, rows));
        StatusCode::OK.into_response()
    }
}

/// As the service checks it, from what it received.
fn is_signed(headers: &HeaderMap, length: usize) -> bool {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let message = format!(
        "POST\n{length}\napplication/json\nx-ms-date:{}\n/api/logs",
        text("x-ms-date")
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(message.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    text("authorization") == format!("SharedKey {WORKSPACE}:{signature}")
}

async fn bench(key: &[u8]) -> (Endpoint, DataCollectorClient) {
    let endpoint = Endpoint::default();
    let app = axum::Router::new()
        .fallback(Endpoint::take)
        .layer(DefaultBodyLimit::max(30 * 1024 * 1024))
        .with_state(endpoint.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = DataCollectorConfig {
        workspace_id: WORKSPACE.to_owned(),
        shared_key: SecretString::from(STANDARD.encode(key)),
        endpoint: Some(url.parse().unwrap()),
    };
    let client = client(config).unwrap().with_retry(RetryPolicy {
        attempts: 2,
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    });
    (endpoint, client)
}

fn client(config: DataCollectorConfig) -> Result<DataCollectorClient, ConfigError> {
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    DataCollectorClient::new(
        config,
        http,
        Arc::new(FixedClock(chrono::DateTime::UNIX_EPOCH)),
    )
}

async fn send(sink: &dyn RowSink, rows: &[Value]) -> Vec<ChunkOutcome> {
    sink.upload(STREAM, rows).await
}

#[tokio::test]
async fn rows_arrive_signed_under_their_log_type() {
    let (endpoint, client) = bench(KEY).await;
    let outcomes = send(&client, &[json!({"n": 1}), json!({"n": 2})]).await;
    assert_eq!(outcomes.len(), 1);
    outcomes[0].result.as_ref().unwrap();
    let accepted = endpoint.accepted.lock().unwrap();
    assert_eq!(accepted[0].0, "PredictiveAlerting");
    assert_eq!(accepted[0].1, [json!({"n": 1}), json!({"n": 2})]);
}

#[tokio::test]
async fn many_rows_go_in_several_calls_and_each_row_is_in_one_outcome() {
    let (endpoint, client) = bench(KEY).await;
    let rows: Vec<Value> = (0..9)
        .map(|n| json!({"n": n, "x": "y".repeat(1_000_000)}))
        .collect();
    let outcomes = send(&client, &rows).await;
    assert_eq!(outcomes.len(), 3);
    let covered: Vec<usize> = outcomes.iter().flat_map(|one| one.rows.clone()).collect();
    assert_eq!(covered, (0..9).collect::<Vec<_>>());
    assert_eq!(endpoint.accepted.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn every_refusal_of_the_contract_has_a_meaning() {
    type Expected = fn(&UploadError) -> bool;
    let cases: [(u16, &str, Expected); 8] = [
        (400, r#"{"Error":"InvalidDataFormat"}"#, |e| {
            matches!(e, UploadError::BadPayload { .. }) && !e.worth_another_try()
        }),
        (400, r#"{"Error":"InactiveCustomer"}"#, |e| {
            matches!(e, UploadError::Unauthorized { .. }) && e.worth_another_try()
        }),
        (403, r#"{"Error":"InvalidAuthorization"}"#, |e| {
            matches!(e, UploadError::Unauthorized { .. })
        }),
        (404, "", |e| {
            matches!(e, UploadError::Unexpected { status: 404, .. })
        }),
        (413, "", |e| matches!(e, UploadError::TooLarge)),
        (429, "", |e| matches!(e, UploadError::Throttled { .. })),
        (500, r#"{"Error":"UnspecifiedError"}"#, |e| {
            matches!(e, UploadError::Unavailable { .. })
        }),
        (503, "not json", |e| {
            matches!(e, UploadError::Unavailable { .. })
        }),
    ];
    for (status, body, expected) in cases {
        let (endpoint, client) = bench(KEY).await;
        endpoint.will_answer(status, body).will_answer(status, body);
        let outcomes = send(&client, &[json!({"n": 1})]).await;
        let error = outcomes[0].result.as_ref().unwrap_err();
        assert!(expected(error), "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_failing_service_is_asked_again() {
    let (endpoint, client) = bench(KEY).await;
    endpoint.will_answer(503, "");
    send(&client, &[json!({"n": 1})]).await[0]
        .result
        .as_ref()
        .unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_said_so_and_never_shown() {
    let (_, client) = bench(b"another key").await;
    let outcomes = send(&client, &[json!({"n": 1})]).await;
    let error = outcomes[0].result.as_ref().unwrap_err();
    assert!(
        error.to_string().contains("InvalidAuthorization"),
        "{error}"
    );
    let shown = format!("{client:?} {error:?}");
    assert!(!shown.contains(&STANDARD.encode(b"another key")), "{shown}");
}

#[test]
fn what_is_no_workspace_and_no_key_is_refused() {
    let config = |workspace_id: &str, key: &str| DataCollectorConfig {
        workspace_id: workspace_id.to_owned(),
        shared_key: SecretString::from(key),
        endpoint: None,
    };
    client(config(WORKSPACE, "c2VjcmV0")).unwrap();
    let error = client(config("law-soc", "c2VjcmV0")).unwrap_err();
    assert!(matches!(error, ConfigError::WorkspaceId { .. }), "{error}");
    let error = client(config(WORKSPACE, "not base64!")).unwrap_err();
    assert!(matches!(error, ConfigError::SharedKey), "{error}");
    assert!(!format!("{error:?}").contains("not base64"));
}
