//! Microsoft Entra ID: tokens for applications, discovery, keys.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::state::State;

/// An error as Entra puts it.
struct EntraRefusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    message: String,
}

pub(crate) async fn token(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Response {
    match issue(&state, &tenant, &body) {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refusal.into_response(&state),
    }
}

fn issue(state: &State, tenant: &str, body: &[u8]) -> Result<Value, EntraRefusal> {
    if tenant != state.config.tenant {
        return Err(bad_request(
            "invalid_request",
            90002,
            format!("Tenant '{tenant}' not found."),
        ));
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        let message = "The app requested an unsupported grant type; use client_credentials.";
        return Err(bad_request("unsupported_grant_type", 70003, message));
    }
    let client_id = field("client_id");
    if client_id.is_empty() {
        let message = "The request body must contain the following parameter: 'client_id'.";
        return Err(bad_request("invalid_request", 900_144, message));
    }
    check_client(state, client_id, &form)?;
    let audience = audience(field("scope"))?;
    let lifetime = state.config.token_lifetime_seconds;
    let token = state
        .tokens
        .sign(
            client_id,
            audience,
            state.clock.now(),
            Duration::seconds(lifetime.into()),
        )
        .map_err(|error| EntraRefusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            code: 90033,
            message: format!("The token could not be signed: {error}."),
        })?;
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": token,
    }))
}

fn check_client(
    state: &State,
    client_id: &str,
    form: &HashMap<String, String>,
) -> Result<(), EntraRefusal> {
    if form.contains_key("client_assertion") {
        let message = "The application has no configured federated identity credentials.";
        return Err(unauthorized(70025, message));
    }
    let Some(secret) = form
        .get("client_secret")
        .filter(|secret| !secret.is_empty())
    else {
        let message = "The request body must contain: 'client_assertion' or 'client_secret'.";
        return Err(unauthorized(7_000_218, message));
    };
    if state.config.clients.is_empty() {
        return Ok(());
    }
    let client = state
        .config
        .clients
        .iter()
        .find(|client| client.client_id == client_id);
    let Some(client) = client else {
        let message =
            format!("Application with identifier '{client_id}' was not found in the directory.");
        return Err(bad_request("unauthorized_client", 700_016, message));
    };
    if client.client_secret.expose_secret() != secret {
        return Err(unauthorized(7_000_215, "Invalid client secret provided."));
    }
    Ok(())
}

/// The one audience that a scope names.
fn audience(scope: &str) -> Result<&str, EntraRefusal> {
    let audience = scope.strip_suffix("/.default").unwrap_or_default();
    if audience.is_empty() || audience.contains(char::is_whitespace) {
        let message = format!(
            "The provided value for scope {scope} is not valid; use one resource and /.default."
        );
        return Err(bad_request("invalid_scope", 70011, message));
    }
    Ok(audience)
}

fn bad_request(error: &'static str, code: u32, message: impl Into<String>) -> EntraRefusal {
    EntraRefusal {
        status: StatusCode::BAD_REQUEST,
        error,
        code,
        message: message.into(),
    }
}

fn unauthorized(code: u32, message: &str) -> EntraRefusal {
    EntraRefusal {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        code,
        message: message.to_owned(),
    }
}

impl EntraRefusal {
    fn into_response(self, state: &State) -> Response {
        let body = json!({
            "error": self.error,
            "error_description": format!("AADSTS{}: {}", self.code, self.message),
            "error_codes": [self.code],
            "timestamp": state.clock.now().format("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": uuid::Uuid::new_v4().to_string(),
            "correlation_id": uuid::Uuid::new_v4().to_string(),
            "error_uri": format!("{}/error?code={}", state.tokens.issuer(), self.code),
        });
        (self.status, Json(body)).into_response()
    }
}

pub(crate) async fn discovery(
    Shared(state): Shared<Arc<State>>,
    Path(tenant): Path<String>,
) -> Response {
    if tenant != state.config.tenant {
        let message = format!("Tenant '{tenant}' not found.");
        return bad_request("invalid_tenant", 90002, message).into_response(&state);
    }
    let issuer = state.tokens.issuer();
    let base = issuer.strip_suffix("/v2.0").unwrap_or(issuer);
    Json(json!({
        "issuer": issuer,
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
    }))
    .into_response()
}

pub(crate) async fn keys(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.tokens.key_set()).into_response()
}
