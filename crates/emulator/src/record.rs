//! Every request is remembered, and faults befall it, before anything else looks at it.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::AzureError;
use crate::connection::Connection;
use crate::faults::{FaultAction, FaultAnswer};
use crate::state::State;

/// Largest body taken from the wire; the limits of each interface are lower.
pub(crate) const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Query parameters whose values are secrets.
const SECRET_PARAMETERS: [&str; 4] = ["sig", "code", "client_secret", "client_assertion"];

/// A request as it came in. Neither tokens nor signatures are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// When.
    pub at: DateTime<Utc>,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query parameters; signatures are replaced by `(secret)`.
    pub query: BTreeMap<String, String>,
    /// Headers by lower-case name; the value of `authorization` is replaced by `(secret)`.
    pub headers: BTreeMap<String, String>,
    /// Decompressed body: JSON if it is, else text.
    pub body: Value,
}

pub(crate) async fn record_and_fault(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/_emulator") || path == "/healthz" {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_BODY).await else {
        return AzureError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "the body is larger than the emulator reads",
        )
        .into_response();
    };
    state.remember(RecordedRequest {
        at: state.clock.now(),
        method: parts.method.to_string(),
        path: path.clone(),
        query: readable_query(parts.uri.query().unwrap_or_default()),
        headers: readable_headers(&parts.headers),
        body: readable_body(&path, &parts.headers, &bytes),
    });
    let fault = state.take_fault(&parts.method, &path);
    let mut request = Request::from_parts(parts, Body::from(bytes));
    let mut response = match fault {
        None => next.run(request).await,
        Some(FaultAction::Delay(delay)) => {
            tokio::time::sleep(Duration::from_millis(delay.delay_ms)).await;
            next.run(request).await
        }
        Some(FaultAction::Drop(_)) => {
            let response = next.run(request).await;
            connection.cut();
            response
        }
        Some(action) => match action.answer(&path) {
            Some(answer) => render(&answer),
            None => {
                request.extensions_mut().insert(action.effects());
                next.run(request).await
            }
        },
    };
    if let Ok(id) = HeaderValue::try_from(uuid::Uuid::new_v4().to_string()) {
        response.headers_mut().insert("x-ms-request-id", id);
    }
    response
}

fn render(answer: &FaultAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.body {
        None => status.into_response(),
        Some(Value::String(text)) => (status, text.clone()).into_response(),
        Some(body) => (status, Json(body)).into_response(),
    };
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn readable_query(query: &str) -> BTreeMap<String, String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .map(|(name, value)| (name.to_string(), hidden(&name, &value)))
        .collect()
}

fn hidden(name: &str, value: &str) -> String {
    let is_secret = SECRET_PARAMETERS.contains(&name);
    if is_secret {
        "(secret)".to_owned()
    } else {
        value.to_owned()
    }
}

fn readable_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let readable = |name: &HeaderName, value: &HeaderValue| {
        if name == AUTHORIZATION {
            "(secret)".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        }
    };
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), readable(name, value)))
        .collect()
}

fn readable_body(path: &str, headers: &HeaderMap, bytes: &Bytes) -> Value {
    let decoded = decompressed(headers, bytes, LARGEST_BODY).unwrap_or_else(|_| bytes.to_vec());
    if path.ends_with("/token") {
        let fields = url::form_urlencoded::parse(&decoded);
        let hide = |name: &str, value: &str| Value::String(hidden(name, value));
        return fields
            .map(|(name, value)| (name.to_string(), hide(&name, &value)))
            .collect();
    }
    if decoded.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&decoded)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&decoded).into_owned()))
}

/// Why a body cannot be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undecodable {
    TooLarge,
    Broken,
    UnknownEncoding,
}

/// The body without its content encoding; never more than `limit` bytes, whatever it claims.
pub(crate) fn decompressed(
    headers: &HeaderMap,
    bytes: &[u8],
    limit: usize,
) -> Result<Vec<u8>, Undecodable> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    match encoding {
        None | Some(b"identity") if bytes.len() > limit => Err(Undecodable::TooLarge),
        None | Some(b"identity") => Ok(bytes.to_vec()),
        Some(b"gzip") => {
            let mut decoded = Vec::new();
            let mut reader = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
            reader
                .read_to_end(&mut decoded)
                .map_err(|_| Undecodable::Broken)?;
            if decoded.len() > limit {
                Err(Undecodable::TooLarge)
            } else {
                Ok(decoded)
            }
        }
        Some(_) => Err(Undecodable::UnknownEncoding),
    }
}
