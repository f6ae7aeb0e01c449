//! Azure Resource Manager, as any client of it would meet it.

use foretide_emulator::{ArmConfig, EmulatorConfig};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{World, error_code};

const AUDIENCE: &str = "https://management.azure.com";
const VERSION: &str = "api-version=2025-09-01";

fn workspace() -> String {
    let arm = ArmConfig::default();
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}",
        arm.subscription_id, arm.resource_group, arm.workspace
    )
}

fn sentinel(path: &str) -> String {
    format!(
        "{}/providers/Microsoft.SecurityInsights/{path}",
        workspace()
    )
}

async fn ask(world: &World, method: Method, path: &str, body: Option<&Value>) -> Response {
    let token = world.token_for(AUDIENCE).await;
    let address = format!("{}{path}", world.emulator.base_url());
    let request = world.http.request(method, address).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.expect("an answer")
}

async fn put(world: &World, path: &str, body: &Value) -> Response {
    ask(world, Method::PUT, path, Some(body)).await
}

async fn get(world: &World, path: &str) -> Response {
    ask(world, Method::GET, path, None).await
}

fn incident(properties: Value) -> Value {
    let mut all = json!({ "title": "t", "severity": "Low", "status": "New" });
    if let (Value::Object(all), Value::Object(more)) = (&mut all, properties) {
        all.extend(more);
    }
    json!({ "properties": all })
}

