//! Several queries in one request.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answers::AzureError;
use crate::faults::Effects;
use crate::query::{Asked, ask, authorize, check_workspace, question};
use crate::state::State;

/// Most queries of a batch.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<BatchRequest>,
}

#[derive(Deserialize)]
struct BatchRequest {
    id: String,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Value,
    workspace: String,
}

pub(super) async fn batch(
    Shared(state): Shared<Arc<State>>,
    effects: Option<Extension<Effects>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, AzureError> {
    authorize(&state, &headers)?;
    let batch: Batch = serde_json::from_slice(&body)
        .map_err(|error| AzureError::bad_request("BadArgumentError", error.to_string()))?;
    if batch.requests.len() > MOST {
        let message = format!("a batch holds at most {MOST} queries");
        return Err(AzureError::bad_request("BadArgumentError", message));
    }
    let Extension(effects) = effects.unwrap_or_default();
    let mut responses = Vec::with_capacity(batch.requests.len());
    for request in &batch.requests {
        let (status, body) = match one(&state, request, effects).await {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        responses.push(json!({
            "id": request.id,
            "status": status.as_u16(),
            "body": body,
            "headers": {},
        }));
    }
    Ok(Json(json!({ "responses": responses })))
}

async fn one(state: &State, request: &BatchRequest, effects: Effects) -> Result<Value, AzureError> {
    check_workspace(&request.workspace)?;
    let question = question(request.body.to_string().as_bytes())?;
    let headers: HeaderMap = request
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            let value: HeaderValue = value.as_str()?.parse().ok()?;
            Some((name, value))
        })
        .collect();
    let asked = Asked::new(&headers, Some(Extension(effects)));
    ask(state, &question, &asked).await
}
