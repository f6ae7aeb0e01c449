//! Who is looking: the person's own token in a cookie that scripts and other sites cannot use.
//!
//! The console keeps no sessions. It forwards the token, so the services see the person and not
//! the console, and any replica can answer.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use foretide_service_runtime::Peers;
use http::header::{COOKIE, HeaderName, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::PageError;
use crate::page::{self, BouncePage};
use crate::routes::Console;

const COOKIE_NAME: &str = "foretide_session";
/// A browser keeps cookies of up to 4096 bytes, name and attributes included.
const LONGEST_TOKEN: usize = 3800;

/// A person who has logged in.
pub(crate) struct Session {
    token: SecretString,
    pub(crate) peers: Peers,
    pub(crate) console: Arc<Console>,
}

impl Session {
    /// What every form of this person carries: nobody else can compute it.
    pub(crate) fn form_token(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"foretide console form\0");
        hasher.update(self.token.expose_secret().as_bytes());
        hex::encode(hasher.finalize())
    }

    /// Lets a form pass that came from a page of ours.
    pub(crate) fn check_form(&self, form_token: &str) -> Result<(), PageError> {
        let expected = self.form_token();
        let same: bool = expected.as_bytes().ct_eq(form_token.as_bytes()).into();
        if same { Ok(()) } else { Err(PageError::Forged) }
    }
}

/// A token that can stand in a cookie, or nothing.
pub(crate) fn checked_token(text: &str) -> Option<SecretString> {
    let text = text.trim();
    let may_stand =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    let is_token = (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(may_stand);
    is_token.then(|| SecretString::from(text))
}

/// The header that keeps a token for the next requests.
pub(crate) fn keep(token: &SecretString, minutes: u32, secure: bool) -> (HeaderName, HeaderValue) {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        token.expose_secret(),
        u64::from(minutes) * 60,
    );
    let mut value =
        HeaderValue::from_str(&cookie).expect("tokens are checked before they are kept");
    value.set_sensitive(true);
    (SET_COOKIE, value)
}

/// The header that ends a session.
pub(crate) fn forget() -> (HeaderName, HeaderValue) {
    const GONE: &str = "foretide_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
    (SET_COOKIE, HeaderValue::from_static(GONE))
}

fn token_of(headers: &HeaderMap) -> Option<SecretString> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(name, _)| *name == COOKIE_NAME);
    own.next().and_then(|(_, value)| checked_token(value))
}

impl<S> FromRequestParts<S> for Session
where
    Arc<Console>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let console = Arc::<Console>::from_ref(state);
        let Some(token) = token_of(&parts.headers) else {
            return Err(ask_to_log_in(parts));
        };
        let peers = console.peers.with_token(&token);
        Ok(Self {
            token,
            peers,
            console,
        })
    }
}

/// Leads to the login page, and from there back.
///
/// A strict cookie is not sent when a link on another site (a Teams card) was followed, even by
/// somebody who has logged in. Such a request is answered by a page that opens the same address
/// again, from here.
fn ask_to_log_in(parts: &Parts) -> Response {
    let came_from_elsewhere = parts
        .headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    let address = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    if parts.method == Method::GET && came_from_elsewhere {
        return page::render(StatusCode::OK, &BouncePage::to(address));
    }
    let next = if parts.method == Method::GET {
        address
    } else {
        "/"
    };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    Redirect::to(&format!("/login?{query}")).into_response()
}

/// An address within the console, or its start page: a login never leads elsewhere.
pub(crate) fn own_address(next: &str) -> &str {
    let mut bytes = next.bytes();
    let starts_here = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic()) && next.len() <= 2000;
    if starts_here && is_plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_login_never_leads_elsewhere() {
        for (next, expected) in [
            ("/proposals/1?x=2", "/proposals/1?x=2"),
            ("", "/"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own_address(next), expected, "{next}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=b; foretide_session=abc.def; c=d"),
        );
        assert_eq!(
            token_of(&headers).expect("found").expose_secret(),
            "abc.def"
        );
        headers.insert(COOKIE, HeaderValue::from_static("foretide_session="));
        assert!(token_of(&headers).is_none());
    }

    proptest! {
        #[test]
        fn a_checked_token_can_always_be_kept(text in "\\PC{0,60}") {
            if let Some(token) = checked_token(&text) {
                keep(&token, 1, true);
            }
        }
    }
}
