//! Which page stands where.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use foretide_domain::{SharedClock, UseCase};
use foretide_service_runtime::{BuildError, Peers, ServiceContext};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::config::Config;
use crate::error::PageError;
use crate::pages::{audit, login, models, overview, proposals, risk, runs};
use crate::security;

/// Largest form.
const LARGEST_FORM: usize = 64 * 1024;

/// What all pages share.
pub(crate) struct Console {
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) peers: Peers,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
}

/// Builds the console's pages.
///
/// # Errors
/// When the configuration cannot be served.
pub async fn build(ctx: &ServiceContext, config: Config) -> Result<Router, BuildError> {
    config
        .validate()
        .map_err(|problem| BuildError::new("the console's configuration", problem))?;
    let console = Arc::new(Console {
        config,
        clock: Arc::clone(&ctx.clock),
        peers: ctx.peers.clone(),
        use_cases: Arc::clone(&ctx.use_cases),
    });
    Ok(Router::new()
        .route("/", get(overview::show))
        .route("/risk", get(risk::show))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/proposals", get(proposals::list))
        .route("/proposals/{id}", get(proposals::show))
        .route("/proposals/{id}/approve", post(proposals::approve))
        .route("/proposals/{id}/reject", post(proposals::reject))
        .route("/audit", get(audit::show))
        .route("/models", get(models::show))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/healthz", get(|| async { "ok" }))
        .route("/static/console.css", get(stylesheet))
        .route("/static/icon.svg", get(icon))
        .fallback(|| async { PageError::NotFound })
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn(security::guard))
        .with_state(console))
}

async fn stylesheet() -> impl IntoResponse {
    asset(
        "text/css; charset=utf-8",
        include_str!("../static/console.css"),
    )
}

async fn icon() -> impl IntoResponse {
    asset("image/svg+xml", include_str!("../static/icon.svg"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=300")],
        text,
    )
}
