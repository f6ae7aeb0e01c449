//! Services inside this process: all of them, or one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use foretide_config::SecretString;
use foretide_db::Database;
use foretide_domain::SharedClock;
use foretide_lake::Lake;
use foretide_service_runtime::{
    Authenticator, DataFolder, IdentityConfig, PeerUrls, Peers, ServiceContext, recognise, serve,
    serve_web,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::identity;
use crate::services::{Built, ServiceName, build};
use crate::state::State;

/// Longest time that services may take to end once they were asked to.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Services running in this process.
pub(crate) struct Running {
    pub peers: Peers,
    pub state: State,
    pub identity: IdentityConfig,
    shutdown: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    /// Of an installation that lives in one: nobody else's until all services have ended.
    _data_folder: Option<DataFolder>,
}

/// Starts all services in this process. They still talk gRPC over loopback.
pub(crate) async fn start_all(config: &Config, clock: SharedClock) -> anyhow::Result<Running> {
    let data_folder = DataFolder::claim(&config.data_dir)?;
    let identity = identity::complete(&config.identity, &config.data_dir)?;
    let mut listeners = Vec::new();
    for service in ServiceName::ALL {
        listeners.push((service, bind(config, service).await?));
    }
    let urls = peer_urls(&listeners)?;
    let console = url_of(&listeners, ServiceName::Console)?;
    let mut starter = Starter::new(config, identity, clock, &urls, true)?;
    starter.public_console_url(&console)?;
    let mut tasks = JoinSet::new();
    for (service, listener) in listeners {
        starter.spawn(service, listener, &mut tasks).await?;
    }
    let state = State {
        pid: std::process::id(),
        console,
        peers: urls,
    };
    let Starter {
        peers,
        identity,
        shutdown,
        ..
    } = starter;
    Ok(Running {
        peers,
        state,
        identity,
        shutdown,
        tasks,
        _data_folder: Some(data_folder),
    })
}

/// Starts one service; it finds the others by the configuration.
pub(crate) async fn start_one(
    config: &Config,
    service: ServiceName,
    clock: SharedClock,
) -> anyhow::Result<Running> {
    let urls = config.peers();
    let mut starter = Starter::new(
        config,
        config.identity.clone(),
        clock,
        &urls,
        service.needs_onnx(),
    )?;
    let listener = bind(config, service).await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    starter.spawn(service, listener, &mut tasks).await?;
    tracing::info!(service = service.name(), %address, "serving");
    let state = State {
        pid: std::process::id(),
        console: format!("http://{address}"),
        peers: urls,
    };
    let Starter {
        peers,
        identity,
        shutdown,
        ..
    } = starter;
    Ok(Running {
        peers,
        state,
        identity,
        shutdown,
        tasks,
        _data_folder: None,
    })
}

impl Running {
    /// Runs until the process is asked to stop or a service ends by itself.
    pub(crate) async fn until_stopped(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = stop_signal() => None,
            ended = self.tasks.join_next() => ended,
        };
        if let Some(ended) = ended {
            self.shutdown.cancel();
            ended.context("a service ended abnormally")??;
            bail!("a service ended although nobody asked it to");
        }
        tracing::info!("stopping: finishing what runs");
        self.stop().await
    }

    /// Asks all services to stop and waits for them.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.context("a service ended abnormally")??;
            }
            Ok(())
        };
        tokio::time::timeout(STOP_LIMIT, all)
            .await
            .unwrap_or_else(|_| bail!("services were still running after {STOP_LIMIT:?}"))
    }
}

/// What all services of a process are started from.
struct Starter {
    config: Config,
    identity: IdentityConfig,
    authenticator: Authenticator,
    context: ServiceContext,
    peers: Peers,
    shutdown: CancellationToken,
}

impl Starter {
    fn new(
        config: &Config,
        identity: IdentityConfig,
        clock: SharedClock,
        urls: &PeerUrls,
        needs_onnx: bool,
    ) -> anyhow::Result<Self> {
        let service_token = identity.service_token.clone().context(
            "identity.service_token is missing: services that run on their own share one secret; \
             set it, e.g. to ${FORETIDE_SERVICE_TOKEN}",
        )?;
        let authenticator = Authenticator::new(&identity).map_err(anyhow::Error::msg)?;
        let peers = peers(urls, &service_token)?;
        let shutdown = CancellationToken::new();
        let context = ServiceContext {
            name: "foretide",
            clock,
            shutdown: shutdown.clone(),
            peers: peers.clone(),
            database: config.database(),
            lake: Lake::open(&config.lake()).context("cannot open the lake")?,
            use_cases: Arc::new(config.use_cases.clone()),
            onnx_library: if needs_onnx {
                onnx_library(config)
            } else {
                None
            },
        };
        Ok(Self {
            config: config.clone(),
            identity,
            authenticator,
            context,
            peers,
            shutdown,
        })
    }

