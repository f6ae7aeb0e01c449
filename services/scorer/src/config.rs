//! Configuration of the scorer.

use std::sync::Arc;
use std::time::Duration;

use foretide_domain::{SharedClock, UseCaseId};
use foretide_entra::{Cloud, IdentityConfig, IdentityTokens};
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_logs_ingestion::{DataCollectorConfig, RuleConfig};
use foretide_outbox::Backoff;
use foretide_sentinel_arm::{ArmClient, MONTHLY_CHANGES, WorkspaceConfig};
use foretide_service_runtime::{BuildError, ServiceContext};
use foretide_write_back::{Batches, ReadBack, ReadBackConfig, RowColumns, SinkChoice, SinkKind};
use serde::Deserialize;

use crate::storage::Store;
use crate::watchlist::WatchlistKeeper;
use crate::write_back::{Sink, WriteBack};

/// The `scorer` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Below this share of complete inputs a forecast is `degraded`: above 0, at most 1.
    pub completeness_threshold: f64,
    /// Hours after which a forecast is no longer valid, unless its horizon ends before: 1 to 336.
    pub valid_for_hours: u32,
    /// Where rows are written back to. Without it they stay here.
    pub write_back: Option<WriteBackConfig>,
    /// The watchlist of what carries the next high-risk period; none is kept without it.
    pub watchlist: Option<WatchlistConfig>,
    /// How patiently rows and audit events are delivered.
    pub outbox: Backoff,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            completeness_threshold: 0.9,
            valid_for_hours: 26,
            write_back: None,
            watchlist: None,
            outbox: Backoff::default(),
        }
    }
}

/// The way into `PredictiveAlerting_CL` and its sisters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteBackConfig {
    /// Which way: `logs_ingestion` (rule and identity) or `data_collector`.
    #[serde(default)]
    pub sink: SinkKind,
    /// The data collection rule that takes the rows.
    #[serde(default)]
    pub rule: Option<RuleConfig>,
    /// Its stream.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// Stream for predicted windows, `Custom-Predicted_Attack_Surge_CL`; they stay here without it.
    #[serde(default)]
    pub surge_stream: Option<String>,
    /// Who writes: an application with the role Monitoring Metrics Publisher on the rule.
    #[serde(default)]
    pub identity: Option<IdentityConfig>,
    /// The workspace and its shared key, for `data_collector`.
    #[serde(default)]
    pub data_collector: Option<DataCollectorConfig>,
    /// Looks whether accepted rows can be queried; nobody looks without it.
    #[serde(default)]
    pub read_back: Option<ReadBackConfig>,
}

/// A watchlist in Sentinel, kept up to date by difference from phase `assisted` on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchlistConfig {
    /// The workspace, as Azure Resource Manager names it.
    pub workspace: WorkspaceConfig,
    /// Who writes it (Microsoft Sentinel Contributor).
    pub identity: IdentityConfig,
    /// Its alias: 1 to 64 letters, digits or `-`, `_`.
    #[serde(default = "default_alias")]
    pub alias: String,
    /// Use case whose high-risk periods count, and whose phase.
    #[serde(default = "default_watched")]
    pub use_case: UseCaseId,
    /// Items at most: 1 to 1000.
    #[serde(default = "default_items")]
    pub most_items: u32,
    /// Item changes a month at most, of the 100,000 that a workspace has.
    #[serde(default = "default_changes")]
    pub monthly_changes: u32,
    /// Seconds between two looks: 1 to 86400.
    #[serde(default = "default_period")]
    pub every_seconds: u32,
}

fn default_alias() -> String {
    "ForetideHighRisk".to_owned()
}

fn default_watched() -> UseCaseId {
    "risk_period".parse().expect("a use case's name")
}

fn default_items() -> u32 {
    50
}

fn default_changes() -> u32 {
    10_000
}

fn default_period() -> u32 {
    900
}

fn default_stream() -> String {
    "Custom-PredictiveAlerting_CL".to_owned()
}

/// A key that cannot be as it is; the text begins with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scorer.{0}")]
pub struct ConfigProblem(String);

impl ConfigProblem {
    fn new(key: &str, allowed: &str, got: impl std::fmt::Display) -> Self {
        Self(format!("{key} must be {allowed}, got {got}"))
    }
}

impl WriteBackConfig {
    /// The way rows take.
    fn choice(&self) -> SinkChoice {
        SinkChoice {
            kind: self.sink,
            rule: self.rule.clone(),
            identity: self.identity.clone(),
            data_collector: self.data_collector.clone(),
        }
    }

