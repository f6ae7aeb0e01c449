//! The instance metadata service of an Azure machine: tokens of its managed identities.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::config::ManagedIdentityConfig;
use crate::connection::Connection;
use crate::entra::{origin, sign};
use crate::state::State;

pub(crate) async fn token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let origin = origin(&connection, &headers);
    if headers.get("metadata").is_none_or(|value| value != "true") {
        return refuse("Required metadata header not specified");
    }
    if !parameters.contains_key("api-version") {
        return refuse("Required api-version query parameter not specified");
    }
    let resource = parameters
        .get("resource")
        .map(String::as_str)
        .unwrap_or_default();
    if resource.is_empty() {
        return refuse("Required audience parameter not specified");
    }
    let identities = &state.config.managed_identities;
    let Some(identity) = identities
        .iter()
        .find(|identity| is_meant(identity, &parameters))
    else {
        return refuse("Identity not found");
    };
    let audience = resource.trim_end_matches('/');
    let token = match sign(&state, &origin, &identity.client_id, audience) {
        Ok(token) => token,
        Err(refusal) => return refusal.into_response(&state, &origin),
    };
    let now = state.clock.now().timestamp();
    let life = i64::from(state.config.token_lifetime_seconds);
    // numbers are text here
    Json(json!({
        "access_token": token,
        "client_id": identity.client_id,
        "expires_in": life.to_string(),
        "expires_on": (now + life).to_string(),
        "ext_expires_in": life.to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    }))
    .into_response()
}

fn is_meant(identity: &ManagedIdentityConfig, parameters: &HashMap<String, String>) -> bool {
    let named = |name: &str| parameters.get(name);
    match (
        named("client_id"),
        named("object_id"),
        named("msi_res_id").or(named("mi_res_id")),
    ) {
        (None, None, None) => identity.system_assigned,
        (Some(id), None, None) => identity.client_id == *id,
        (None, Some(id), None) => identity.object_id.as_ref() == Some(id),
        (None, None, Some(id)) => identity.resource_id.as_ref() == Some(id),
        _ => false,
    }
}

fn refuse(description: &str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
