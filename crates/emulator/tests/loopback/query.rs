use std::sync::{Arc, Mutex};

use axum::Json;
use axum::routing::post;
use foretide_domain::{Clock, Measure};
use foretide_emulator::{EmulatorConfig, Fault, FaultAction, GeneratedConfig, KqlEngineConfig};
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
        if csl.contains("Nope") || csl.contains("getschema") {
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
    let router = axum::Router::new()
        .route("/v1/rest/query", post(answer.clone()))
        .route("/v1/rest/mgmt", post(answer));
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

async fn world_with_engine() -> (World, Arc<Mutex<Vec<Value>>>) {
    let (engine, asked) = kql_engine().await;
    let world = World::with(EmulatorConfig {
        kql_engine: Some(engine),
        ..EmulatorConfig::default()
    })
    .await;
    (world, asked)
}

#[tokio::test]
async fn a_partial_result_is_200_with_an_error_beside_the_rows() {
    let (world, _asked) = world_with_engine().await;
    world
        .emulator
        .add_fault(Fault::at("/v1/", 1, FaultAction::partial_rows(0)));
    let answer = ask(&world, &json!({ "query": "SecurityIncident | count" })).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "PartialError");
    assert_eq!(body["tables"][0]["rows"], json!([]));
    let whole: Value = ask(&world, &json!({ "query": "SecurityIncident | count" }))
        .await
        .json()
        .await
        .expect("JSON");
    assert!(whole.get("error").is_none());
}

#[tokio::test]
async fn one_question_can_be_put_in_many_ways() {
    let (world, _asked) = world_with_engine().await;
    let token = world.token_for(AUDIENCE).await;
    let workspace = "11111111-1111-1111-1111-111111111111";
    let by_get = world.get(&format!(
        "{PATH}?query=SecurityIncident%20%7C%20count&timespan=P1D"
    ));
    let resource = "/v1/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/query";
    let by_resource = world
        .post(resource)
        .json(&json!({ "query": "SecurityIncident | count", "workspaces": null }));
    let with_statistics = world
        .post(PATH)
        .header("prefer", "wait=30,include-statistics=true")
        .json(&json!({ "query": "SecurityIncident | count", "timespan": null }));
    for request in [by_get, by_resource, with_statistics] {
        let answer = request.bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["tables"][0]["rows"], json!([[2]]));
    }
    let one = |id: &str, query: &str| {
        json!({
            "id": id, "method": "POST", "path": "/query", "workspace": workspace,
            "headers": { "Content-Type": "application/json", "Prefer": "include-statistics=true" },
            "body": { "query": query },
        })
    };
    let batch = json!({ "requests": [one("a", "SecurityIncident | count"), one("b", "Nope")] });
    let answer = world
        .post("/v1/$batch")
        .bearer_auth(&token)
        .json(&batch)
        .send()
        .await
        .expect("an answer");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["responses"][0]["status"], 200);
    assert!(body["responses"][0]["body"]["statistics"]["query"]["executionTime"].is_number());
    assert_eq!(body["responses"][1]["status"], 400);
    assert_eq!(
        body["responses"][1]["body"]["error"]["innererror"]["code"],
        "SemanticError"
    );
    let nowhere = world
        .post("/v1/workspaces/not-a-guid/query")
        .bearer_auth(&token)
        .json(&json!({ "query": "x" }));
    assert_eq!(
        error_code(nowhere.send().await.expect("an answer")).await,
        "PathNotFoundError"
    );
}

