//! Azure Monitor Logs Ingestion API.

mod columns;
pub(crate) mod data_collector;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Shared};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::answers::AzureError;
use crate::arm;
use crate::config::StreamConfig;
use crate::faults::Effects;
use crate::record::{Undecodable, decompressed};
use crate::state::State;

pub(crate) const AUDIENCE: &str = "https://monitor.azure.com";
/// Limit of a call's body as it is sent.
const LARGEST_CALL: usize = 1024 * 1024;
/// Limit of a body as decompressed. Microsoft's clients fill a call with 1 MiB of rows and do not
/// count what stands between them; what they send is accepted in Azure.
const LARGEST_DECOMPRESSED: usize = LARGEST_CALL + LARGEST_CALL / 8;

pub(crate) async fn upload(
    Shared(state): Shared<Arc<State>>,
    Path((rule_id, stream)): Path<(String, String)>,
    Query(parameters): Query<HashMap<String, String>>,
    effects: Option<Extension<Effects>>,
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
    let stream = stream_of(&state, &rule_id, &stream)?;
    let mut rows = rows_of(&headers, &body)?;
    for row in &mut rows {
        columns::fit(row, &stream.columns);
        if is_replaced(row.get("TimeGenerated"), now) {
            row["TimeGenerated"] = now.to_rfc3339_opts(SecondsFormat::Millis, true).into();
        }
    }
    let Extension(effects) = effects.unwrap_or_default();
    for _ in 0..effects.copies {
        store(&state, &stream, rows.clone(), effects.late_ms)?;
    }
    store(&state, &stream, rows, effects.late_ms)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the arrival takes the place of a row's `TimeGenerated`: it is missing, more than two days
/// old, or more than a day ahead.
fn is_replaced(generated: Option<&Value>, now: DateTime<Utc>) -> bool {
    let moment = generated.and_then(Value::as_str);
    let moment = moment.and_then(|text| text.parse::<DateTime<Utc>>().ok());
    moment
        .is_none_or(|moment| moment < now - TimeDelta::days(2) || moment > now + TimeDelta::days(1))
}

fn store(
    state: &State,
    stream: &StreamConfig,
    rows: Vec<Value>,
    late_ms: u64,
) -> Result<(), AzureError> {
    if state.store(&stream.table(), rows, late_ms) {
        return Ok(());
    }
    Err(AzureError::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "EmulatorTableFull",
        "the emulator keeps no more rows of this table: POST /_emulator/reset",
    ))
}

/// The stream of a rule, configured or made through Azure Resource Manager.
fn stream_of(state: &State, rule_id: &str, stream: &str) -> Result<StreamConfig, AzureError> {
    let configured = state.config.rules.iter().find(|rule| rule.id == rule_id);
    let rule = configured
        .cloned()
        .or_else(|| arm::rule_of(state, rule_id))
        .ok_or_else(|| {
            let message = format!("data collection rule with immutable id '{rule_id}' not found");
            AzureError::new(StatusCode::NOT_FOUND, "NotFound", message)
        })?;
    let names: Vec<&str> = rule
        .streams
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    let message = format!("stream '{stream}' is not declared in the rule; it has {names:?}");
    let mut streams = rule.streams.iter();
    streams
        .find(|known| known.name == stream)
        .cloned()
        .ok_or_else(|| AzureError::bad_request("InvalidStream", message))
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
    let decoded =
        decompressed(headers, body, LARGEST_DECOMPRESSED).map_err(|problem| match problem {
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
