//! Errors as Entra ID puts them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::state::State;

pub(super) struct EntraRefusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    message: String,
}

pub(super) fn bad_request(
    error: &'static str,
    code: u32,
    message: impl Into<String>,
) -> EntraRefusal {
    EntraRefusal {
        status: StatusCode::BAD_REQUEST,
        error,
        code,
        message: message.into(),
    }
}

pub(super) fn unauthorized(code: u32, message: &str) -> EntraRefusal {
    EntraRefusal {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        code,
        message: message.to_owned(),
    }
}

impl EntraRefusal {
    pub(super) fn cannot_sign(error: &jsonwebtoken::errors::Error) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            code: 90033,
            message: format!("The token could not be signed: {error}."),
        }
    }

    pub(super) fn into_response(self, state: &State, origin: &str) -> Response {
        let (trace, correlation) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let timestamp = state.clock.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let description = format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
            self.code, self.message
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("{origin}/error?code={}", self.code),
        });
        (self.status, Json(body)).into_response()
    }
}
