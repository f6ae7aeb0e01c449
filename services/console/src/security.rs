//! What every answer carries, and which requests never get in.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::error::PageError;

/// No script at all, no style but our own file, no frame around us.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // stricter would make browsers send our own forms with the origin "null"
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response =
        if changes_something(request.method()) && comes_from_elsewhere(request.headers()) {
            PageError::Forged.into_response()
        } else {
            next.run(request).await
        };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Whether the browser says that another site sent this. Beside the form token, so that not even
/// a login can be forged.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let says_so = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site" || site == "same-site");
    let other_origin = match (headers.get(ORIGIN), headers.get(HOST)) {
        (Some(origin), Some(host)) => !is_same(origin, host),
        _ => false,
    };
    says_so || other_origin
}

fn is_same(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let authority = |text: &str| {
        text.split_once("://")
            .map(|(_, authority)| authority.to_owned())
    };
    origin
        .to_str()
        .ok()
        .and_then(authority)
        .is_some_and(|authority| authority.as_bytes() == host.as_bytes())
}
