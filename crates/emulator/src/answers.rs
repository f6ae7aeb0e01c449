//! Answers in the shapes of Azure.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// An Azure error: `{"error":{"code","message"}}`, the code also in `x-ms-error-code`.
#[derive(Debug)]
pub(crate) struct AzureError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What lies behind it, as services nest it.
    pub(crate) inner: Option<Box<Value>>,
    /// Where tokens are to be had, for a request without a good one.
    pub(crate) authority: Option<String>,
}

impl AzureError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            inner: None,
            authority: None,
        }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn with_inner(mut self, inner: Value) -> Self {
        self.inner = Some(Box::new(inner));
        self
    }

    pub(crate) fn with_authority(mut self, authority: String) -> Self {
        self.authority = Some(authority);
        self
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Value {
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "correlationId": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(inner) = &self.inner {
            error["innererror"] = Value::clone(inner);
        }
        json!({ "error": error })
    }

    fn challenge(&self) -> Option<HeaderValue> {
        let authority = self.authority.as_ref()?;
        let message = self.message.replace(['"', '\\'], "'");
        let challenge = format!(
            "Bearer authorization_uri=\"{authority}\", error=\"invalid_token\", error_description=\"{message}\""
        );
        HeaderValue::try_from(challenge).ok()
    }
}

impl IntoResponse for AzureError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert("x-ms-error-code", HeaderValue::from_static(self.code));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The host, with port, that a request was sent to.
pub(crate) fn host(headers: &HeaderMap) -> &str {
    headers
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("localhost")
}
