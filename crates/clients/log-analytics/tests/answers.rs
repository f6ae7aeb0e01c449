//! The client against every answer of the contract, served on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use foretide_entra::{AccessToken, EntraError, StaticToken, TokenSource};
use foretide_http::ClientOptions;
use foretide_log_analytics::{Cell, Patience, QueryClient, QueryError, WorkspaceConfig};
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
    assert_eq!(
        request.headers()["prefer"],
        "wait=180, include-statistics=true"
    );
    let id = request.headers()["x-ms-client-request-id"]
        .to_str()
        .unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok());
    assert_eq!(request.headers()["content-type"], "application/json");
    if request.headers()["authorization"] == "Bearer 0ld" {
        return Response::builder().status(401).body(Body::empty()).unwrap();
    }
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
    client_with(Arc::new(StaticToken::new("t0ken")), answers).await
}

async fn client_with(
    tokens: Arc<dyn TokenSource>,
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
    let patience = Patience {
        attempts: 3,
        base: Duration::from_millis(1),
        longest: Duration::from_millis(50),
        ..Patience::default()
    };
    let client = QueryClient::new(workspace, http, tokens)
        .unwrap()
        .with_patience(patience);
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
    let table = client.query("SecurityIncident").await.unwrap().table;
    assert_eq!(table.rows.len(), 2);
    let count = table.column("n").unwrap();
    assert_eq!(table.rows[1][count], Cell::Integer(9));
    let (client, _) = client_of(vec![recorded("la_query_empty")]).await;
    assert!(
        client
            .query("SecurityIncident")
            .await
            .unwrap()
            .table
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
        (408, "Unavailable"),
        (418, "Unexpected"),
        (301, "Unexpected"),
        (500, "Unavailable"),
        (501, "Unexpected"),
        (502, "Unavailable"),
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
    assert!(client.query("x").await.unwrap().table.rows.is_empty());
    for body in ["", "<html>", "{\"tables\":[]}"] {
        let (client, _) = client_of(vec![(200, None, body.to_owned())]).await;
        let error = client.query("x").await.unwrap_err();
        assert!(
            matches!(error, QueryError::Unreadable(_)),
            "{body}: {error}"
        );
    }
}

fn table_of(kind: &str, cell: &str) -> (u16, Option<&'static str>, String) {
    let body = format!(
        r#"{{"tables":[{{"name":"PrimaryResult","columns":[{{"name":"c","type":"{kind}"}}],"rows":[[{cell}]]}}]}}"#
    );
    (200, None, body)
}

#[tokio::test]
async fn values_of_a_wrong_type_or_size_are_refused_and_not_bent() {
    for (kind, cell) in [
        ("long", "9223372036854775808"),
        ("long", "1.5"),
        ("long", "\"7\""),
        ("int", "true"),
        ("real", "\"much\""),
        ("datetime", "\"2026-13-01T00:00:00Z\""),
        ("datetime", "1795500000"),
        ("bool", "2"),
        ("string", "7"),
    ] {
        let (client, script) = client_of(vec![table_of(kind, cell)]).await;
        let error = client.query("x").await.unwrap_err();
        assert!(matches!(error, QueryError::Unreadable(_)), "{kind} {cell}");
        assert!(!error.asks_for_less() && !error.is_transient());
        assert_eq!(script.calls.load(Ordering::SeqCst), 1);
    }
    let (client, _) = client_of(vec![table_of("real", "1e308")]).await;
    let table = client.query("x").await.unwrap().table;
    assert_eq!(table.rows[0][0], Cell::Real(1e308));
    let truncated = table_of("long", "7").2;
    let (client, _) = client_of(vec![(200, None, truncated[..40].to_owned())]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(matches!(error, QueryError::Unreadable(_)), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_full_to_the_brim_asks_for_less() {
    let rows = vec!["[1]"; 500_000].join(",");
    let body = format!(
        r#"{{"tables":[{{"name":"PrimaryResult","columns":[{{"name":"c","type":"long"}}],"rows":[{rows}]}}]}}"#
    );
    let (client, _) = client_of(vec![(200, None, body)]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(error.asks_for_less(), "{error}");
}

#[tokio::test]
async fn a_time_out_of_the_service_is_not_run_into_again() {
    let (client, script) = client_of(vec![(504, None, String::new())]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(error.asks_for_less());
    assert_eq!(script.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failing_gateway_is_tried_again_and_its_wait_is_respected() {
    let ok = recorded("la_query_ok");
    let (client, script) = client_of(vec![(502, None, String::new()), ok.clone()]).await;
    assert!(client.query("x").await.is_ok());
    assert_eq!(script.calls.load(Ordering::SeqCst), 2);
    let (client, script) = client_of(vec![(503, Some("900"), String::new()), ok.clone()]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(matches!(
        error,
        QueryError::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 900
    ));
    assert_eq!(script.calls.load(Ordering::SeqCst), 1);
    // a date that our clock says has passed: try at once
    let passed = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    let (client, _) = client_of(vec![(429, passed, String::new()), ok]).await;
    assert!(client.query("x").await.is_ok());
}

#[tokio::test]
async fn a_table_that_the_workspace_does_not_have_is_told_apart() {
    let body = r#"{"error":{"code":"BadArgumentError","message":"no","innererror":{"code":"SemanticError","message":"no","innererror":{"code":"SEM0100","message":"'where' operator: Failed to resolve table or column expression named 'NTANetAnalytics'"}}}}"#;
    let (client, _) = client_of(vec![(400, None, body.to_owned())]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(error.misses_table("NTANetAnalytics"), "{error}");
    assert!(!error.misses_table("Usage"));
}

/// The first token has ended, the next ones are good.
#[derive(Debug, Default)]
struct Renewed(AtomicUsize);

#[async_trait::async_trait]
impl TokenSource for Renewed {
    async fn token(&self, audience: &str) -> Result<AccessToken, EntraError> {
        assert_eq!(audience, "https://api.loganalytics.io");
        let given = self.0.fetch_add(1, Ordering::SeqCst);
        StaticToken::new(if given == 0 { "0ld" } else { "t0ken" })
            .token(audience)
            .await
    }
}

#[tokio::test]
async fn a_token_that_has_ended_is_replaced_once() {
    let ok = recorded("la_query_ok");
    let (client, _) = client_with(Arc::new(Renewed::default()), vec![ok.clone()]).await;
    assert!(client.query("x").await.is_ok());
    let (client, _) = client_with(Arc::new(StaticToken::new("0ld")), vec![ok]).await;
    let error = client.query("x").await.unwrap_err();
    assert!(matches!(error, QueryError::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn the_cost_is_read_where_it_is_told() {
    let body = r#"{"tables":[{"name":"PrimaryResult","columns":[],"rows":[]}],
        "statistics":{"query":{"executionTime":0.25,"inputDatasetStatistics":{"rows":{"scanned":7}}}}}"#;
    let (client, _) = client_of(vec![(200, None, body.to_owned())]).await;
    let cost = client.query("x").await.unwrap().statistics;
    assert_eq!(cost.execution, Some(Duration::from_millis(250)));
    assert_eq!(cost.rows_scanned, Some(7));
    assert_eq!(cost.bytes_answered, body.len() as u64);
}
