//! Azure Monitor Logs Ingestion API.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use chrono::SecondsFormat;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::answers::AzureError;
use crate::record::{Undecodable, decompressed};
use crate::state::State;

pub(crate) const AUDIENCE: &str = "https://monitor.azure.com";
/// Limit of a call, of its body as sent and as decompressed.
const LARGEST_CALL: usize = 1024 * 1024;

pub(crate) async fn upload(
    Shared(state): Shared<Arc<State>>,
    Path((rule_id, stream)): Path<(String, String)>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, AzureError> {
    let now = state.clock.now();
    state.tokens.authorize(&headers, AUDIENCE, now)?;
    if !parameters.contains_key("api-version") {
        let message = "the api-version query parameter is required";
        return Err(AzureError::bad_request(
            "MissingApiVersionParameter",
            message,
        ));
    }
    let table = table_of(&state, &rule_id, &stream)?;
    let mut rows = rows_of(&headers, &body)?;
    for row in &mut rows {
        // the service fills the one column that every row must have
        if row.get("TimeGenerated").is_none_or(Value::is_null) {
            row["TimeGenerated"] = now.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        }
    }
    if !state.store(&table, rows) {
        return Err(AzureError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "EmulatorTableFull",
            "the emulator keeps no more rows of this table: POST /_emulator/reset",
        ));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The table that a rule's stream leads to: `Custom-X_CL` and `Custom-X` to `X_CL`.
fn table_of(state: &State, rule_id: &str, stream: &str) -> Result<String, AzureError> {
    let rule = state
        .config
        .rules
        .iter()
        .find(|rule| rule.id == rule_id)
        .ok_or_else(|| {
            let message = format!("data collection rule with immutable id '{rule_id}' not found");
            AzureError::new(StatusCode::NOT_FOUND, "NotFound", message)
        })?;
    if !rule.streams.iter().any(|known| known == stream) {
        let message = format!(
            "stream '{stream}' is not declared in the rule; it has {:?}",
            rule.streams
        );
        return Err(AzureError::bad_request("InvalidStream", message));
    }
    let name = stream
        .strip_prefix("Custom-")
        .or_else(|| stream.strip_prefix("Microsoft-"));
    let name = name.unwrap_or(stream);
    let is_own = stream.starts_with("Custom-") && !name.ends_with("_CL");
    Ok(if is_own {
        format!("{name}_CL")
    } else {
        name.to_owned()
    })
}

fn rows_of(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Value>, AzureError> {
    let too_large = || {
        let message = "a call may hold at most 1 MB, as sent and as decompressed";
        AzureError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "ContentLengthLimitExceeded",
            message,
        )
    };
    if body.len() > LARGEST_CALL {
        return Err(too_large());
    }
    let decoded = decompressed(headers, body, LARGEST_CALL).map_err(|problem| match problem {
        Undecodable::TooLarge => too_large(),
        Undecodable::Broken => {
            AzureError::bad_request("InvalidPayload", "the body is not valid gzip")
        }
        Undecodable::UnknownEncoding => {
            AzureError::bad_request("InvalidPayload", "content-encoding must be gzip or absent")
        }
    })?;
    let rows: Vec<Value> = serde_json::from_slice(&decoded).map_err(|error| {
        AzureError::bad_request(
            "InvalidPayload",
            format!("the body must be a JSON array: {error}"),
        )
    })?;
    if let Some(index) = rows.iter().position(|row| !row.is_object()) {
        let message = format!("element {index} of the array is not an object");
        return Err(AzureError::bad_request("InvalidPayload", message));
    }
    Ok(rows)
}
