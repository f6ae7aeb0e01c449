//! Starting and stopping.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::serve::Listener;
use foretide_domain::SharedClock;
use http::{StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::answers::AzureError;
use crate::config::{ConfigError, EmulatorConfig, HttpsConfig};
use crate::connection::{Connection, CuttableListener};
use crate::entra::{ServiceAccountRequest, service_account_token};
use crate::faults::Fault;
use crate::record::{LARGEST_BODY, RecordedRequest, record_and_fault};
use crate::state::State;
use crate::tls::{self, TlsError};
use crate::tokens::Tokens;
use crate::{arm, control, entra, ingestion, query, teams};

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
    /// No certificate could be made.
    #[error("the emulator cannot set up TLS")]
    Tls(#[from] TlsError),
    /// The certificate authority cannot be handed to clients.
    #[error("https.ca_file cannot be written: {}", path.display())]
    CaFile {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// No HTTP client for the KQL engine.
    #[error("the emulator cannot set up its client for the KQL engine")]
    Http(#[from] foretide_http::ClientError),
}

/// A running emulator. It stops when this is dropped.
pub struct EmulatorHandle {
    address: SocketAddr,
    https: Option<Https>,
    state: Arc<State>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

struct Https {
    address: SocketAddr,
    ca_pem: String,
}

impl std::fmt::Debug for EmulatorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmulatorHandle")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Emulator {
    /// Starts an emulator: tokens expire and rows show by this clock.
    ///
    /// # Errors
    /// When the configuration cannot be served or the address is taken.
    pub async fn start(
        config: EmulatorConfig,
        clock: SharedClock,
    ) -> Result<EmulatorHandle, StartError> {
        config.validate()?;
        for client in &config.clients {
            let is_certificate = |pem: &String| entra::thumbprints(pem).is_some();
            if !client.certificates.iter().all(is_certificate) {
                let client_id = client.client_id.clone();
                return Err(ConfigError::Certificate { client_id }.into());
            }
        }
        let listener = listen(config.listen).await?;
        let plain = CuttableListener::plain(listener).map_err(refused(config.listen))?;
        let address = plain.local_addr().map_err(refused(config.listen))?;
        let encrypted = match &config.https {
            Some(https) => Some(listen_with_tls(https).await?),
            None => None,
        };
        let tokens = Tokens::new(&config.tenant)?;
        let http = foretide_http::client(&foretide_http::ClientOptions::default())?;
        let generated = config.generated_workspace()?;
        let state = Arc::new(State::new(config, clock, tokens, http, generated));
        let stop = CancellationToken::new();
        let mut tasks = vec![serve(plain, &state, &stop)];
        tracing::info!(%address, "the emulator listens");
        let https = encrypted.map(|(listener, https)| {
            tasks.push(serve(listener, &state, &stop));
            tracing::info!(address = %https.address, "the emulator listens with TLS");
            https
        });
        Ok(EmulatorHandle {
            address,
            https,
            state,
            stop,
            tasks,
        })
    }
}

fn refused(address: SocketAddr) -> impl Fn(std::io::Error) -> StartError {
    move |source| StartError::Listen { address, source }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(refused(address))
}

async fn listen_with_tls(config: &HttpsConfig) -> Result<(CuttableListener, Https), StartError> {
    let identity = tls::make(&config.names)?;
    if let Some(path) = &config.ca_file {
        std::fs::write(path, &identity.ca_pem).map_err(|source| StartError::CaFile {
            path: path.clone(),
            source,
        })?;
    }
    let listener = listen(config.listen).await?;
    let listener =
        CuttableListener::tls(listener, identity.acceptor).map_err(refused(config.listen))?;
    let address = listener.local_addr().map_err(refused(config.listen))?;
    let ca_pem = identity.ca_pem;
    Ok((listener, Https { address, ca_pem }))
}

fn serve(
    listener: CuttableListener,
    state: &Arc<State>,
    stop: &CancellationToken,
) -> JoinHandle<std::io::Result<()>> {
    let service = routes(Arc::clone(state)).into_make_service_with_connect_info::<Connection>();
    let server =
        axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::spawn(server.into_future())
}

fn routes(state: Arc<State>) -> Router {
    Router::new()
        .merge(entra::routes())
        .merge(query::routes())
        .route(
            "/dataCollectionRules/{rule}/streams/{stream}",
            post(ingestion::upload),
        )
        .route("/api/logs", post(ingestion::data_collector::upload))
        .route(
            "/workflows/{id}/triggers/manual/paths/invoke",
            post(teams::webhook),
        )
        .route(
            "/powerautomate/automations/direct/workflows/{id}/triggers/manual/paths/invoke",
            post(teams::webhook),
        )
        .route("/subscriptions/{*path}", any(arm::handle))
        .route("/_emulator/requests", get(control::requests))
        .route("/_emulator/tables/{table}", get(control::table))
        .route(
            "/_emulator/faults",
            get(control::faults)
                .post(control::add_fault)
                .delete(control::clear_faults),
        )
        .route(
            "/_emulator/service-account-token",
            post(control::service_account),
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
    /// The shared key of every workspace, for the HTTP Data Collector API.
    #[must_use]
    pub fn shared_key(&self) -> &'static str {
        ingestion::data_collector::SHARED_KEY
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `https://localhost:port`, without a slash at the end, when it listens with TLS.
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        let https = self.https.as_ref()?;
        Some(format!("https://localhost:{}", https.address.port()))
    }

    /// Certificate of the authority behind [`EmulatorHandle::https_url`], PEM.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.https.as_ref().map(|https| https.ca_pem.as_str())
    }

    /// A token as the cluster with this issuer would project it into a pod of the service account.
    /// It lives for so many seconds, or ended so many seconds ago.
    ///
    /// # Panics
    /// Never: the key is built in and was used before.
    #[must_use]
    pub fn service_account_token(
        &self,
        issuer: &str,
        subject: &str,
        expires_in_seconds: i32,
    ) -> String {
        let request = ServiceAccountRequest {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: None,
            expires_in_seconds,
        };
        service_account_token(&self.state, &request).expect("the built-in key signs")
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

    /// Resources of a type (`Microsoft.SecurityInsights/alertRules`) as Azure Resource Manager has them.
    #[must_use]
    pub fn arm_resources(&self, resource_type: &str) -> Vec<Value> {
        self.state.arm_resources(resource_type)
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
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "the emulator ended abnormally");
            }
        }
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}
