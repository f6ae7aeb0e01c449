//! A context, a server and callers for the blackbox tests of services.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_db::DatabaseConfig;
use foretide_domain::{Principal, Role, SharedClock, SimulatedClock, UseCase};
use foretide_lake::{Lake, LakeConfig};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;

use crate::auth::Authenticator;
use crate::build::BuiltService;
use crate::context::ServiceContext;
use crate::peers::{AuthedChannel, Credentials, PeerUrls, Peers};
use crate::server::{ServeError, serve};

/// The token our services use in tests.
const SERVICE_TOKEN: &str = "test-service-token";

/// A context on SQLite and a local lake in a folder of its own, with a clock set by hand.
pub struct TestContext {
    /// The context to build the service with.
    pub ctx: ServiceContext,
    /// Its clock.
    pub clock: SimulatedClock,
    /// Its folder; a second context may be opened on it to test restarts.
    pub folder: Arc<TempDir>,
}

impl TestContext {
    /// A fresh context. `peers` are the addresses of fakes; those not given lead nowhere.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn new(name: &'static str, now: DateTime<Utc>, peers: &[(&str, SocketAddr)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self::reopen(name, now, peers, folder)
    }

    /// A context on the folder of an earlier one, as after a restart.
    ///
    /// # Panics
    /// When the folder cannot be used.
    #[must_use]
    pub fn reopen(
        name: &'static str,
        now: DateTime<Utc>,
        peers: &[(&str, SocketAddr)],
        folder: Arc<TempDir>,
    ) -> Self {
        let clock = SimulatedClock::starting_at(now);
        let shared: SharedClock = Arc::new(clock.clone());
        let lake =
            Lake::open(&LakeConfig::folder(&folder.path().join("lake"))).expect("a local lake");
        let database =
            DatabaseConfig::new(format!("sqlite:{}", folder.path().join("db").display()));
        let url = |peer: &str| {
            let known = peers.iter().find(|(name, _)| *name == peer);
            known.map_or("http://127.0.0.1:9".to_owned(), |(_, address)| {
                format!("http://{address}")
            })
        };
        let urls = PeerUrls {
            ingestion: url("ingestion"),
            feature_store: url("feature_store"),
            trainer: url("trainer"),
            scorer: url("scorer"),
            auditor: url("auditor"),
            broker: url("broker"),
            orchestrator: url("orchestrator"),
        };
        let peers = Peers::new(&urls, &SecretString::from(SERVICE_TOKEN)).expect("valid addresses");
        let ctx = ServiceContext {
            name,
            clock: shared,
            shutdown: CancellationToken::new(),
            peers,
            database,
            lake,
            use_cases: Arc::new(UseCase::built_in()),
            onnx_library: None,
        };
        Self { ctx, clock, folder }
    }
}

/// A built service behind a real port on loopback. Stops when dropped.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    authenticator: Authenticator,
    shutdown: CancellationToken,
    task: Option<JoinHandle<Result<(), ServeError>>>,
}

impl TestServer {
    /// Serves what was built with the context.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(ctx: &ServiceContext, built: BuiltService) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let authenticator = Authenticator::default();
        authenticator.admit(
            &SecretString::from(SERVICE_TOKEN),
            Principal::service("test"),
        );
        let (ctx, callers) = (ctx.clone(), authenticator.clone());
        let shutdown = ctx.shutdown.clone();
        let task = tokio::spawn(async move { serve(&ctx, listener, built, callers).await });
        Self {
            address,
            authenticator,
            shutdown,
            task: Some(task),
        }
    }

    /// Serves plain gRPC routes, for fakes of other services.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn fake(routes: tonic::service::Routes) -> Self {
        let context = TestContext::new("fake", DateTime::<Utc>::UNIX_EPOCH, &[]);
        Self::start(&context.ctx, BuiltService::new(routes, vec![])).await
    }

    /// A channel that calls as the given principal.
    ///
    /// # Panics
    /// Never: the address is valid.
    #[must_use]
    pub fn channel_as(&self, principal: Principal) -> AuthedChannel {
        let token = SecretString::from(format!("token-{}", uuid::Uuid::new_v4()));
        self.authenticator.admit(&token, principal);
        self.channel_with(Credentials::bearer(&token))
    }

    /// A channel that calls as a person with the roles.
    #[must_use]
    pub fn channel_of(&self, name: &str, roles: &[Role]) -> AuthedChannel {
        self.channel_as(Principal {
            name: name.to_owned(),
            roles: roles.to_vec(),
        })
    }

    /// A channel with the given credentials, known or not.
    ///
    /// # Panics
    /// Never: the address is valid.
    #[must_use]
    pub fn channel_with(&self, credentials: Credentials) -> AuthedChannel {
        let endpoint =
            Endpoint::from_shared(format!("http://{}", self.address)).expect("a valid address");
        let endpoint = endpoint.tcp_nodelay(true);
        InterceptedService::new(endpoint.connect_lazy(), credentials)
    }

    /// Asks the server to stop and waits until it has drained.
    ///
    /// # Panics
    /// When the server ended with an error.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        if let Some(task) = self.task.take() {
            task.await.expect("the server's task").expect("a clean end");
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