#[tokio::test]
async fn requests_that_azure_refuses_are_refused_alike() {
    let world = World::new().await;
    let incidents = sentinel("incidents");
    let one = format!("{}?{VERSION}", sentinel("incidents/i1"));
    for (path, status, code) in [
        (incidents.clone(), 400, "MissingApiVersionParameter"),
        (
            format!("{incidents}?api-version=1999-01-01"),
            400,
            "NoRegisteredProviderFound",
        ),
        (one.clone(), 404, "ResourceNotFound"),
        (
            format!("/subscriptions/other/resourceGroups/g?{VERSION}"),
            404,
            "SubscriptionNotFound",
        ),
        (
            one.replace("rg-soc", "rg-other"),
            404,
            "ResourceGroupNotFound",
        ),
        (
            one.replace("law-contoso", "law-other"),
            404,
            "ParentResourceNotFound",
        ),
        (
            format!("{}?{VERSION}", sentinel("unicorns/1")),
            404,
            "InvalidResourceType",
        ),
        (
            format!("{incidents}?{VERSION}&$filter=nonsense"),
            400,
            "InvalidFilter",
        ),
    ] {
        let answer = get(&world, &path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(error_code(answer).await, code, "{path}");
    }
    for body in [
        json!({}),
        incident(json!({ "title": "" })),
        incident(json!({ "severity": "Huge" })),
        incident(json!({ "status": "Closed" })),
        incident(json!({ "description": "x".repeat(5_001) })),
    ] {
        let answer = put(&world, &one, &body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let posted = ask(&world, Method::POST, &one, None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_for_another_interface_is_not_taken() {
    let world = World::new().await;
    let token = world.token_for("https://monitor.azure.com").await;
    let path = format!("{}?{VERSION}", sentinel("incidents"));
    let answer = world
        .get(&path)
        .bearer_auth(token)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let answer = world.get(&path).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_write_of_an_incident_is_a_row_of_its_table() {
    let world = World::new().await;
    let path = format!("{}?{VERSION}", sentinel("incidents/i1"));
    for status in ["New", "Active"] {
        put(&world, &path, &incident(json!({ "status": status }))).await;
    }
    let refused = put(&world, &path, &incident(json!({ "severity": "Huge" }))).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let rows = world.emulator.rows("SecurityIncident");
    let of = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("Status"), ["New", "Active"]);
    assert_eq!(of("IncidentNumber"), [1, 1]);
    assert_eq!(of("IncidentName"), ["i1", "i1"]);
    assert_eq!(rows[0]["CreatedTime"], rows[1]["CreatedTime"]);
}

#[tokio::test]
async fn an_etag_guards_a_version_and_a_put_replaces_what_it_leaves_out() {
    let world = World::new().await;
    let path = format!("{}?{VERSION}", sentinel("incidents/i1"));
    let first = put(&world, &path, &incident(json!({ "description": "d" }))).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let first: Value = first.json().await.expect("JSON");
    assert_eq!(first["properties"]["incidentNumber"], 1);
    let mut second = incident(json!({}));
    second["etag"] = first["etag"].clone();
    let answer = put(&world, &path, &second).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.expect("JSON");
    assert!(
        answer["properties"].get("description").is_none(),
        "left out is cleared"
    );
    let stale = put(&world, &path, &second).await;
    assert_eq!(stale.status(), StatusCode::CONFLICT);
    assert_eq!(error_code(stale).await, "Conflict");
}

#[tokio::test]
async fn the_token_bucket_empties_and_says_how_long_to_wait() {
    let world = World::new().await;
    let token = world.token_for(AUDIENCE).await;
    let path = format!("{}?{VERSION}", sentinel("incidents"));
    for left in (0..250).rev() {
        let answer = world
            .get(&path)
            .bearer_auth(&token)
            .send()
            .await
            .expect("an answer");
        let header = &answer.headers()["x-ms-ratelimit-remaining-subscription-reads"];
        assert_eq!(header, left.to_string().as_str());
    }
    let answer = world
        .get(&path)
        .bearer_auth(&token)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "1");
}

#[tokio::test]
async fn a_watchlist_takes_its_rows_out_of_a_file() {
    let world = World::new().await;
    let path = format!("{}?{VERSION}", sentinel("watchlists/TopCves"));
    let mut body = json!({ "properties": {
        "displayName": "TopCves",
        "provider": "Foretide",
        "itemsSearchKey": "CveId",
        "contentType": "text/csv",
        "rawContent": "CveId,Score\nCVE-1,0.9\nCVE-2,0.8\n",
    }});
    let answer = put(&world, &path, &body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert!(answer.headers().contains_key("azure-asyncoperation"));
    let answer: Value = answer.json().await.expect("JSON");
    assert!(answer["properties"].get("rawContent").is_none());
    let items = format!(
        "{}?{VERSION}",
        sentinel("watchlists/TopCves/watchlistItems")
    );
    let items: Value = get(&world, &items).await.json().await.expect("JSON");
    assert_eq!(items["value"].as_array().map(Vec::len), Some(2));
    body["properties"]["itemsSearchKey"] = json!("Score");
    assert_eq!(
        put(&world, &path, &body).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_data_collection_rule_needs_its_table_and_keeps_its_kind() {
    let world = World::new().await;
    let arm = EmulatorConfig::default().arm;
    let path = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Insights/dataCollectionRules/dcr-x?api-version=2024-03-11",
        arm.subscription_id, arm.resource_group
    );
    let columns = json!([{ "name": "TimeGenerated", "type": "datetime" }]);
    let mut rule = json!({
        "location": "westeurope",
        "kind": "Direct",
        "properties": {
            "streamDeclarations": { "Custom-X_CL": { "columns": columns } },
            "destinations": { "logAnalytics": [
                { "name": "law", "workspaceResourceId": workspace() },
            ]},
            "dataFlows": [{ "streams": ["Custom-X_CL"], "destinations": ["law"], "outputStream": "Custom-X_CL" }],
        },
    });
    assert_eq!(
        error_code(put(&world, &path, &rule).await).await,
        "InvalidOutputTable"
    );
    let table = format!("{}/tables/X_CL?api-version=2025-07-01", workspace());
    let made = json!({ "properties": { "schema": { "name": "X_CL", "columns": columns } } });
    assert_eq!(
        put(&world, &table, &made).await.status(),
        StatusCode::ACCEPTED
    );
    let made: Value = put(&world, &path, &rule).await.json().await.expect("JSON");
    let immutable_id = made["properties"]["immutableId"].as_str().expect("an id");
    assert_eq!(immutable_id.len(), "dcr-".len() + 32);
    assert_eq!(
        made["properties"]["endpoints"]["logsIngestion"],
        world.emulator.base_url()
    );
    rule["kind"] = json!("Windows");
    assert_eq!(
        put(&world, &path, &rule).await.status(),
        StatusCode::BAD_REQUEST
    );
    let odd = json!([{ "name": "TimeGenerated", "type": "long" }]);
    let odd = json!({ "properties": { "schema": { "name": "X_CL", "columns": odd } } });
    assert_eq!(
        put(&world, &table, &odd).await.status(),
        StatusCode::BAD_REQUEST
    );
}
