//! The HTTP Data Collector API, past its end of support: for those who still have nothing else.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta};
use hmac::{Hmac, Mac};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::state::State;

/// The key of every workspace, base64. It is public: the emulator listens on loopback only.
pub(crate) const SHARED_KEY: &str = "Zm9yZXRpZGUtZW11bGF0b3Itc2hhcmVkLWtleQ==";
/// Longest name of a log type.
const LONGEST_LOG_TYPE: usize = 100;
/// How far a request's date may be from now.
const SKEW: TimeDelta = TimeDelta::minutes(15);

/// A refusal in this service's own shape.
struct Refusal(StatusCode, &'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "Error": code, "Message": message }))).into_response()
    }
}

pub(crate) async fn upload(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match take(&state, &headers, &body) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn take(state: &State, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let bad = |code, message| Refusal(StatusCode::BAD_REQUEST, code, message);
    authorize(state, headers, body.len())?;
    let log_type = text(headers, "log-type");
    if log_type.is_empty() {
        return Err(bad("MissingLogType", "the header Log-Type is required"));
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if log_type.len() > LONGEST_LOG_TYPE || !log_type.bytes().all(is_word) {
        let message = "a log type has letters, digits and '_', at most 100";
        return Err(bad("InvalidLogType", message));
    }
    let invalid = || {
        bad(
            "InvalidDataFormat",
            "the body must be a JSON array of objects",
        )
    };
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(body).map_err(|_| invalid())?;
    let now = state.clock.now();
    let moment = text(headers, "time-generated-field");
    let rows = rows.into_iter().map(|row| {
        let mut stored = suffixed(row, moment);
        if super::is_replaced(stored.get("TimeGenerated"), now) {
            let now = now.to_rfc3339_opts(SecondsFormat::Millis, true);
            stored.insert("TimeGenerated".to_owned(), now.into());
        }
        Value::Object(stored)
    });
    if state.store(&format!("{log_type}_CL"), rows.collect(), 0) {
        return Ok(());
    }
    let message = "the emulator keeps no more rows of this table: POST /_emulator/reset";
    Err(Refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        message,
    ))
}

/// The signature is over length, content type, date and path, by the workspace's key.
fn authorize(state: &State, headers: &HeaderMap, length: usize) -> Result<(), Refusal> {
    let refused = |message| Refusal(StatusCode::FORBIDDEN, "InvalidAuthorization", message);
    let date = text(headers, "x-ms-date");
    let sent = DateTime::parse_from_rfc2822(date)
        .map_err(|_| refused("x-ms-date must be a date of RFC 1123"))?;
    if (state.clock.now() - sent.to_utc()).abs() > SKEW {
        return Err(refused("x-ms-date is not near now"));
    }
    let given = text(headers, "authorization");
    let signature = given
        .strip_prefix("SharedKey ")
        .and_then(|given| given.split_once(':'))
        .and_then(|(_, signature)| STANDARD.decode(signature).ok())
        .ok_or_else(|| refused("authorization must be SharedKey <workspace>:<signature>"))?;
    let key = STANDARD.decode(SHARED_KEY).expect("a constant in base64");
    let message = format!("POST\n{length}\napplication/json\nx-ms-date:{date}\n/api/logs");
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length is a key");
    mac.chain_update(message.as_bytes())
        .verify_slice(&signature)
        .map_err(|_| refused("the signature is not the workspace's"))
}

/// Columns are named by what is found in them.
fn suffixed(row: Map<String, Value>, moment: &str) -> Map<String, Value> {
    let mut stored = Map::new();
    for (name, value) in row {
        if name == moment {
            stored.insert("TimeGenerated".to_owned(), value);
            continue;
        }
        let (suffix, value) = match value {
            Value::Null => continue,
            Value::Bool(_) => ("b", value),
            Value::Number(_) => ("d", value),
            Value::String(text) => (suffix_of(&text), text.into()),
            nested => ("s", nested.to_string().into()),
        };
        stored.insert(format!("{name}_{suffix}"), value);
    }
    stored
}

fn suffix_of(text: &str) -> &'static str {
    if text.len() == 36 && uuid::Uuid::parse_str(text).is_ok() {
        "g"
    } else if DateTime::parse_from_rfc3339(text).is_ok() {
        "t"
    } else {
        "s"
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_bear_the_type_of_what_is_in_them() {
        let row = json!({
            "At": "2026-11-23T06:00:00Z", "Run": "0193f0a4-6b7c-7000-8000-000000000001",
            "Due": "2026-11-24T06:00:00Z", "Mean": 1.5, "Acts": true, "Name": "x",
            "Drivers": {"a": 1}, "Nothing": null,
        });
        let Value::Object(row) = row else {
            panic!("an object");
        };
        let names: Vec<String> = suffixed(row, "At").keys().cloned().collect();
        let expected = [
            "TimeGenerated",
            "Run_g",
            "Due_t",
            "Mean_d",
            "Acts_b",
            "Name_s",
            "Drivers_s",
        ];
        assert_eq!(names, expected);
    }
}
