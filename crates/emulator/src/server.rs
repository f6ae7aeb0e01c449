//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use foretide_domain::{SharedClock, SystemClock};
use http::{StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::answers::AzureError;
use crate::config::{ConfigError, EmulatorConfig};
use crate::connection::{CuttableListener, Scissors};
use crate::faults::Fault;
use crate::record::{LARGEST_BODY, RecordedRequest, record_and_fault};
use crate::state::State;
use crate::tokens::Tokens;
use crate::{control, entra, ingestion, query, teams};

/// Starts emulators.
#[derive(Debug)]
pub struct Emulator;

/// An emulator that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is taken or not ours.
    #[error("the emulator cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The built-in signing key was not accepted.
    #[error("the emulator's signing key cannot be used")]
    Key(#[from] jsonwebtoken::errors::Error),
    /// No HTTP client for the KQL engine.
    #[error("the emulator cannot set up its client for the KQL engine")]
    Http(#[from] foretide_http::ClientError),
}

/// A running emulator. It stops when this is dropped.
pub struct EmulatorHandle {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl std::fmt::Debug for EmulatorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulatorHandle")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts an emulator on the machine's clock.
    ///
    /// # Errors
    /// When the configuration cannot be served or the address is taken.
    pub async fn start(config: EmulatorConfig) -> Result<EmulatorHandle, StartError> {
        Self::start_with_clock(config, Arc::new(SystemClock)).await
    }

    /// Starts an emulator on another clock: tokens expire and rows show by it.
    ///
    /// # Errors
    /// As [`Emulator::start`].
    pub async fn start_with_clock(
        config: EmulatorConfig,
        clock: SharedClock,
    ) -> Result<EmulatorHandle, StartError> {
        config.validate()?;
        let address = config.listen;
        let refused = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let issuer = format!("http://{address}/{}/v2.0", config.tenant);
        let tokens = Tokens::new(issuer, &config.tenant)?;
        let http = foretide_http::client(&foretide_http::ClientOptions::default())?;
        let state = Arc::new(State::new(config, clock, tokens, http));
        let stop = CancellationToken::new();
        let service = routes(Arc::clone(&state)).into_make_service_with_connect_info::<Scissors>();
        let server = axum::serve(CuttableListener(listener), service)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(server.into_future());
        tracing::info!(%address, "the emulator listens");
        Ok(EmulatorHandle {
            address,
            state,
            stop,
            task: Some(task),
        })
    }
}

fn routes(state: Arc<State>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(entra::token))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(entra::discovery),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(entra::keys))
        .route(
            "/dataCollectionRules/{rule}/streams/{stream}",
            post(ingestion::upload),
        )
        .route("/v1/workspaces/{workspace}/query", post(query::query))
        .route(
            "/workflows/{id}/triggers/manual/paths/invoke",
            post(teams::webhook),
        )
        .route(
            "/powerautomate/automations/direct/workflows/{id}/triggers/manual/paths/invoke",
            post(teams::webhook),
        )
        .route("/_emulator/requests", get(control::requests))
        .route("/_emulator/tables/{table}", get(control::table))
        .route(
            "/_emulator/faults",
            get(control::faults)
                .post(control::add_fault)
                .delete(control::clear_faults),
        )
        .route("/_emulator/reset", post(control::reset))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(unknown_path)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            record_and_fault,
        ))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(state)
}

async fn unknown_path(uri: Uri) -> impl IntoResponse {
    AzureError::new(
        StatusCode::NOT_FOUND,
        "PathNotFoundError",
        format!("the emulator has nothing at {}", uri.path()),
    )
}

impl EmulatorHandle {
    /// `http://127.0.0.1:port`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A webhook address for Teams notices.
    #[must_use]
    pub fn teams_webhook_url(&self) -> String {
        format!(
            "{}/workflows/emulator/triggers/manual/paths/invoke?api-version=2016-06-01&sig=emulator",
            self.base_url()
        )
    }

    /// Requests whose path begins like this, oldest first.
    #[must_use]
    pub fn requests(&self, path_prefix: &str) -> Vec<RecordedRequest> {
        self.state.requests(path_prefix)
    }

    /// The rows of a table that show by now.
    #[must_use]
    pub fn rows(&self, table: &str) -> Vec<Value> {
        self.state.table(table).rows
    }

    /// Makes something go wrong.
    pub fn add_fault(&self, fault: Fault) {
        self.state.add_fault(fault);
    }

    /// Forgets everything: requests, rows, faults.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops and waits until requests in flight are answered.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(Err(error)) = match self.task.take() {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::warn!(%error, "the emulator ended abnormally");
        }
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