    fn check(&self) -> Result<(), ConfigProblem> {
        let sink = self.choice().validate();
        sink.map_err(|error| ConfigProblem(error.to_string()))?;
        let read_back = self.read_back.as_ref();
        let read_back = read_back.map_or(Ok(()), |look| look.validate(self.identity.as_ref()));
        read_back.map_err(|error| ConfigProblem(error.to_string()))
    }
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first key that cannot be, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let threshold = self.completeness_threshold;
        if !(threshold > 0.0 && threshold <= 1.0) {
            let (key, allowed) = ("completeness_threshold", "above 0 and at most 1");
            return Err(ConfigProblem::new(key, allowed, threshold));
        }
        if !(1..=336).contains(&self.valid_for_hours) {
            let (key, allowed) = ("valid_for_hours", "from 1 to 336");
            return Err(ConfigProblem::new(key, allowed, self.valid_for_hours));
        }
        let write_back = self.write_back.as_ref();
        write_back.map_or(Ok(()), WriteBackConfig::check)?;
        self.watchlist.as_ref().map_or(Ok(()), check_watchlist)
    }

    /// Keeps the watchlist, if one is wanted.
    pub(crate) fn watchlist_keeper(
        &self,
        ctx: &ServiceContext,
        store: &Store,
        write_back: &Arc<WriteBack>,
    ) -> Result<Option<WatchlistKeeper>, BuildError> {
        let Some(config) = self.watchlist.clone() else {
            return Ok(None);
        };
        let identity = &config.identity;
        let mut workspace = config.workspace;
        workspace.endpoint =
            identity.endpoint(&workspace.endpoint, Cloud::resource_manager_endpoint);
        workspace.audience =
            identity.audience(&workspace.audience, Cloud::resource_manager_audience);
        let http = foretide_http::client(&ClientOptions::default())
            .map_err(|error| BuildError::new("scorer.watchlist", error))?;
        let clock = Arc::clone(&ctx.clock);
        let tokens = IdentityTokens::new(config.identity, http.clone(), clock)
            .map_err(|error| BuildError::new("scorer.watchlist.identity", error))?;
        let clock = Arc::clone(&ctx.clock);
        let client = ArmClient::new(workspace, http, Arc::new(tokens), clock)
            .map_err(|error| BuildError::new("scorer.watchlist.workspace", error))?;
        Ok(Some(WatchlistKeeper {
            store: store.clone(),
            client,
            auditor: ctx.peers.auditor(),
            write_back: Arc::clone(write_back),
            use_cases: Arc::clone(&ctx.use_cases),
            clock: Arc::clone(&ctx.clock),
            use_case: config.use_case,
            alias: config.alias,
            most_items: config.most_items as usize,
            monthly_changes: config.monthly_changes,
            period: Duration::from_secs(u64::from(config.every_seconds)),
        }))
    }

    pub(crate) fn sink(&self, clock: &SharedClock) -> Result<Option<Sink>, BuildError> {
        let Some(write_back) = self.write_back.clone() else {
            return Ok(None);
        };
        // The outbox is patient: within one try a long wait would only keep the run waiting.
        let retry = RetryPolicy {
            attempts: 3,
            max_wait: Duration::from_secs(5),
            ..RetryPolicy::default()
        };
        let client = write_back
            .choice()
            .open(retry, clock)
            .map_err(|error| BuildError::new("scorer", error))?;
        Ok(Some(Sink {
            client,
            stream: write_back.stream,
            surge_stream: write_back.surge_stream,
            watched: write_back.read_back.is_some(),
        }))
    }

    /// Looks for accepted rows, if that is wanted.
    pub(crate) fn read_back(
        &self,
        batches: Batches,
        clock: &SharedClock,
    ) -> Result<Option<ReadBack>, BuildError> {
        let Some(write_back) = &self.write_back else {
            return Ok(None);
        };
        let Some(read_back) = &write_back.read_back else {
            return Ok(None);
        };
        let finder = read_back
            .open(write_back.identity.as_ref(), clock)
            .map_err(|error| BuildError::new("scorer", error))?;
        Ok(Some(ReadBack {
            batches,
            finder: Arc::new(finder),
            columns: RowColumns::of(write_back.sink),
            pace: read_back.pace(),
            clock: SharedClock::clone(clock),
        }))
    }
}

fn check_watchlist(config: &WatchlistConfig) -> Result<(), ConfigProblem> {
    let refuse = |key, allowed, got: String| Err(ConfigProblem::new(key, allowed, got));
    let workspace = config.workspace.validate();
    workspace.map_err(|error| ConfigProblem(format!("watchlist.workspace.{error}")))?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !(1..=64).contains(&config.alias.len()) || !config.alias.bytes().all(is_word) {
        let got = config.alias.chars().take(64).collect();
        let allowed = "1 to 64 letters, digits, '-' or '_'";
        return refuse("watchlist.alias", allowed, got);
    }
    let bounds = [
        (
            "watchlist.most_items",
            config.most_items,
            1_000,
            "from 1 to 1000",
        ),
        (
            "watchlist.monthly_changes",
            config.monthly_changes,
            MONTHLY_CHANGES,
            "from 1 to 100000",
        ),
        (
            "watchlist.every_seconds",
            config.every_seconds,
            86_400,
            "from 1 to 86400",
        ),
    ];
    for (key, got, most, allowed) in bounds {
        if !(1..=most).contains(&got) {
            return refuse(key, allowed, got.to_string());
        }
    }
    Ok(())
}
