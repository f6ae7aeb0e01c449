use std::sync::{Arc, Mutex};

use axum::Json;
use axum::routing::post;
use foretide_emulator::{EmulatorConfig, KqlEngineConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{World, error_code};

const PATH: &str = "/v1/workspaces/11111111-1111-1111-1111-111111111111/query";
const AUDIENCE: &str = "https://api.loganalytics.io";

/// A server that speaks like `duckdb-kql serve` (answers recorded from version 1.1.2) and
/// remembers what it was asked.
async fn kql_engine() -> (KqlEngineConfig, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let memory = Arc::clone(&asked);
    let answer = move |Json(body): Json<Value>| async move {
        let csl = body["csl"].as_str().unwrap_or_default().to_owned();
        memory.lock().expect("not poisoned").push(body);
        if csl.contains("Nope") {
            let message = "Catalog Error: Table with name Nope does not exist!";
            let error = json!({ "error": { "code": "General_BadRequest", "@message": message } });
            return (StatusCode::BAD_REQUEST, Json(error));
        }
        let columns = json!([{ "ColumnName": "Count", "DataType": "Int64", "ColumnType": "long" }]);
        let table = json!({ "TableName": "Table_0", "Columns": columns, "Rows": [[2]] });
        (StatusCode::OK, Json(json!({ "Tables": [table] })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = axum::Router::new().route("/v1/rest/query", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let url = format!("http://{address}").parse().expect("an address");
    (
        KqlEngineConfig {
            url,
            database: "workspace".to_owned(),
        },
        asked,
    )
}

async fn ask(world: &World, body: &Value) -> reqwest::Response {
    let token = world.token_for(AUDIENCE).await;
    world
        .post(PATH)
        .bearer_auth(token)
        .json(body)
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn without_an_engine_it_says_how_to_get_one() {
    let world = World::new().await;
    let answer = ask(&world, &json!({ "query": "SecurityIncident | count" })).await;
    assert_eq!(answer.status(), StatusCode::NOT_IMPLEMENTED);
    let body: Value = answer.json().await.expect("JSON");
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("duckdb-kql serve"))
    );
}

#[tokio::test]
async fn a_query_is_run_by_the_engine_and_answered_like_log_analytics() {
    let (engine, asked) = kql_engine().await;
    let world = World::with(EmulatorConfig {
        kql_engine: Some(engine),
        ..EmulatorConfig::default()
    })
    .await;
    let query = json!({ "query": "SecurityIncident | count", "timespan": "P1D" });
    let answer: Value = ask(&world, &query).await.json().await.expect("JSON");
    let table = json!({ "name": "PrimaryResult", "columns": [{ "name": "Count", "type": "long" }], "rows": [[2]] });
    assert_eq!(answer, json!({ "tables": [table] }));
    let asked = asked.lock().expect("not poisoned");
    assert_eq!(asked[0]["db"], "workspace");
    let csl = asked[0]["csl"].as_str().expect("a query");
    assert!(
        csl.contains("TimeGenerated >= datetime(2026-11-22T10:00:00.000Z)"),
        "{csl}"
    );
    assert!(csl.ends_with("SecurityIncident | count"));
}

#[tokio::test]
async fn bad_queries_and_a_stopped_engine_are_told_apart() {
    let (engine, _asked) = kql_engine().await;
    let world = World::with(EmulatorConfig {
        kql_engine: Some(engine),
        ..EmulatorConfig::default()
    })
    .await;
    let bodies = [
        json!({ "query": "Nope | count" }),
        json!({ "query": "SecurityIncident", "timespan": "last week" }),
        json!({ "text": "SecurityIncident" }),
    ];
    for body in bodies {
        let answer = ask(&world, &body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(error_code(answer).await, "BadArgumentError");
    }
    let nowhere = KqlEngineConfig {
        url: "http://127.0.0.1:9".parse().expect("an address"),
        database: "w".to_owned(),
    };
    let world = World::with(EmulatorConfig {
        kql_engine: Some(nowhere),
        ..EmulatorConfig::default()
    })
    .await;
    let answer = ask(&world, &json!({ "query": "SecurityIncident" })).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wrong_audience = world.token_for("https://monitor.azure.com").await;
    let answer = world
        .post(PATH)
        .bearer_auth(wrong_audience)
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        error_code(answer).await,
        "InvalidAuthenticationTokenAudience"
    );
}
