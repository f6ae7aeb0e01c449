//! `duckdb-kql serve`, by the Kusto REST API v1.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::AzureError;
use crate::config::KqlEngineConfig;

/// Largest answer taken from the engine; Log Analytics itself stops at about 100 MB.
const LARGEST_ANSWER: usize = 128 * 1024 * 1024;

/// A Kusto REST v1 answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KustoAnswer {
    pub(super) tables: Vec<KustoTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KustoTable {
    pub(super) columns: Vec<KustoColumn>,
    pub(super) rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KustoColumn {
    pub(super) column_name: String,
    #[serde(default)]
    pub(super) column_type: String,
}

/// Runs a query.
pub(super) async fn query(
    http: &reqwest::Client,
    engine: &KqlEngineConfig,
    csl: &str,
) -> Result<KustoAnswer, AzureError> {
    send(http, engine, "/v1/rest/query", &dialect(csl)).await
}

/// Runs a command that writes.
pub(super) async fn command(
    http: &reqwest::Client,
    engine: &KqlEngineConfig,
    csl: &str,
) -> Result<KustoAnswer, AzureError> {
    send(http, engine, "/v1/rest/mgmt", csl).await
}

/// A query as the engine takes it: it has no `ingestion_time()`, its tables have a column instead.
fn dialect(csl: &str) -> String {
    csl.replace("ingestion_time()", "_IngestionTime")
}

fn unavailable(what: &str) -> AzureError {
    AzureError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", what)
}

async fn send(
    http: &reqwest::Client,
    engine: &KqlEngineConfig,
    path: &str,
    csl: &str,
) -> Result<KustoAnswer, AzureError> {
    let address = engine
        .url
        .join(path)
        .map_err(|_| unavailable("the KQL engine's address cannot be extended by a path"))?;
    let response = http
        .post(address)
        .json(&json!({ "db": engine.database, "csl": csl }))
        .send()
        .await
        .map_err(|_| unavailable("the KQL engine cannot be reached"))?;
    let succeeded = response.status().is_success();
    let body = foretide_http::read_body(response, LARGEST_ANSWER)
        .await
        .map_err(|_| unavailable("the KQL engine's answer broke off or is too large"))?;
    if !succeeded {
        return Err(refusal(&body));
    }
    serde_json::from_slice(&body)
        .map_err(|_| unavailable("the KQL engine's answer has an unknown shape"))
}

/// The engine's refusal, nested as Log Analytics nests it.
fn refusal(body: &[u8]) -> AzureError {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = parsed["error"]["@message"]
        .as_str()
        .or(parsed["error"]["message"].as_str())
        .unwrap_or("the KQL engine refused the query without a reason");
    let inner = match position(message) {
        Some((line, position)) => json!({
            "code": "SyntaxError",
            "message": "A recognition error occurred in the query.",
            "innererror": { "code": "SYN0002", "message": message, "line": line, "pos": position },
        }),
        None => json!({
            "code": "SemanticError",
            "message": "A semantic error occurred.",
            "innererror": { "code": "SEM0100", "message": message },
        }),
    };
    let summary = format!("The request had some invalid properties: {message}");
    AzureError::bad_request("BadArgumentError", summary).with_inner(inner)
}

/// Line and column in `could not parse KQL at 1:2: ...`.
fn position(message: &str) -> Option<(u32, u32)> {
    let place = message.strip_prefix("could not parse KQL at ")?;
    let mut numbers = place.split(':');
    let line = numbers.next()?.parse().ok()?;
    let column = numbers.next()?.trim().parse().ok()?;
    Some((line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_and_meaning_are_told_apart() {
        let refused = |message: &str| {
            let body = json!({ "error": { "@message": message } });
            refusal(body.to_string().as_bytes()).body()["error"].clone()
        };
        let syntax = refused("could not parse KQL at 1:2: extraneous input '|'");
        assert_eq!(syntax["code"], "BadArgumentError");
        assert_eq!(syntax["innererror"]["code"], "SyntaxError");
        assert_eq!(syntax["innererror"]["innererror"]["pos"], 2);
        let meaning = refused("Catalog Error: Table with name Nope does not exist!");
        assert_eq!(meaning["innererror"]["code"], "SemanticError");
        assert_eq!(
            refusal(b"").body()["error"]["innererror"]["code"],
            "SemanticError"
        );
    }
}
