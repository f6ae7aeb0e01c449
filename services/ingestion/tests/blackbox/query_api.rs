//! The Log Analytics source against a workspace that is faked on loopback.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use foretide_domain::Measure;
use foretide_ingestion::Config;
use foretide_ingestion::config::LogAnalyticsConfig;
use foretide_service_runtime::testing::TestContext;
use serde_json::{Value, json};

use crate::world::{World, at};

/// A workspace with incidents at given hours, which can be too large or out of order.
#[derive(Default)]
struct Workspace {
    incidents: Mutex<Vec<(&'static str, &'static str, i64)>>,
    queries: AtomicUsize,
    only_single_days: AtomicBool,
    broken: AtomicBool,
}

fn window(query: &str, name: &str) -> DateTime<Utc> {
    let text = query
        .split(&format!("let {name} = datetime("))
        .nth(1)
        .unwrap();
    text.split(')').next().unwrap().parse().unwrap()
}

async fn answer(State(workspace): State<Arc<Workspace>>, Json(body): Json<Value>) -> Response {
    workspace.queries.fetch_add(1, Ordering::SeqCst);
    let query = body["query"].as_str().unwrap();
    let (start, end) = (window(query, "windowStart"), window(query, "windowEnd"));
    if workspace.broken.load(Ordering::SeqCst) && query.contains("SecurityIncident") {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": {"code": "BadArgumentError", "message": "no"}})),
        )
            .into_response();
    }
    if query.contains("Newest") {
        let columns = json!([{"name": "Newest", "type": "datetime"}]);
        return table(&columns, &json!([["2026-11-20T11:30:00Z"]])).into_response();
    }
    if workspace.only_single_days.load(Ordering::SeqCst) && (end - start).num_days() > 1 {
        let partial =
            json!({"tables": [], "error": {"code": "PartialError", "message": "too many rows"}});
        return Json(partial).into_response();
    }
    let columns = json!([{"name": "Hour", "type": "datetime"}, {"name": "Severity", "type": "string"}, {"name": "Product", "type": "string"}, {"name": "Tactic", "type": "string"}, {"name": "Value", "type": "long"}]);
    let rows: Vec<Value> = if query.contains("Hour = bin(CreatedTime") {
        let incidents = workspace.incidents.lock().unwrap();
        let inside = incidents
            .iter()
            .filter(|(hour, ..)| (start..end).contains(&at(hour)));
        inside
            .map(|(hour, severity, n)| json!([hour, severity, "Defender", "", n]))
            .collect()
    } else {
        Vec::new()
    };
    table(&columns, &json!(rows)).into_response()
}

fn table(columns: &Value, rows: &Value) -> Json<Value> {
    Json(json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}))
}

async fn fake_azure(workspace: Arc<Workspace>) -> SocketAddr {
    let token = || async {
        Json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "t0ken"}))
    };
    let app = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/v1/workspaces/{id}/query", post(answer))
        .with_state(workspace);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

async fn world_of(workspace: &Arc<Workspace>) -> World {
    let azure = fake_azure(Arc::clone(workspace)).await;
    let log_analytics: LogAnalyticsConfig = serde_json::from_value(json!({
        "workspace_id": "11111111-1111-1111-1111-111111111111",
        "endpoint": format!("http://{azure}"),
        "identity": {"authority": format!("http://{azure}"), "tenant": "contoso", "client_id": "c", "client_secret": "s"},
        "history_days": 10,
    }))
    .unwrap();
    let context = TestContext::new("ingestion", at("2026-11-23T00:00:00Z"), &[]);
    let config = Config {
        log_analytics: Some(log_analytics),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    World::start(context, config).await
}

#[tokio::test]
async fn counts_become_buckets_and_only_changed_days_are_written_again() {
    let workspace = Arc::new(Workspace::default());
    *workspace.incidents.lock().unwrap() = vec![
        ("2026-11-19T10:00:00Z", "High", 4),
        ("2026-11-20T11:00:00Z", "Low", 9),
    ];
    let world = world_of(&workspace).await;
    let summary = world.ingest("2026-11-20T12:00:00Z").await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(summary["SecurityIncident"].buckets_written, 2);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T12:00:00Z")
            .await,
        13.0
    );
    let before = world.lake().await;
    world.ingest("2026-11-20T13:00:00Z").await;
    assert_eq!(world.lake().await, before);
    workspace.incidents.lock().unwrap()[1].2 = 11;
    world.ingest("2026-11-20T14:00:00Z").await;
    assert_eq!(world.lake().await.len(), before.len() + 1);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T13:00:00Z")
            .await,
        13.0
    );
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T14:00:00Z")
            .await,
        15.0
    );
}

#[tokio::test]
async fn an_incomplete_answer_is_asked_for_in_halves() {
    let workspace = Arc::new(Workspace::default());
    *workspace.incidents.lock().unwrap() = vec![
        ("2026-11-12T10:00:00Z", "High", 4),
        ("2026-11-20T11:00:00Z", "Low", 9),
    ];
    workspace.only_single_days.store(true, Ordering::SeqCst);
    let world = world_of(&workspace).await;
    let summary = world.ingest("2026-11-20T12:00:00Z").await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T12:00:00Z")
            .await,
        13.0
    );
}

#[tokio::test]
async fn a_table_that_is_refused_does_not_stop_the_others() {
    let workspace = Arc::new(Workspace::default());
    workspace.broken.store(true, Ordering::SeqCst);
    let world = world_of(&workspace).await;
    let summary = world.ingest("2026-11-20T12:00:00Z").await;
    assert!(
        summary["SecurityIncident"]
            .error
            .contains("BadArgumentError"),
        "{:?}",
        summary["SecurityIncident"]
    );
    assert_eq!(summary["Usage"].error, "");
    assert!(
        world
            .watermarks()
            .await
            .iter()
            .all(|watermark| watermark.table != "SecurityIncident")
    );
}
