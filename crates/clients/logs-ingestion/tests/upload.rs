//! Uploads against an ingestion endpoint on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use foretide_entra::StaticToken;
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_logs_ingestion::{LogsIngestionClient, RuleConfig, UploadError};
use serde_json::{Value, json};
use url::Url;

const RULE: &str = "dcr-00000000000000000000000000000001";
const STREAM: &str = "Custom-PredictiveAlerting";

/// A status, and the wait it asks for.
type Refusal = (u16, Option<&'static str>);

/// An endpoint that takes rows, refuses as told, and finds bodies over `limit` bytes too large.
#[derive(Clone)]
struct Endpoint {
    refusals: Arc<Mutex<Vec<Refusal>>>,
    accepted: Arc<Mutex<Vec<Vec<Value>>>>,
    calls: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    limit: usize,
}

impl Endpoint {
    fn refuses_once(&self, status: u16, retry_after: Option<&'static str>) -> &Self {
        self.refusals.lock().unwrap().push((status, retry_after));
        self
    }

    fn accepted_rows(&self) -> Vec<Value> {
        self.accepted
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .cloned()
            .collect()
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    async fn take(
        State(endpoint): State<Self>,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        endpoint
            .calls
            .lock()
            .unwrap()
            .push((uri.to_string(), headers));
        let mut refusals = endpoint.refusals.lock().unwrap();
        if !refusals.is_empty() {
            let (status, wait) = refusals.remove(0);
            let mut headers = HeaderMap::new();
            if let Some(wait) = wait {
                headers.insert("retry-after", wait.parse().unwrap());
            }
            let body = json!({"error": {"code": "Synthetic", "message": "as told"}}).to_string();
            return (StatusCode::from_u16(status).unwrap(), headers, body).into_response();
        }
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_end(&mut text)
            .unwrap();
        if text.len() > endpoint.limit {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        endpoint
            .accepted
            .lock()
            .unwrap()
            .push(serde_json::from_slice(&text).unwrap());
        StatusCode::NO_CONTENT.into_response()
    }
}

async fn bench(limit: usize) -> (Endpoint, LogsIngestionClient) {
    let endpoint = Endpoint {
        refusals: Arc::default(),
        accepted: Arc::default(),
        calls: Arc::default(),
        limit,
    };
    let app = axum::Router::new()
        .fallback(Endpoint::take)
        .with_state(endpoint.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (endpoint, client(&url, RULE).unwrap())
}

fn client(
    url: &str,
    rule: &str,
) -> Result<LogsIngestionClient, foretide_logs_ingestion::ConfigError> {
    let rule = RuleConfig {
        endpoint: Url::parse(url).unwrap(),
        dcr_immutable_id: rule.to_owned(),
        audience: "https://monitor.azure.com".to_owned(),
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let retry = RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(1),
        max_wait: Duration::from_secs(1),
    };
    LogsIngestionClient::new(rule, http, Arc::new(StaticToken::new("t0ken")))
        .map(|client| client.with_retry(retry))
}

fn rows(count: usize, width: usize) -> Vec<Value> {
    (0..count)
        .map(|index| json!({"Index": index, "Text": "x".repeat(width)}))
        .collect()
}

#[tokio::test]
async fn sends_what_the_contract_says() {
    let (endpoint, client) = bench(usize::MAX).await;
    let sent = rows(3, 10);
    let outcomes = client.upload(STREAM, &sent).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].rows, 0..3);
    outcomes[0].result.as_ref().unwrap();
    assert_eq!(endpoint.accepted_rows(), sent);
    let calls = endpoint.calls.lock().unwrap();
    let (uri, headers) = &calls[0];
    assert_eq!(
        uri,
        &format!("/dataCollectionRules/{RULE}/streams/{STREAM}?api-version=2023-01-01")
    );
    assert_eq!(headers["authorization"], "Bearer t0ken");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn large_uploads_go_in_chunks_and_all_rows_arrive_once() {
    let (endpoint, client) = bench(1024 * 1024).await;
    let sent = rows(5_000, 600);
    let outcomes = client.upload(STREAM, &sent).await;
    assert!(outcomes.len() >= 3, "{} chunks", outcomes.len());
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(endpoint.accepted_rows(), sent);
}

#[tokio::test]
async fn a_chunk_that_is_too_large_for_the_service_is_halved() {
    let (endpoint, client) = bench(1_000).await;
    let sent = rows(20, 100);
    let outcomes = client.upload(STREAM, &sent).await;
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(endpoint.accepted_rows(), sent);
    let mut next = 0;
    for outcome in outcomes {
        assert_eq!(outcome.rows.start, next);
        next = outcome.rows.end;
    }
    assert_eq!(next, 20);
}

#[tokio::test]
async fn a_row_over_one_mebibyte_is_named_and_the_others_arrive() {
    let (endpoint, client) = bench(usize::MAX).await;
    let mut sent = rows(3, 10);
    sent[1] = json!({"Text": "x".repeat(1024 * 1024)});
    let outcomes = client.upload(STREAM, &sent).await;
    let error = outcomes[1].result.as_ref().unwrap_err();
    assert!(
        matches!(error, UploadError::RowTooLarge { row: 1, .. }),
        "{error}"
    );
    assert!(!error.worth_another_try());
    assert_eq!(endpoint.accepted_rows(), [sent[0].clone(), sent[2].clone()]);
}

#[tokio::test]
async fn throttling_and_failures_are_repeated() {
    let (endpoint, client) = bench(usize::MAX).await;
    endpoint
        .refuses_once(429, Some("0"))
        .refuses_once(503, None);
    let outcomes = client.upload(STREAM, &rows(2, 10)).await;
    outcomes[0].result.as_ref().unwrap();
    assert_eq!(endpoint.calls(), 3);
    assert_eq!(endpoint.accepted_rows().len(), 2);
}

#[tokio::test]
async fn a_long_wait_is_the_callers_decision() {
    let (endpoint, client) = bench(usize::MAX).await;
    endpoint.refuses_once(429, Some("120"));
    let outcomes = client.upload(STREAM, &rows(2, 10)).await;
    let error = outcomes[0].result.as_ref().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert!(error.worth_another_try());
}

#[tokio::test]
async fn every_status_has_its_meaning_and_is_not_repeated() {
    let (endpoint, client) = bench(usize::MAX).await;
    type Meant = fn(&UploadError) -> bool;
    let meanings: [(u16, Meant); 6] = [
        (400, |e| matches!(e, UploadError::BadPayload { .. })),
        (401, |e| matches!(e, UploadError::Unauthorized { .. })),
        (403, |e| matches!(e, UploadError::Forbidden { .. })),
        (404, |e| matches!(e, UploadError::UnknownRule { .. })),
        (413, |e| matches!(e, UploadError::TooLarge)),
        (200, |e| {
            matches!(e, UploadError::Unexpected { status: 200, .. })
        }),
    ];
    for (status, is_meant) in meanings {
        endpoint.refuses_once(status, None);
        let calls = endpoint.calls();
        let outcomes = client.upload(STREAM, &rows(1, 10)).await;
        let error = outcomes[0].result.as_ref().unwrap_err();
        assert!(is_meant(error), "{status}: {error}");
        assert_eq!(endpoint.calls(), calls + 1, "{status}");
        assert!(!format!("{error:?}").contains("t0ken"));
    }
}

#[tokio::test]
async fn after_an_error_for_all_the_rest_is_not_tried() {
    let (endpoint, client) = bench(usize::MAX).await;
    endpoint.refuses_once(403, None);
    let outcomes = client.upload(STREAM, &rows(5_000, 600)).await;
    assert_eq!(endpoint.calls(), 1);
    assert!(
        outcomes[1..]
            .iter()
            .all(|o| matches!(o.result, Err(UploadError::NotTried)))
    );
    assert_eq!(outcomes.last().unwrap().rows.end, 5_000);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let client = client("http://127.0.0.1:9/", RULE).unwrap();
    let outcomes = client.upload(STREAM, &rows(1, 1)).await;
    assert!(matches!(
        outcomes[0].result,
        Err(UploadError::Unavailable { .. })
    ));
}

#[test]
fn a_wrong_rule_id_or_endpoint_is_refused_at_once() {
    for id in [
        "",
        "dcr-1",
        "00000000000000000000000000000001",
        "dcr-0000000000000000000000000000000/",
    ] {
        assert!(client("https://x.example/", id).is_err(), "{id}");
    }
    assert!(client("mailto:x@example", RULE).is_err());
}
