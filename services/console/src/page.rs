//! Rendering.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use crate::session::Session;

/// What stands around every page.
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The navigation entry that is shown as current.
    pub(crate) section: Section,
    /// For the logout form; empty before login.
    pub(crate) form_token: String,
    /// Seconds after which the page loads itself again.
    pub(crate) refresh_seconds: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Risk,
    Runs,
    Proposals,
    Audit,
    Models,
    None,
}

impl Section {
    const MENU: [(Self, &'static str, &'static str); 6] = [
        (Self::Overview, "/", "Overview"),
        (Self::Risk, "/risk", "High-risk periods"),
        (Self::Proposals, "/proposals", "Proposals"),
        (Self::Runs, "/runs", "Runs"),
        (Self::Models, "/models", "Models"),
        (Self::Audit, "/audit", "Audit"),
    ];
}

impl Frame {
    pub(crate) fn new(title: impl Into<String>, section: Section, session: &Session) -> Self {
        Self {
            title: title.into(),
            section,
            form_token: session.form_token(),
            refresh_seconds: None,
        }
    }

    /// A frame for somebody who has not logged in.
    pub(crate) fn outside(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: Section::None,
            form_token: String::new(),
            refresh_seconds: None,
        }
    }

    /// The navigation: address, label, whether it is the current one.
    pub(crate) fn menu(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let current = self.section;
        Section::MENU
            .into_iter()
            .map(move |(section, address, label)| (address, label, section == current))
    }
}

#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    frame: Frame,
    explanation: String,
}

impl ErrorPage {
    pub(crate) fn new(status: StatusCode, explanation: String) -> Self {
        let title = match status {
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "That address does not work",
            StatusCode::CONFLICT => "Not possible now",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => "Not available",
            _ => "Something went wrong",
        };
        Self {
            frame: Frame::outside(title),
            explanation,
        }
    }
}

#[derive(Template)]
#[template(path = "bounce.html")]
pub(crate) struct BouncePage {
    address: String,
}

impl BouncePage {
    pub(crate) fn to(address: &str) -> Self {
        Self {
            address: address.to_owned(),
        }
    }
}

/// Renders a page.
pub(crate) fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page could not be rendered",
            )
                .into_response()
        }
    }
}
