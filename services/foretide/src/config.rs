//! The whole configuration: one section a concern, every key with a default.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use foretide_config::{ConfigError, refused};
use foretide_db::DatabaseConfig;
use foretide_domain::{ClockSetting, RunningClock, SharedClock, UseCase, machine_clock};
use foretide_lake::LakeConfig;
use foretide_service_runtime::{Authenticator, IdentityConfig, PeerUrls};
use serde::Deserialize;

use crate::commands::content::ContentConfig;
use crate::services::ServiceName;

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folder of the embedded set-up: databases, lake, tokens, ONNX Runtime.
    pub data_dir: PathBuf,
    /// Where the services listen.
    pub listen: ListenConfig,
    /// Where the services find each other; from `listen` when left out.
    pub peers: Option<PeerUrls>,
    /// `sqlite:<data_dir>/db` when left out.
    pub database: Option<DatabaseConfig>,
    /// `<data_dir>/lake` when left out.
    pub lake: Option<LakeConfig>,
    /// Who may call.
    pub identity: IdentityConfig,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
    /// ONNX Runtime.
    pub onnx: OnnxConfig,
    /// Declared use cases; those that come with Foretide when left out.
    pub use_cases: Vec<UseCase>,
    pub ingestion: foretide_ingestion::config::Config,
    pub feature_store: foretide_feature_store::config::Config,
    pub trainer: foretide_trainer::config::Config,
    pub scorer: foretide_scorer::config::Config,
    pub auditor: foretide_auditor::config::Config,
    pub broker: foretide_broker::config::Config,
    pub orchestrator: foretide_orchestrator::config::Config,
    pub console: foretide_console::config::Config,
    /// What is laid out in the Sentinel workspace.
    pub content: Option<ContentConfig>,
    /// For tests and demos, on loopback only: a clock that was set, in place of the machine's.
    pub simulated_time: Option<ClockSetting>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".foretide/data"),
            listen: ListenConfig::default(),
            peers: None,
            database: None,
            lake: None,
            identity: IdentityConfig::default(),
            telemetry: TelemetryConfig::default(),
            onnx: OnnxConfig::default(),
            use_cases: UseCase::built_in(),
            ingestion: Default::default(),
            feature_store: Default::default(),
            trainer: Default::default(),
            scorer: Default::default(),
            auditor: Default::default(),
            broker: Default::default(),
            orchestrator: Default::default(),
            console: Default::default(),
            content: None,
            simulated_time: None,
        }
    }
}

/// Host and ports; port 0 takes any free one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListenConfig {
    pub host: String,
    pub console: u16,
    pub ingestion: u16,
    pub feature_store: u16,
    pub trainer: u16,
    pub scorer: u16,
    pub auditor: u16,
    pub broker: u16,
    pub orchestrator: u16,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            console: 7700,
            ingestion: 7701,
            feature_store: 7702,
            trainer: 7703,
            scorer: 7704,
            auditor: 7705,
            broker: 7706,
            orchestrator: 7707,
        }
    }
}

/// The machine's clock, chosen here and nowhere else in the product.
#[expect(clippy::disallowed_methods, reason = "the binary chooses the clock")]
pub(crate) fn the_machines_clock() -> SharedClock {
    machine_clock()
}

impl ListenConfig {
    fn is_loopback(&self) -> bool {
        let address: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The same host, every port chosen by the system.
    pub(crate) fn any_ports() -> Self {
        Self {
            console: 0,
            ingestion: 0,
            feature_store: 0,
            trainer: 0,
            scorer: 0,
            auditor: 0,
            broker: 0,
            orchestrator: 0,
            ..Self::default()
        }
    }

    /// The port of a service.
    pub(crate) fn port(&self, service: ServiceName) -> u16 {
        match service {
            ServiceName::Ingestion => self.ingestion,
            ServiceName::FeatureStore => self.feature_store,
            ServiceName::Trainer => self.trainer,
            ServiceName::Scorer => self.scorer,
            ServiceName::Auditor => self.auditor,
            ServiceName::Broker => self.broker,
            ServiceName::Orchestrator => self.orchestrator,
            ServiceName::Console => self.console,
        }
    }
}

/// Logs, traces, metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelemetryConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Log filter.
    pub filter: String,
    /// OTLP/gRPC endpoint for traces.
    pub otlp_endpoint: Option<url::Url>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info,sqlx=warn,ort=warn".to_owned(),
            otlp_endpoint: None,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// ONNX Runtime.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OnnxConfig {
    /// Path of the library; `ORT_DYLIB_PATH`, or a download into `data_dir`, when left out.
    pub library: Option<PathBuf>,
}

