//! Microsoft Entra ID: tokens for applications, discovery, keys.

mod assertion;
pub(crate) mod discovery;
pub(crate) mod imds;
mod refusal;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Duration;
use http::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::answers::host;
use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::entra::refusal::{EntraRefusal, bad_request, unauthorized};
use crate::state::State;

pub(crate) use assertion::{ServiceAccountRequest, service_account_token, thumbprints};

pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(discovery::tenant),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/common/discovery/instance", get(discovery::instance))
        .route("/metadata/identity/oauth2/token", get(imds::token))
}

/// Where the client reaches us: `https://localhost:8443`.
pub(crate) fn origin(connection: &Connection, headers: &HeaderMap) -> String {
    format!("{}://{}", connection.scheme(), host(headers))
}

async fn token(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let origin = origin(&connection, &headers);
    match issue(&state, &origin, &tenant, &body) {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) => refusal.into_response(&state, &origin),
    }
}

fn issue(state: &State, origin: &str, tenant: &str, body: &[u8]) -> Result<Value, EntraRefusal> {
    if tenant != state.config.tenant {
        let message = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(bad_request("invalid_request", 90002, message));
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
    check_client(state, origin, client_id, &form)?;
    let audience = audience(field("scope"))?;
    let lifetime = state.config.token_lifetime_seconds;
    let token = sign(state, origin, client_id, audience)?;
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": token,
    }))
}

/// A token of the configured life.
fn sign(
    state: &State,
    origin: &str,
    client_id: &str,
    audience: &str,
) -> Result<String, EntraRefusal> {
    let lifetime = Duration::seconds(state.config.token_lifetime_seconds.into());
    state
        .tokens
        .sign(origin, client_id, audience, state.clock.now(), lifetime)
        .map_err(|error| EntraRefusal::cannot_sign(&error))
}

fn check_client(
    state: &State,
    origin: &str,
    client_id: &str,
    form: &HashMap<String, String>,
) -> Result<(), EntraRefusal> {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let known = &state.config.clients;
    let client = known.iter().find(|client| client.client_id == client_id);
    if client.is_none() && !known.is_empty() {
        let message = format!(
            "Application with identifier '{client_id}' was not found in the directory '{}'.",
            state.config.tenant
        );
        return Err(bad_request("unauthorized_client", 700_016, message));
    }
    if let Some(assertion) = given("client_assertion") {
        let wanted = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        if form.get("client_assertion_type").map(String::as_str) != Some(wanted) {
            let message = format!("'client_assertion_type' must be '{wanted}'.");
            return Err(bad_request("invalid_request", 900_144, message));
        }
        let nobody = ClientConfig::default();
        let client = client.unwrap_or(&nobody);
        return assertion::check(state, origin, client, assertion);
    }
    match (given("client_secret"), client) {
        (None, _) => {
            let message = "The request body must contain: 'client_assertion' or 'client_secret'.";
            Err(unauthorized(7_000_218, message))
        }
        (Some(_), None) => Ok(()),
        (Some(secret), Some(client)) => check_secret(client, secret),
    }
}

fn check_secret(client: &ClientConfig, secret: &str) -> Result<(), EntraRefusal> {
    let right = client.client_secret.as_ref();
    if right.is_none_or(|right| right.expose_secret() != secret) {
        let message = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the \
             client secret value, not the client secret ID, for a secret added to app '{}'.",
            client.client_id
        );
        return Err(unauthorized(7_000_215, &message));
    }
    if client.secret_expired {
        let message = format!(
            "The provided client secret keys for app '{}' are expired.",
            client.client_id
        );
        return Err(unauthorized(7_000_222, &message));
    }
    Ok(())
}

/// The one audience that a scope names.
fn audience(scope: &str) -> Result<&str, EntraRefusal> {
    let audience = scope.strip_suffix("/.default").unwrap_or_default();
    if audience.is_empty() || audience.contains(char::is_whitespace) {
        let message = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have \
             a scope value with /.default suffixed to the resource identifier."
        );
        return Err(bad_request("invalid_scope", 1_002_012, message));
    }
    Ok(audience)
}
