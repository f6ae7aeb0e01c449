//! Log Analytics query API: the shapes are ours, the KQL is run by a real engine.

mod timespan;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use chrono::{DateTime, SecondsFormat, Utc};
use foretide_domain::{SentinelTable, TimeSpan};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::AzureError;
use crate::config::KqlEngineConfig;
use crate::state::State;

pub(crate) const AUDIENCE: &str = "https://api.loganalytics.io";
/// Largest answer taken from the engine; Log Analytics itself stops at about 100 MB.
const LARGEST_ANSWER: usize = 128 * 1024 * 1024;

#[derive(Deserialize)]
struct QueryBody {
    query: String,
    #[serde(default)]
    timespan: Option<String>,
}

/// A Kusto REST v1 answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KustoAnswer {
    tables: Vec<KustoTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KustoTable {
    columns: Vec<KustoColumn>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KustoColumn {
    column_name: String,
    #[serde(default)]
    column_type: String,
}

pub(crate) async fn query(
    Shared(state): Shared<Arc<State>>,
    Path(_workspace): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, AzureError> {
    let now = state.clock.now();
    state.tokens.authorize(&headers, AUDIENCE, now)?;
    let Some(engine) = &state.config.kql_engine else {
        return Err(AzureError::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "no KQL engine is configured: set kql_engine.url to a running `duckdb-kql serve`",
        ));
    };
    let body: QueryBody = serde_json::from_slice(&body)
        .map_err(|error| AzureError::bad_request("BadArgumentError", error.to_string()))?;
    let csl = match body.timespan.as_deref() {
        None | Some("") => body.query,
        Some(text) => within(&body.query, &span_of(text, now)?),
    };
    let answer = run(&state.http, engine, &csl).await?;
    Ok(Json(render(answer)))
}

fn span_of(text: &str, now: DateTime<Utc>) -> Result<TimeSpan, AzureError> {
    timespan::parse(text, now).ok_or_else(|| {
        let message = format!("timespan {text:?} is no ISO 8601 duration or interval");
        AzureError::bad_request("BadArgumentError", message)
    })
}

/// Cuts the tables that a query names down to the span, as Log Analytics does beside the query's
/// own filters.
fn within(query: &str, span: &TimeSpan) -> String {
    let written = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (start, end) = (written(span.start), written(span.end));
    let named = SentinelTable::ALL
        .into_iter()
        .filter(|table| query.contains(table.name()));
    let cuts = named.map(|table| {
        format!(
            "let {table} = {table} | where TimeGenerated >= datetime({start}) and TimeGenerated < datetime({end});\n"
        )
    });
    cuts.chain([query.to_owned()]).collect()
}

async fn run(
    http: &reqwest::Client,
    engine: &KqlEngineConfig,
    csl: &str,
) -> Result<KustoAnswer, AzureError> {
    let unavailable =
        |what: &str| AzureError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", what);
    let address = engine
        .url
        .join("/v1/rest/query")
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
        return Err(AzureError::bad_request(
            "BadArgumentError",
            engine_message(&body),
        ));
    }
    serde_json::from_slice(&body)
        .map_err(|_| unavailable("the KQL engine's answer has an unknown shape"))
}

fn engine_message(body: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = parsed["error"]["@message"]
        .as_str()
        .or(parsed["error"]["message"].as_str());
    message
        .unwrap_or("the KQL engine refused the query without a reason")
        .to_owned()
}

/// The answer in the shape of Log Analytics: `dynamic` cells are text that holds JSON.
fn render(answer: KustoAnswer) -> Value {
    let tables: Vec<Value> = answer
        .tables
        .into_iter()
        .take(1)
        .map(render_table)
        .collect();
    json!({ "tables": tables })
}

fn render_table(table: KustoTable) -> Value {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({ "name": column.column_name, "type": column.column_type }))
        .collect();
    let rows: Vec<Vec<Value>> = table
        .rows
        .into_iter()
        .map(|row| row.into_iter().map(render_cell).collect())
        .collect();
    json!({ "name": "PrimaryResult", "columns": columns, "rows": rows })
}

fn render_cell(cell: Value) -> Value {
    match cell {
        Value::Object(_) | Value::Array(_) => Value::String(cell.to_string()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timespan_cuts_every_table_that_is_named() {
        let span = TimeSpan {
            start: "2026-11-22T00:00:00Z".parse().expect("a moment"),
            end: "2026-11-23T00:00:00Z".parse().expect("a moment"),
        };
        let cut = within("SecurityIncident | join SecurityAlert on x", &span);
        assert!(cut.starts_with("let SecurityIncident = SecurityIncident | where TimeGenerated >= datetime(2026-11-22T00:00:00.000Z)"), "{cut}");
        assert!(cut.contains("let SecurityAlert = "));
        assert!(!cut.contains("let Usage"));
        assert!(cut.ends_with("\nSecurityIncident | join SecurityAlert on x"));
    }

    #[test]
    fn a_kusto_answer_becomes_a_log_analytics_answer() {
        let kusto = r#"{"Tables":[{"TableName":"Table_0","Columns":[
            {"ColumnName":"n","DataType":"Int64","ColumnType":"long"},
            {"ColumnName":"Owner","DataType":"Object","ColumnType":"dynamic"}],
            "Rows":[[1,{"a":1}],[2,null]]}]}"#;
        let answer = render(serde_json::from_str(kusto).expect("a Kusto answer"));
        assert_eq!(
            answer,
            json!({ "tables": [{
                "name": "PrimaryResult",
                "columns": [{"name":"n","type":"long"},{"name":"Owner","type":"dynamic"}],
                "rows": [[1, "{\"a\":1}"], [2, null]],
            }]})
        );
    }
}
