//! Tables on the basic and auxiliary plan: the same decisions, by the other path.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use foretide_domain::TimeSpan;
use foretide_entra::StaticToken;
use foretide_http::ClientOptions;
use foretide_log_analytics::{Answer, Cell, Patience, QueryClient, QueryError, WorkspaceConfig};
use serde_json::{Value, json};

const WORKSPACE: &str = "11111111-1111-1111-1111-111111111111";
type Answers = Mutex<VecDeque<(u16, String)>>;

/// Answers in turn and keeps what it was asked.
#[derive(Default)]
struct Service {
    answers: Answers,
    asked: Mutex<Vec<(String, Value)>>,
}

async fn answer(State(service): State<Arc<Service>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    service.asked.lock().unwrap().push((path, body));
    let (status, body) = service.answers.lock().unwrap().pop_front().unwrap();
    Response::builder()
        .status(status)
        .header("retry-after", "0")
        .body(Body::from(body))
        .unwrap()
}

async fn search(answers: &[(u16, Value)]) -> (Result<Answer, QueryError>, Vec<(String, Value)>) {
    let service = Arc::new(Service::default());
    let written = answers
        .iter()
        .map(|(status, body)| (*status, body.to_string()));
    service.answers.lock().unwrap().extend(written);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&service));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let workspace = WorkspaceConfig {
        endpoint: endpoint.parse().unwrap(),
        workspace_id: WORKSPACE.to_owned(),
        audience: "https://api.loganalytics.io".to_owned(),
    };
    let patience = Patience {
        attempts: 2,
        base: Duration::from_millis(1),
        ..Patience::default()
    };
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    let tokens = Arc::new(StaticToken::new("t0ken"));
    let client = QueryClient::new(workspace, http, tokens)
        .unwrap()
        .with_patience(patience);
    let span = TimeSpan {
        start: "2026-11-01T00:00:00Z".parse().unwrap(),
        end: "2026-11-23T10:30:00Z".parse().unwrap(),
    };
    let outcome = client.search("Firewall_CL | take 1", span).await;
    let asked = service.asked.lock().unwrap().clone();
    (outcome, asked)
}

fn table() -> Value {
    let columns = json!([{"name": "n", "type": "long"}]);
    json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [[9]]}]})
}

fn refused(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

#[tokio::test]
async fn a_search_names_its_span_and_its_answer_is_a_table() {
    let (outcome, asked) = search(&[(200, table())]).await;
    assert_eq!(outcome.unwrap().table.rows[0][0], Cell::Integer(9));
    let (path, body) = &asked[0];
    assert_eq!(*path, format!("/v1/workspaces/{WORKSPACE}/search"));
    let timespan = "2026-11-01T00:00:00.000Z/2026-11-23T10:30:00.000Z";
    assert_eq!(
        *body,
        json!({"query": "Firewall_CL | take 1", "timespan": timespan})
    );
}

#[tokio::test]
async fn every_refusal_of_a_search_has_its_own_error() {
    let refusal = async |status, code: &str, message: &str| {
        let body = refused(code, message);
        let (outcome, asked) = search(&[(status, body.clone()), (status, body)]).await;
        (outcome.unwrap_err(), asked.len())
    };
    let (error, tries) = refusal(400, "BadArgumentError", "one table only").await;
    assert!(
        matches!(error, QueryError::BadQuery { .. }) && tries == 1,
        "{error}"
    );
    let (error, _) = refusal(400, "BadArgumentError", "ResponseSizeError").await;
    assert!(error.asks_for_less(), "{error}");
    let (error, _) = refusal(401, "AuthenticationFailed", "no").await;
    assert!(matches!(error, QueryError::Unauthorized { .. }), "{error}");
    let (error, _) = refusal(403, "InsufficientAccessError", "no").await;
    assert!(matches!(error, QueryError::Forbidden { .. }), "{error}");
    let (error, _) = refusal(404, "WorkspaceNotFoundError", "no").await;
    assert!(
        matches!(error, QueryError::UnknownWorkspace { .. }),
        "{error}"
    );
    let (error, _) = refusal(413, "ResponseTooLarge", "no").await;
    assert!(matches!(error, QueryError::TooLarge { .. }), "{error}");
    let (error, tries) = refusal(429, "Throttled", "slow down").await;
    assert!(
        matches!(error, QueryError::Throttled { .. }) && tries == 2,
        "{error}"
    );
    let (error, tries) = refusal(503, "ServiceUnavailable", "later").await;
    assert!(
        matches!(error, QueryError::Unavailable { .. }) && tries == 2,
        "{error}"
    );
    let (error, tries) = refusal(504, "GatewayTimeout", "too long").await;
    assert!(
        matches!(error, QueryError::Timeout) && tries == 1,
        "{error}"
    );
    let (error, _) = refusal(418, "Teapot", "no").await;
    assert!(
        matches!(error, QueryError::Unexpected { status: 418, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_throttled_search_is_repeated_and_half_an_answer_is_none() {
    let throttled = (429, refused("Throttled", "slow down"));
    let (outcome, asked) = search(&[throttled, (200, table())]).await;
    assert!(outcome.is_ok() && asked.len() == 2 && asked[0] == asked[1]);
    let mut partial = table();
    partial["error"] = json!({"code": "PartialError", "message": "there is more"});
    let (outcome, _) = search(&[(200, partial)]).await;
    assert!(outcome.unwrap_err().asks_for_less());
    let (outcome, _) = search(&[(200, json!({"rows": 1}))]).await;
    assert!(matches!(outcome.unwrap_err(), QueryError::Unreadable(_)));
}
