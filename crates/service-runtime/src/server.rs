//! One port a service: gRPC, health, reflection, `/healthz`, `/metrics`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::join_all;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tracing::Instrument;

use crate::auth::Authenticator;
use crate::build::BuiltService;
use crate::context::ServiceContext;

/// Longest time a call may take before its first answer; a client's own shorter deadline wins.
const CALL_DEADLINE: Duration = Duration::from_secs(300);
/// Longest time that calls in flight may take once the process was asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// A server that ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the server of {service} ended: {source}")]
    Transport {
        /// Which service.
        service: &'static str,
        /// Why.
        source: tonic::transport::Error,
    },
    /// The web server failed.
    #[error("the web server of {service} ended: {source}")]
    Web {
        /// Which service.
        service: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Reflection cannot be built from the descriptors.
    #[error("the descriptors of the protocol cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves what a service built until the context's shutdown, then drains.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    ctx: &ServiceContext,
    listener: TcpListener,
    built: BuiltService,
    authenticator: Authenticator,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in built.names.iter().copied().chain([""]) {
        health
            .set_service_status(name, ServingStatus::Serving)
            .await;
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(foretide_api::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let guarded = built
        .routes
        .into_axum_router()
        .layer(middleware::from_fn_with_state(authenticator, authenticate));
    let open = Routes::new(health_service)
        .add_service(reflection)
        .into_axum_router()
        .reset_fallback();
    let router = Router::new()
        .merge(plain_routes())
        .merge(open)
        .merge(guarded);
    let shutdown = ctx.shutdown.clone();
    let draining = health.clone();
    let names = built.names;
    // Without it small answers wait 40 ms for the caller's acknowledgement (Nagle's algorithm).
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .accept_http1(true)
        .timeout(CALL_DEADLINE)
        .trace_fn(|request| foretide_telemetry::span_from(request.headers(), request.uri().path()))
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(incoming, async move {
            shutdown.cancelled().await;
            for name in names.iter().copied().chain([""]) {
                draining
                    .set_service_status(name, ServingStatus::NotServing)
                    .await;
            }
        });
    let background = tokio::spawn(join_all(built.background).in_current_span());
    let outcome = within_drain_limit(ctx, server).await;
    ctx.shutdown.cancel();
    if let Err(error) = background.await {
        tracing::error!(service = ctx.name, %error, "background work ended abnormally");
    }
    outcome
        .unwrap_or(Ok(()))
        .map_err(|source| ServeError::Transport {
            service: ctx.name,
            source,
        })
}

/// Serves web pages (the console) until the context's shutdown.
///
/// # Errors
/// When the listener fails.
pub async fn serve_web(
    ctx: &ServiceContext,
    listener: TcpListener,
    router: Router,
) -> Result<(), ServeError> {
    let shutdown = ctx.shutdown.clone();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await });
    within_drain_limit(ctx, server.into_future())
        .await
        .unwrap_or(Ok(()))
        .map_err(|source| ServeError::Web {
            service: ctx.name,
            source,
        })
}

/// Runs the server; once shutdown was asked for, gives it [`DRAIN_LIMIT`] to finish (None past it).
async fn within_drain_limit<T>(ctx: &ServiceContext, server: impl Future<Output = T>) -> Option<T> {
    let limit = async {
        ctx.shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    tokio::select! {
        outcome = server => Some(outcome),
        () = limit => {
            tracing::warn!(service = ctx.name, "calls were still in flight at the drain limit");
            None
        }
    }
}

fn plain_routes() -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route(
            "/metrics",
            get(|| async { foretide_telemetry::metrics_text() }),
        )
}

async fn authenticate(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Response {
    match authenticator.caller_of(request.headers()) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(status) => status.into_http::<Body>().into_response(),
    }
}
