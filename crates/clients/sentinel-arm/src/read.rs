//! Reading answers leniently where Azure is, and strictly where we depend on it.

use chrono::{DateTime, Utc};
use reqwest::Response;
use serde_json::Value;

use crate::error::ArmError;

/// Largest answer that is read, bytes.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
const LARGEST_ERROR: usize = 64 * 1024;

/// The JSON of an answer; null when there is no body.
pub(crate) async fn body_of(what: &str, response: Response) -> Result<Value, ArmError> {
    let body = foretide_http::read_body(response, LARGEST_ANSWER)
        .await
        .map_err(|error| match error {
            foretide_http::BodyError::TooLarge { .. } => unreadable(what, &error.to_string()),
            foretide_http::BodyError::Broken(_) => ArmError::Unavailable {
                reason: error.to_string(),
            },
        })?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|error| {
        let place = format!(
            "no JSON at line {}, column {}",
            error.line(),
            error.column()
        );
        unreadable(what, &place)
    })
}

/// What an error body says: its code, its message, and the first detail that says more.
#[derive(Debug, Default)]
pub(crate) struct ArmMessage {
    pub(crate) code: String,
    pub(crate) text: String,
}

pub(crate) async fn message_of(response: Response) -> ArmMessage {
    // A refusal without a readable body is still a refusal: the status says enough.
    let body = foretide_http::read_body(response, LARGEST_ERROR)
        .await
        .unwrap_or_default();
    message_in(&serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) fn message_in(body: &Value) -> ArmMessage {
    let error = match &body["error"] {
        error @ Value::Object(_) => error,
        // some providers leave the envelope out
        _ => body,
    };
    let of = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let code = of(error, "code");
    let mut words = vec![code.clone(), of(error, "message")];
    let details = error["details"].as_array().into_iter().flatten();
    words.extend(details.map(|detail| of(detail, "message")).take(1));
    words.retain(|word| !word.is_empty());
    let text = if words.is_empty() {
        "no reason given".to_owned()
    } else {
        clip(&words.join(": "))
    };
    ArmMessage { code, text }
}

/// Text of others without control characters, shortened.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

pub(crate) fn unreadable(what: &str, reason: &str) -> ArmError {
    ArmError::Unreadable {
        what: what.to_owned(),
        reason: clip(reason),
    }
}

/// A text that must be there.
pub(crate) fn text(what: &str, value: &Value, path: &str) -> Result<String, ArmError> {
    value
        .pointer(path)
        .and_then(Value::as_str)
        .map(ToOwned::to_owned)
        .ok_or_else(|| unreadable(what, &format!("{path} must be a text")))
}

/// A text that may be missing.
pub(crate) fn optional_text(value: &Value, path: &str) -> Option<String> {
    let text = value.pointer(path)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// A list of texts that may be missing; what is no text is left out.
pub(crate) fn texts(value: &Value, path: &str) -> Vec<String> {
    let items = value.pointer(path).and_then(Value::as_array);
    let items = items.into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(ToOwned::to_owned))
        .collect()
}

/// A moment that may be missing.
pub(crate) fn moment(
    what: &str,
    value: &Value,
    path: &str,
) -> Result<Option<DateTime<Utc>>, ArmError> {
    let Some(text) = optional_text(value, path) else {
        return Ok(None);
    };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(moment) => Ok(Some(moment.to_utc())),
        Err(_) => Err(unreadable(what, &format!("{path} must be a moment"))),
    }
}
