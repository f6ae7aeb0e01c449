//! Foretide as a user installs it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use foretide_emulator::{
    ArmConfig, Emulator, EmulatorConfig, EmulatorHandle, KqlEngineConfig, RuleConfig,
};
use foretide_service_runtime::{PeerUrls, Peers};
use foretide_test_support::{
    ForetideOutput, ForetideProcess, KqlEngine, Postgres, foretide, free_port,
};
use futures::future::try_join_all;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Contoso, clock};

const SERVICES: [&str; 8] = [
    "auditor",
    "ingestion",
    "feature-store",
    "trainer",
    "scorer",
    "broker",
    "orchestrator",
    "console",
];
const SERVICE_TOKEN: &str = "token-of-the-services-in-e2e";

/// How Foretide is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `foretide up`.
    OneProcess,
    /// `foretide serve <service>`, eight times.
    EightProcesses,
}

/// What is installed: a shape, and a configuration that the story may change before the start.
#[derive(Debug)]
pub struct Setup {
    shape: Shape,
    config: Value,
    folder: TempDir,
    ports: BTreeMap<&'static str, u16>,
    postgres: Option<Postgres>,
    emulator_config: EmulatorConfig,
    queries_workspace: bool,
    acts_in_sentinel: bool,
    environment: Vec<(String, std::ffi::OsString)>,
}

