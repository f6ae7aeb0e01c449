use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use chrono::{DateTime, Utc};
use foretide_console::config::Config;
use foretide_service_runtime::testing::TestContext;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt;

use crate::fakes::{Fakes, TOKEN};

/// A console, the services it asks, and somebody looking at it.
pub(crate) struct Desk {
    router: Router,
    pub(crate) fakes: Fakes,
    _context: TestContext,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-06T06:00:00Z".parse().expect("a moment")
}

impl Desk {
    /// A console whose services have something to tell.
    pub(crate) async fn new() -> Self {
        let fakes = Fakes::default();
        let address = fakes.clone().serve().await;
        Self::on(fakes, address).await
    }

    /// A console whose services are not there.
    pub(crate) async fn alone() -> Self {
        Self::on(Fakes::default(), SocketAddr::from(([127, 0, 0, 1], 9))).await
    }

    async fn on(fakes: Fakes, address: SocketAddr) -> Self {
        let names = [
            "feature_store",
            "trainer",
            "scorer",
            "auditor",
            "broker",
            "orchestrator",
        ];
        let context = TestContext::new("console", now(), &names.map(|name| (name, address)));
        let router = foretide_console::build(&context.ctx, Config::default())
            .await
            .expect("a console");
        Self {
            router,
            fakes,
            _context: context,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Page {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("always answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 * 1024 * 1024).await.expect("a page");
        let html = String::from_utf8(bytes.to_vec()).expect("text");
        Page {
            status: parts.status,
            headers: parts.headers,
            html,
        }
    }

    /// Opens a page as somebody who has logged in.
    pub(crate) async fn open(&self, path: &str) -> Page {
        self.open_as(path, Some(TOKEN)).await
    }

    pub(crate) async fn open_as(&self, path: &str, token: Option<&str>) -> Page {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(COOKIE, format!("foretide_session={token}"));
        }
        self.send(request.body(Body::empty()).expect("a request"))
            .await
    }

    /// Sends a form as somebody who has logged in.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = Request::post(path).header(COOKIE, format!("foretide_session={TOKEN}"));
        self.send(form(request, fields)).await
    }
}

pub(crate) fn form(request: http::request::Builder, fields: &[(&str, &str)]) -> Request<Body> {
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    request
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .expect("a request")
}

impl Page {
    pub(crate) fn location(&self) -> &str {
        self.headers[LOCATION].to_str().expect("text")
    }

    pub(crate) fn cookie(&self) -> &str {
        self.headers[SET_COOKIE].to_str().expect("text")
    }

    /// The value of the first hidden field of that name.
    pub(crate) fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let start = self.html.find(&marker).expect("the field is there") + marker.len();
        self.html[start..]
            .split('"')
            .next()
            .expect("a value")
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        assert!(
            self.html.contains(text),
            "{text:?} is missing in:\n{}",
            self.html
        );
    }

    #[track_caller]
    pub(crate) fn hides(&self, text: &str) {
        assert!(
            !self.html.contains(text),
            "{text:?} stands in:\n{}",
            self.html
        );
    }
}
