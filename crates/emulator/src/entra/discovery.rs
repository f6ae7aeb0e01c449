//! The documents by which clients find their way: instance, tenant, keys.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State as Shared};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::json;
use url::Url;

use crate::answers::host;
use crate::connection::Connection;
use crate::entra::origin;
use crate::entra::refusal::bad_request;
use crate::state::State;

pub(crate) async fn tenant(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    let origin = origin(&connection, &headers);
    if tenant != state.config.tenant {
        let message = format!("Tenant '{tenant}' not found.");
        return bad_request("invalid_tenant", 90002, message).into_response(&state, &origin);
    }
    let base = format!("{origin}/{tenant}");
    Json(json!({
        "issuer": state.tokens.issuer(&origin),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "response_types_supported": ["token"],
        "scopes_supported": ["openid"],
        "subject_types_supported": ["pairwise"],
        "cloud_instance_name": host(&headers),
    }))
    .into_response()
}

/// Whether an authority is ours, and where its tenant's document lies.
pub(crate) async fn instance(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let origin = origin(&connection, &headers);
    let asked = parameters.get("authorization_endpoint");
    let asked = asked.and_then(|endpoint| Url::parse(endpoint).ok());
    let own = Url::parse(&origin).ok();
    // clients leave the port out
    let is_own = asked.as_ref().and_then(Url::host_str) == own.as_ref().and_then(Url::host_str);
    let Some(asked) = asked.filter(|_| is_own) else {
        let message = "Unknown or invalid instance.";
        return bad_request("invalid_instance", 50_049, message).into_response(&state, &origin);
    };
    let tenant = asked.path_segments().and_then(|mut path| path.next());
    let tenant = tenant.unwrap_or_default();
    let alias = host(&headers);
    Json(json!({
        "tenant_discovery_endpoint": format!("{origin}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": alias, "preferred_cache": alias, "aliases": [alias] }],
    }))
    .into_response()
}

pub(crate) async fn keys(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.tokens.key_set()).into_response()
}