impl Setup {
    /// An installation in an empty folder, embedded in every respect, with two people (`operator`
    /// and `approver`) and no calendar: runs are started by the story.
    ///
    /// # Errors
    /// When no folder or port can be had.
    pub fn new(shape: Shape) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("foretide-e2e-").tempdir()?;
        let mut ports = BTreeMap::new();
        let mut listen = json!({"host": "127.0.0.1"});
        for service in SERVICES {
            let port = free_port()?;
            ports.insert(service, port);
            listen[service.replace('-', "_")] = json!(port);
        }
        let config = json!({
            "data_dir": folder.path().join("data"),
            "simulated_time": clock().setting(),
            "listen": listen,
            "identity": {
                "service_token": SERVICE_TOKEN,
                "people": [
                    {"name": "operator", "roles": ["viewer", "operator"], "token": token_of("operator")},
                    {
                        "name": "approver",
                        "roles": ["viewer", "operator", "approver"],
                        "token": token_of("approver"),
                    },
                ],
            },
            "telemetry": {"filter": "info,ort=warn,sqlx=warn"},
            "ingestion": {"pseudonym_key": "00".repeat(32)},
            "feature_store": {"calendar": {"timezone": "Europe/Berlin"}},
            "orchestrator": {
                "calendar": {"enabled": false},
                "backoff": {"first_seconds": 1, "longest_seconds": 2},
            },
        });
        Ok(Self {
            shape,
            config,
            folder,
            ports,
            postgres: None,
            emulator_config: EmulatorConfig::default(),
            queries_workspace: false,
            acts_in_sentinel: false,
            environment: Vec::new(),
        })
    }

    /// Reads exported tables in `folder`.
    #[must_use]
    pub fn reading(self, folder: &Path) -> Self {
        self.with("/ingestion/files", json!({"locations": [{"url": folder}]}))
    }

    /// Works for Contoso: reads its exports, knows its announced campaigns and what its SOC can carry.
    #[must_use]
    pub fn working_for(self, contoso: &Contoso) -> Self {
        self.reading(contoso.export())
            .with("/feature_store/calendar/campaigns", contoso.campaigns())
            .with("/use_cases", Contoso::use_cases())
    }

    /// Keeps tables and queue in PostgreSQL.
    #[must_use]
    pub fn on_postgres(mut self, postgres: Postgres) -> Self {
        self = self.with("/database", json!({"url": postgres.url()}));
        self.postgres = Some(postgres);
        self
    }

    /// Sets one value of the configuration by its path (`/trainer/mlflow`).
    ///
    /// # Panics
    /// When the path leads through something that is not an object.
    #[must_use]
    pub fn with(mut self, path: &str, value: Value) -> Self {
        let mut place = &mut self.config;
        for key in path.trim_start_matches('/').split('/') {
            place = &mut place[key];
        }
        *place = value;
        self
    }

    /// Sets an environment variable of every process.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Queries the emulator's workspace, whose KQL this engine runs, instead of reading files.
    ///
    /// # Errors
    /// When the engine's address is not a URL.
    pub fn querying(mut self, engine: &KqlEngine) -> anyhow::Result<Self> {
        self.emulator_config.kql_engine = Some(KqlEngineConfig {
            url: engine.url().parse()?,
            database: "workspace".to_owned(),
        });
        self.queries_workspace = true;
        Ok(self)
    }

    /// Writes predicted windows back and looks for them by this engine, if there is one; keeps a
    /// watchlist, writes planning incidents, and lays the content pack out.
    ///
    /// # Errors
    /// When the engine's address is not a URL.
    pub fn acting_in_sentinel(mut self, engine: Option<&KqlEngine>) -> anyhow::Result<Self> {
        if let Some(engine) = engine {
            self.emulator_config.kql_engine = Some(KqlEngineConfig {
                url: engine.url().parse()?,
                database: "workspace".to_owned(),
            });
        }
        let streams = [
            "Custom-PredictiveAlerting_CL",
            "Custom-Predicted_Attack_Surge_CL",
            "Custom-AI_Governance_CL",
        ];
        self.emulator_config.rules = vec![RuleConfig {
            id: EmulatorConfig::RULE_ID.to_owned(),
            streams: streams.map(Into::into).to_vec(),
        }];
        self.acts_in_sentinel = true;
        Ok(self)
    }

    /// Starts the emulator and Foretide, and waits until every service is healthy.
    ///
    /// # Errors
    /// When something does not come up; the message holds the end of its log.
    pub async fn start(self) -> anyhow::Result<Installation> {
        let emulator = Emulator::start(self.emulator_config.clone(), clock().shared()).await?;
        let shape = self.shape;
        let mut setup = self.connected_to(&emulator);
        if shape == Shape::EightProcesses {
            let peers = json!(setup.peer_urls());
            setup = setup.with("/peers", peers);
        }
        let config_file = setup.folder.path().join("foretide.yaml");
        // JSON is YAML.
        std::fs::write(&config_file, serde_json::to_string_pretty(&setup.config)?)?;
        let mut installation = Installation {
            emulator,
            processes: BTreeMap::new(),
            config_file,
            setup,
        };
        installation.start_processes(shape).await?;
        Ok(installation)
    }

    /// Writes back to the emulator's tables, sends notices to its Teams.
    fn connected_to(self, emulator: &EmulatorHandle) -> Self {
        let rule = json!({
            "endpoint": emulator.base_url(),
            "dcr_immutable_id": EmulatorConfig::RULE_ID,
        });
        let identity = json!({
            "authority": emulator.base_url(),
            "tenant": EmulatorConfig::TENANT,
            "client_id": "00000000-0000-4000-8000-0000000000aa",
            "client_secret": "the emulator takes any secret",
        });
        let mut setup = self;
        if setup.queries_workspace {
            let workspace = json!({
                "workspace_id": "00000000-0000-4000-8000-00000000aaaa",
                "endpoint": emulator.base_url(),
                "identity": identity,
                "history_days": 60,
            });
            setup = setup.with("/ingestion/log_analytics", workspace);
        }
        let mut write_back = json!({"rule": rule, "identity": identity});
        if setup.acts_in_sentinel {
            setup = setup.in_sentinel(emulator, &identity);
            if setup.emulator_config.kql_engine.is_some() {
                write_back["read_back"] = json!({
                    "workspace_id": "00000000-0000-4000-8000-00000000aaaa",
                    "endpoint": emulator.base_url(),
                    "first_wait_seconds": 1,
                });
            }
        }
        let mut of_scorer = write_back.clone();
        if setup.acts_in_sentinel {
            of_scorer["surge_stream"] = json!("Custom-Predicted_Attack_Surge_CL");
        }
        setup
            .with("/scorer/write_back", of_scorer)
            .with("/auditor/write_back", write_back)
            .with(
                "/broker/teams",
                json!({"webhook_url": emulator.teams_webhook_url()}),
            )
    }

    /// Everything that goes through Azure Resource Manager.
    fn in_sentinel(self, emulator: &EmulatorHandle, identity: &Value) -> Self {
        let arm = ArmConfig::default();
        let workspace = json!({
            "endpoint": emulator.base_url(),
            "subscription_id": arm.subscription_id,
            "resource_group": arm.resource_group,
            "workspace": arm.workspace,
        });
        let watchlist = json!({
            "workspace": workspace,
            "identity": identity,
            "every_seconds": 1,
        });
        let planning = json!({"mode": "direct", "workspace": workspace, "identity": identity});
        let content = json!({
            "workspace": workspace,
            "identity": identity,
            "location": "westeurope",
        });
        self.with("/scorer/watchlist", watchlist)
            .with("/broker/planning_incidents", planning)
            .with("/content", content)
    }

    fn url(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[service])
    }

    fn peer_urls(&self) -> PeerUrls {
        PeerUrls {
            ingestion: self.url("ingestion"),
            feature_store: self.url("feature-store"),
            trainer: self.url("trainer"),
            scorer: self.url("scorer"),
            auditor: self.url("auditor"),
            broker: self.url("broker"),
            orchestrator: self.url("orchestrator"),
        }
    }
}