    /// Links in notices lead to the console of this process unless configured otherwise.
    fn public_console_url(&mut self, console: &str) -> anyhow::Result<()> {
        if self.config.broker.console_url.is_none() {
            let url = console.parse().context("the console's address is no URL")?;
            self.config.broker.console_url = Some(url);
        }
        Ok(())
    }

    async fn spawn(
        &mut self,
        service: ServiceName,
        listener: TcpListener,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let ctx = ServiceContext {
            name: service.name(),
            ..self.context.clone()
        };
        if service.has_database() {
            recognise_database(&ctx)
                .await
                .with_context(|| format!("cannot start {}", service.name()))?;
        }
        let built = Box::pin(build(service, &ctx, &self.config))
            .await
            .with_context(|| format!("cannot start {}", service.name()))?;
        let authenticator = self.authenticator.clone();
        tasks.spawn(async move {
            match built {
                Built::Grpc(built) => serve(&ctx, listener, built, authenticator).await?,
                Built::Web(router) => serve_web(&ctx, listener, router).await?,
            }
            Ok(())
        });
        Ok(())
    }
}

/// Before a service acts on what its database says, it must be the one that was there before.
async fn recognise_database(ctx: &ServiceContext) -> anyhow::Result<()> {
    let database = Database::connect(&ctx.database, ctx.name).await?;
    recognise(&database, &ctx.lake).await?;
    database.close().await?;
    Ok(())
}

/// Finds ONNX Runtime, fetching the pinned version when it is missing. Without it everything but
/// training and scoring works, and those say what is missing.
pub(crate) fn onnx_library(config: &Config) -> Option<PathBuf> {
    let explicit = config.onnx.library.as_deref();
    let found = foretide_onnx::library::locate(explicit)
        .or_else(|_| foretide_onnx::library::ensure(&cache_dir(config)));
    found
        .inspect_err(|error| {
            tracing::warn!(%error, "ONNX Runtime is missing: training and scoring will refuse");
        })
        .ok()
}

/// Folder for what is fetched once and used by every data folder of the user.
fn cache_dir(config: &Config) -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let user = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    user.map_or_else(
        || config.data_dir.join("cache"),
        |cache| cache.join("foretide"),
    )
}

pub(crate) fn peers(urls: &PeerUrls, token: &SecretString) -> anyhow::Result<Peers> {
    Peers::new(urls, token).map_err(anyhow::Error::msg)
}

async fn bind(config: &Config, service: ServiceName) -> anyhow::Result<TcpListener> {
    let (host, port) = (&config.listen.host, config.listen.port(service));
    TcpListener::bind((host.as_str(), port))
        .await
        .with_context(|| {
            format!(
                "cannot listen on {host}:{port} for {}; free the port or set listen.{}",
                service.name(),
                service.name().replace('-', "_")
            )
        })
}

fn url_of(
    listeners: &[(ServiceName, TcpListener)],
    service: ServiceName,
) -> anyhow::Result<String> {
    let (_, listener) = listeners
        .iter()
        .find(|(name, _)| *name == service)
        .context("every service has a listener")?;
    Ok(format!("http://{}", listener.local_addr()?))
}

fn peer_urls(listeners: &[(ServiceName, TcpListener)]) -> anyhow::Result<PeerUrls> {
    let url = |service| url_of(listeners, service);
    Ok(PeerUrls {
        ingestion: url(ServiceName::Ingestion)?,
        feature_store: url(ServiceName::FeatureStore)?,
        trainer: url(ServiceName::Trainer)?,
        scorer: url(ServiceName::Scorer)?,
        auditor: url(ServiceName::Auditor)?,
        broker: url(ServiceName::Broker)?,
        orchestrator: url(ServiceName::Orchestrator)?,
    })
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            () = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => interrupt.await,
    }
}
