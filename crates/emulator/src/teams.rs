//! The Workflows webhook of Microsoft Teams.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::Query;
use http::StatusCode;
use serde_json::Value;

use crate::answers::AzureError;

/// Largest message that Teams takes.
const LARGEST_MESSAGE: usize = 28 * 1024;
const CARD: &str = "application/vnd.microsoft.card.adaptive";

pub(crate) async fn webhook(
    Query(parameters): Query<HashMap<String, String>>,
    body: Bytes,
) -> Result<StatusCode, AzureError> {
    if parameters.get("sig").is_none_or(String::is_empty) {
        let message = "the request's signature is missing: the address needs ?...&sig=";
        return Err(AzureError::new(
            StatusCode::UNAUTHORIZED,
            "DirectApiAuthorizationRequired",
            message,
        ));
    }
    if body.len() > LARGEST_MESSAGE {
        return Err(AzureError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "a Teams message may have at most 28 KB",
        ));
    }
    let message: Value = serde_json::from_slice(&body).map_err(|error| {
        AzureError::bad_request(
            "InvalidRequestContent",
            format!("the body is not JSON: {error}"),
        )
    })?;
    match problem_of(&message) {
        None => Ok(StatusCode::ACCEPTED),
        Some(problem) => Err(AzureError::bad_request(
            "TriggerInputSchemaMismatch",
            problem,
        )),
    }
}

/// What keeps a message from being shown, if anything.
fn problem_of(message: &Value) -> Option<String> {
    if message["type"] != "message" {
        return Some("type must be \"message\"".to_owned());
    }
    let Some([attachment]) = message["attachments"].as_array().map(Vec::as_slice) else {
        return Some("attachments must hold exactly one card".to_owned());
    };
    if attachment["contentType"] != CARD {
        return Some(format!("attachments[0].contentType must be {CARD:?}"));
    }
    let card = &attachment["content"];
    if card["type"] != "AdaptiveCard" {
        return Some("attachments[0].content.type must be \"AdaptiveCard\"".to_owned());
    }
    if !matches!(
        card["version"].as_str(),
        Some("1.0" | "1.1" | "1.2" | "1.3" | "1.4" | "1.5")
    ) {
        return Some("attachments[0].content.version must be 1.0 to 1.5".to_owned());
    }
    let Some(body) = card["body"].as_array().filter(|body| !body.is_empty()) else {
        return Some("attachments[0].content.body must not be empty".to_owned());
    };
    let actions = card["actions"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(index) = body
        .iter()
        .chain(actions)
        .position(|item| !item["type"].is_string())
    {
        return Some(format!("item {index} of the card has no type"));
    }
    // a webhook has nobody to submit to
    let submits = actions
        .iter()
        .any(|action| action["type"] == "Action.Submit");
    submits.then(|| "Action.Submit does not work through a webhook".to_owned())
}