impl Config {
    /// Reads and checks the file; all defaults without one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut config = match path {
            Some(path) => foretide_config::load(path, &|name| std::env::var(name).ok())?,
            None => Self::default(),
        };
        if config.ingestion.pseudonym_key.is_none() {
            let state = &mut config.ingestion.state_folder;
            state.get_or_insert_with(|| config.data_dir.clone());
        }
        let auditors_state = &mut config.auditor.state_folder;
        auditors_state.get_or_insert_with(|| config.data_dir.clone());
        config.check(path.unwrap_or(Path::new("(no file)")))?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        for (index, use_case) in self.use_cases.iter().enumerate() {
            let key = format!("use_cases[{index}]");
            use_case
                .validate()
                .map_err(|error| refused(path, &key, error.to_string()))?;
            foretide_feature_store::config::view_of(use_case)
                .map_err(|error| refused(path, &key, error.to_string()))?;
            if self.use_cases[..index]
                .iter()
                .any(|earlier| earlier.id == use_case.id)
            {
                return Err(refused(
                    path,
                    &key,
                    format!("use case {} is declared twice", use_case.id),
                ));
            }
        }
        UseCase::validate_together(&self.use_cases)
            .map_err(|error| refused(path, "use_cases", error.to_string()))?;
        if self.use_cases.is_empty() {
            return Err(refused(
                path,
                "use_cases",
                "must name at least one use case, or be left out",
            ));
        }
        Authenticator::new(&self.identity)
            .map_err(|problem| refused_in(path, "identity", &problem))?;
        if let Some(lake) = &self.lake {
            lake.validate()
                .map_err(|error| refused(path, "lake.url", error.to_string()))?;
        }
        if let Some(database) = &self.database {
            database
                .validate()
                .map_err(|error| refused(path, "database.url", error.to_string()))?;
        }
        if self.simulated_time.is_some() && !self.listen.is_loopback() {
            return Err(refused(
                path,
                "simulated_time",
                "is for tests and demos, with listen.host on loopback; leave it out",
            ));
        }
        self.check_sections(path)
    }

    /// The clock that every service and command is given.
    pub(crate) fn clock(&self) -> SharedClock {
        match self.simulated_time {
            Some(setting) => RunningClock::set(setting).shared(),
            None => the_machines_clock(),
        }
    }

    /// Checks that there is something to read, which only a process that reads needs.
    pub(crate) fn require_source(&self, path: Option<&Path>) -> Result<(), ConfigError> {
        let path = path.unwrap_or(Path::new("(no file)"));
        self.ingestion
            .validate()
            .map_err(|problem| refused_in(path, "ingestion", &problem.to_string()))
    }

    /// Every section by its own service's check: what a service refuses when it starts is refused here.
    fn check_sections(&self, path: &Path) -> Result<(), ConfigError> {
        let mut problems: Vec<(&str, String)> = Vec::new();
        macro_rules! check {
            ($section:literal, $checked:expr) => {
                if let Err(problem) = $checked {
                    problems.push(($section, problem.to_string()));
                }
            };
        }
        if self.ingestion.files.is_some() || self.ingestion.log_analytics.is_some() {
            check!("ingestion", self.ingestion.validate());
        }
        check!("feature_store", self.feature_store.check());
        check!("trainer", self.trainer.check());
        check!("scorer", self.scorer.check());
        check!("auditor", self.auditor.validate());
        check!("auditor", self.auditor.check_phases(&self.use_cases));
        check!("broker", self.broker.validate());
        check!("orchestrator", self.orchestrator.check());
        check!("console", self.console.validate());
        if let Some(content) = &self.content {
            check!("content", content.validate());
        }
        match problems.into_iter().next() {
            Some((section, problem)) => Err(refused_in(path, section, &problem)),
            None => Ok(()),
        }
    }

    /// Where the tables are.
    pub(crate) fn database(&self) -> DatabaseConfig {
        self.database.clone().unwrap_or_else(|| {
            DatabaseConfig::new(format!("sqlite:{}", self.data_dir.join("db").display()))
        })
    }

    /// Where the lake is.
    pub(crate) fn lake(&self) -> LakeConfig {
        self.lake
            .clone()
            .unwrap_or_else(|| LakeConfig::folder(&self.data_dir.join("lake")))
    }

    /// Where the services find each other.
    pub(crate) fn peers(&self) -> PeerUrls {
        self.peers.clone().unwrap_or_else(|| {
            let url =
                |service| format!("http://{}:{}", self.listen.host, self.listen.port(service));
            PeerUrls {
                ingestion: url(ServiceName::Ingestion),
                feature_store: url(ServiceName::FeatureStore),
                trainer: url(ServiceName::Trainer),
                scorer: url(ServiceName::Scorer),
                auditor: url(ServiceName::Auditor),
                broker: url(ServiceName::Broker),
                orchestrator: url(ServiceName::Orchestrator),
            }
        })
    }
}

/// A problem that begins with the key, which may stand below its section.
fn refused_in(path: &Path, section: &str, problem: &str) -> ConfigError {
    let prefix = format!("{section}.");
    let problem = problem.strip_prefix(&prefix).unwrap_or(problem);
    let (key, message) = problem
        .split_once(' ')
        .unwrap_or((problem, "cannot be used"));
    refused(
        path,
        &format!("{prefix}{}", key.trim_end_matches(':')),
        message,
    )
}