/// A running Foretide and its surroundings. All of it stops when dropped.
#[derive(Debug)]
pub struct Installation {
    /// Azure and Teams.
    pub emulator: EmulatorHandle,
    // Before `setup`, so that the processes stop before their database does.
    processes: BTreeMap<String, ForetideProcess>,
    config_file: PathBuf,
    setup: Setup,
}

impl Installation {
    async fn start_processes(&mut self, shape: Shape) -> anyhow::Result<()> {
        match shape {
            Shape::OneProcess => {
                let up = self
                    .process("up", "console", vec!["up", "--no-calendar"])
                    .await?;
                self.processes.insert("up".to_owned(), up);
            }
            Shape::EightProcesses => {
                let this = &*self;
                let started = try_join_all(SERVICES.map(|service| async move {
                    let process = this
                        .process(service, service, vec!["serve", service])
                        .await?;
                    anyhow::Ok((service.to_owned(), process))
                }))
                .await?;
                self.processes.extend(started);
            }
        }
        Ok(())
    }

    async fn process(
        &self,
        name: &str,
        healthy: &str,
        mut arguments: Vec<&str>,
    ) -> anyhow::Result<ForetideProcess> {
        let config = self.config_file.display().to_string();
        arguments.extend(["--config", &config]);
        let health = format!("{}/healthz", self.setup.url(healthy));
        ForetideProcess::start(
            self.setup.folder.path(),
            name,
            arguments,
            &self.setup.environment,
            &health,
        )
        .await
        .with_context(|| format!("starting {name}"))
    }

    /// The process of a service; the one process when there is only one.
    ///
    /// # Errors
    /// When no such process was started.
    pub fn process_of(&mut self, service: &str) -> anyhow::Result<&mut ForetideProcess> {
        let name = match self.setup.shape {
            Shape::OneProcess => "up",
            Shape::EightProcesses => service,
        };
        self.processes
            .get_mut(name)
            .with_context(|| format!("no process {name} was started"))
    }

    /// PostgreSQL, when this installation has one.
    pub fn postgres(&mut self) -> Option<&mut Postgres> {
        self.setup.postgres.as_mut()
    }

    /// Clients that call as a person.
    ///
    /// # Errors
    /// When an address is not a URL.
    pub fn clients_of(&self, person: &str) -> anyhow::Result<Peers> {
        Peers::new(
            &self.setup.peer_urls(),
            &SecretString::from(token_of(person)),
        )
        .map_err(anyhow::Error::msg)
    }

    /// Runs `foretide <arguments>` as a person, with this installation's configuration.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn cli(&self, person: &str, arguments: &[&str]) -> anyhow::Result<ForetideOutput> {
        let config = self.config_file.display().to_string();
        let mut line = vec!["--config", &config];
        line.extend(arguments);
        line.extend(["--as", person]);
        foretide(self.setup.folder.path(), line).await
    }

    /// Runs `foretide up` once more, as one who has forgotten that it runs; for what must be refused.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn up_again(&self) -> anyhow::Result<ForetideOutput> {
        let config = self.config_file.display().to_string();
        foretide(
            self.setup.folder.path(),
            ["up", "--no-calendar", "--config", &config],
        )
        .await
    }

    /// Address of the console.
    #[must_use]
    pub fn console(&self) -> String {
        self.setup.url("console")
    }

    /// Address of a service.
    #[must_use]
    pub fn address_of(&self, service: &str) -> String {
        self.setup.url(service)
    }

    /// The bearer token of a person.
    #[must_use]
    pub fn token_of(&self, person: &str) -> String {
        token_of(person)
    }

    /// The installation's folder: configuration, logs and, embedded, all data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.setup.folder.path()
    }

    /// The end of every process's log, for a failed story.
    pub fn logs(&mut self) -> String {
        self.processes
            .iter_mut()
            .map(|(name, process)| format!("== {name}\n{}\n", process.process().log_tail()))
            .collect()
    }
}

fn token_of(person: &str) -> String {
    format!("token-of-the-{person}-in-e2e")
}
