//! The client against every answer of the contract, served on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use foretide_domain::SystemClock;
use foretide_entra::StaticToken;
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_log_analytics::{Cell, QueryClient, QueryError, WorkspaceConfig};
use serde_json::Value;

const WORKSPACE: &str = "11111111-1111-1111-1111-111111111111";

/// Answers in turn; the last one for ever.
struct Script {
    answers: Vec<(u16, Option<&'static str>, String)>,
    calls: AtomicUsize,
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    assert_eq!(
        request.uri().path(),
        format!("/v1/workspaces/{WORKSPACE}/query")
    );
    assert_eq!(request.headers()["prefer"], "wait=180");
    assert_eq!(request.headers()["authorization"], "Bearer t0ken");
    let call = script.calls.fetch_add(1, Ordering::SeqCst);
    let (status, retry_after, body) = &script.answers[call.min(script.answers.len() - 1)];
    let mut response = Response::builder().status(*status);
    if let Some(wait) = retry_after {
        response = response.header("retry-after", *wait);
    }
    response.body(Body::from(body.clone())).unwrap()
}

async fn client_of(
    answers: Vec<(u16, Option<&'static str>, String)>,
) -> (QueryClient, Arc<Script>) {
    let script = Arc::new(Script {
        answers,
        calls: AtomicUsize::new(0),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let workspace = WorkspaceConfig {
        endpoint: format!("http://{address}").parse().unwrap(),
        workspace_id: WORKSPACE.to_owned(),
        audience: "https://api.loganalytics.io".to_owned(),
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let retry = RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(1),
        max_wait: Duration::from_millis(50),
    };
    let client = QueryClient::new(
        workspace,
        http,
        Arc::new(StaticToken::new("t0ken")),
        Arc::new(SystemClock),
    )
    .unwrap()
    .with_retry(retry);
    (client, script)
}

fn recorded(name: &str) -> (u16, Option<&'static str>, String) {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let response = &file["response"];
    let wait = response["headers"]["Retry-After"].as_str().map(|_| "15");
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    (status, wait, response["body"].to_string())
}

#[tokio::test]
async fn a_good_answer_is_a_typed_table() {
    let (client, _) = client_of(vec![recorded("la_query_ok")]).await;
    let table = client.query("SecurityIncident").await.unwrap();
    assert_eq!(table.rows.len(), 2);
    let count = table.column("n").unwrap();
    assert_eq!(table.rows[1][count], Cell::Integer(9));
    let (client, _) = client_of(vec![recorded("la_query_empty")]).await;
    assert!(
        client
            .query("SecurityIncident")
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}

#[tokio::test]
async fn an_incomplete_answer_is_a_failure() {
    let (client, _) = client_of(vec![recorded("la_query_partial")]).await;
    let error = client.query("SecurityIncident").await.unwrap_err();
    assert!(
        matches!(&error, QueryError::Partial { message } if message.contains("500000")),
        "{error}"
    );
    assert!(error.asks_for_less());
}

#[tokio::test]
async fn every_refusal_has_its_own_error() {
    let (client, _) = client_of(vec![recorded("la_query_semantic_error")]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(
        matches!(&error, QueryError::BadQuery { message } if message.contains("Nope")),
        "{error}"
    );
    for name in ["la_query_no_access", "la_query_bad_audience"] {
        let (client, script) = client_of(vec![recorded(name)]).await;
        let error = client.query("x").await.unwrap_err();
        assert!(matches!(error, QueryError::Forbidden { .. }), "{error}");
        assert_eq!(script.calls.load(Ordering::SeqCst), 1);
    }
    for (status, expected) in [
        (401, "Unauthorized"),
        (404, "UnknownWorkspace"),
        (413, "TooLarge"),
        (418, "Unexpected"),
        (503, "Unavailable"),
        (504, "Timeout"),
    ] {
        let (client, _) = client_of(vec![(status, None, "not json".to_owned())]).await;
        let error = client.query("x").await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{status}: {error:?}"
        );
    }
}

#[tokio::test]
async fn throttling_is_waited_for_when_it_is_short_and_reported_when_it_is_long() {
    let busy = (429, Some("0"), String::new());
    let (client, script) = client_of(vec![busy, recorded("la_query_ok")]).await;
    assert!(client.query("x").await.is_ok());
    assert_eq!(script.calls.load(Ordering::SeqCst), 2);
    let (client, script) = client_of(vec![recorded("la_query_throttled")]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(
        matches!(error, QueryError::Throttled { retry_after: Some(wait) } if wait.as_secs() == 15)
    );
    assert!(error.is_transient());
    assert_eq!(script.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_body_and_foreign_bodies_are_told_apart() {
    let (client, _) = client_of(vec![(204, None, String::new())]).await;
    assert!(client.query("x").await.unwrap().rows.is_empty());
    for body in ["", "<html>", "{\"tables\":[]}"] {
        let (client, _) = client_of(vec![(200, None, body.to_owned())]).await;
        let error = client.query("x").await.unwrap_err();
        assert!(
            matches!(error, QueryError::Unreadable(_)),
            "{body}: {error}"
        );
    }
}