#[tokio::test]
async fn uploaded_rows_reach_the_engine_once_they_show() {
    let (engine, asked) = kql_engine().await;
    let world = World::with(EmulatorConfig {
        kql_engine: Some(engine),
        visibility_delay_ms: 300_000,
        ..EmulatorConfig::default()
    })
    .await;
    let monitor = world.token_for("https://monitor.azure.com").await;
    world
        .upload(
            &monitor,
            &json!([{ "Name": "it's \"me\"" }, { "Name": null }]),
        )
        .await;
    let sent = |word: &str| {
        let asked = asked.lock().expect("not poisoned");
        let csls = asked.iter().filter_map(|body| body["csl"].as_str());
        csls.filter(|csl| csl.contains(word))
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    let query = json!({ "query": "PredictiveAlerting_CL | count" });
    ask(&world, &query).await;
    assert!(sent("it's").is_empty(), "not visible yet");
    world
        .clock
        .advance_to(world.clock.now() + chrono::Duration::minutes(5));
    ask(&world, &query).await;
    ask(&world, &query).await;
    assert_eq!(sent("it's").len(), 1, "put in once: {:?}", sent(""));
    assert!(sent("datatable")[0].starts_with(".set-or-append PredictiveAlerting_CL <| datatable("));
    assert!(
        sent("it's")[0]
            .starts_with(".set-or-append PredictiveAlerting_CL <| print row=parse_json(")
    );
    ask(&world, &json!({ "query": "SecurityIncident | count" })).await;
    let last = sent("").pop().expect("a query");
    assert_eq!(
        last, "SecurityIncident | count",
        "other tables are left alone"
    );
}

#[tokio::test]
async fn tables_on_the_basic_plan_are_searched_one_at_a_time() {
    let (engine, asked) = kql_engine().await;
    let world = World::with(EmulatorConfig {
        kql_engine: Some(engine),
        basic_tables: vec!["Firewall_CL".to_owned(), "Proxy_CL".to_owned()],
        ..EmulatorConfig::default()
    })
    .await;
    let search = PATH.replace("/query", "/search");
    let token = world.token_for(AUDIENCE).await;
    let ask = async |path: &str, query: &str| {
        let answer = world
            .post(path)
            .bearer_auth(&token)
            .json(&json!({ "query": query }))
            .send();
        answer.await.expect("an answer")
    };
    let answer = ask(&search, "Firewall_CL | count").await;
    assert_eq!(answer.status(), StatusCode::OK);
    for (path, query) in [
        (PATH, "Firewall_CL | count"),
        (search.as_str(), "SecurityIncident | count"),
        (search.as_str(), "Firewall_CL | join Proxy_CL on Host"),
        (
            search.as_str(),
            "Firewall_CL | lookup SecurityIncident on Id",
        ),
    ] {
        let answer = ask(path, query).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(error_code(answer).await, "BadArgumentError");
    }
    let asked = asked.lock().expect("not poisoned");
    let searched = asked
        .iter()
        .filter_map(|body| body["csl"].as_str())
        .find(|csl| csl.contains("Firewall_CL | count"));
    assert!(searched.is_some());
    assert_eq!(
        world.emulator.requests(&search).len(),
        4,
        "searches are recorded as others are"
    );
}

#[tokio::test]
async fn a_search_looks_at_eight_days_and_a_generated_table_is_cut_at_the_limits() {
    let config = |basic_tables: &[&str], query_row_limit| EmulatorConfig {
        basic_tables: basic_tables.iter().map(ToString::to_string).collect(),
        query_row_limit,
        generated: Some(GeneratedConfig {
            seed: 1,
            start: "2026-11-01".parse().expect("a day"),
            days: 22,
            rows: 200_000,
        }),
        ..EmulatorConfig::default()
    };
    let world = World::with(config(&["SigninLogs"], 10_000)).await;
    let bound = "let windowStart = datetime(2026-11-01T00:00:00Z);\n\
        let windowEnd = datetime(2026-11-23T00:00:00Z);\n\
        let asOf = datetime(2026-11-23T00:00:00Z);\n";
    let text = |measure| format!("{bound}{}", foretide_sentinel_tables::count_query(measure));
    let token = world.token_for(AUDIENCE).await;
    let rows = async |path: &str, body: Value| -> Value {
        let answer = world.post(path).bearer_auth(&token).json(&body).send();
        let answer = answer.await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    let search = PATH.replace("/query", "/search");
    let query = text(Measure::FailedLogins);
    let eight_days = rows(&search, json!({ "query": query })).await;
    let earliest = eight_days["tables"][0]["rows"][0][0].as_str();
    assert_eq!(earliest, Some("2026-11-15T10:00:00Z"), "{eight_days}");
    let timespan = "2026-11-01T00:00:00Z/2026-11-24T00:00:00Z";
    let all = rows(&search, json!({ "query": query, "timespan": timespan })).await;
    let earliest = all["tables"][0]["rows"][0][0].as_str();
    assert!(earliest.is_some_and(|hour| hour.starts_with("2026-11-01")));

    let world = World::with(config(&[], 100)).await;
    let answer = world
        .post(PATH)
        .bearer_auth(world.token_for(AUDIENCE).await)
        .header("prefer", "include-statistics=true")
        .json(&json!({ "query": text(Measure::Alerts) }))
        .send();
    let answer: Value = answer.await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["error"]["code"], "PartialError");
    assert_eq!(
        answer["tables"][0]["rows"].as_array().map(Vec::len),
        Some(100)
    );
    let input = &answer["statistics"]["query"]["inputDatasetStatistics"];
    assert!(input["rows"]["scanned"].as_u64() >= Some(8_000), "{input}");
}
