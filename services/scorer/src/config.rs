//! Configuration of the scorer.

use std::sync::Arc;
use std::time::Duration;

use foretide_domain::SharedClock;
use foretide_entra::{ClientSecretConfig, ClientSecretSource, PUBLIC_CLOUD_AUTHORITY};
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_logs_ingestion::{LogsIngestionClient, PUBLIC_CLOUD_AUDIENCE, RuleConfig};
use foretide_service_runtime::BuildError;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::write_back::Sink;

/// The `scorer` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Below this share of complete inputs a forecast is `degraded`: above 0, at most 1.
    pub completeness_threshold: f64,
    /// Hours after which a forecast is no longer valid, unless its horizon ends before: 1 to 336.
    pub valid_for_hours: u32,
    /// Where rows are written back to. Without it they stay here.
    pub sink: Option<SinkConfig>,
    /// How patiently rows and audit events are delivered.
    pub outbox: OutboxPace,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            completeness_threshold: 0.9,
            valid_for_hours: 26,
            sink: None,
            outbox: OutboxPace::default(),
        }
    }
}

/// The data collection rule that feeds `PredictiveAlerting_CL`, and who writes through it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Logs ingestion endpoint of the rule, or of its data collection endpoint.
    pub endpoint: Url,
    /// Immutable id of the rule: `dcr-` and 32 hexadecimal digits.
    pub dcr_immutable_id: String,
    /// Stream of the rule.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// Audience of the token; of another cloud, another one.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// Address of the authority; of another cloud, another one.
    #[serde(default = "default_authority")]
    pub authority: Url,
    /// Tenant (directory) id or domain.
    pub tenant: String,
    /// Application (client) id, with the role Monitoring Metrics Publisher on the rule.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: SecretString,
}

fn default_stream() -> String {
    "Custom-PredictiveAlerting".to_owned()
}

fn default_audience() -> String {
    PUBLIC_CLOUD_AUDIENCE.to_owned()
}

fn default_authority() -> Url {
    Url::parse(PUBLIC_CLOUD_AUTHORITY).expect("a constant address")
}

/// How patiently an outbox is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboxPace {
    /// Wait after the first failure, milliseconds; doubles with every further one.
    pub first_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub longest_wait_ms: u64,
}

impl Default for OutboxPace {
    fn default() -> Self {
        Self {
            first_wait_ms: 1_000,
            longest_wait_ms: 300_000,
        }
    }
}

/// A key that is out of bounds.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("scorer.{key} must be {allowed}, got {got}")]
pub struct OutOfBounds {
    key: &'static str,
    allowed: &'static str,
    got: String,
}

impl Config {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first key that is out of bounds, and the bounds.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        let threshold = self.completeness_threshold;
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(OutOfBounds {
                key: "completeness_threshold",
                allowed: "above 0 and at most 1",
                got: threshold.to_string(),
            });
        }
        if !(1..=336).contains(&self.valid_for_hours) {
            return Err(OutOfBounds {
                key: "valid_for_hours",
                allowed: "from 1 to 336",
                got: self.valid_for_hours.to_string(),
            });
        }
        Ok(())
    }

    pub(crate) fn sink(&self, clock: &SharedClock) -> Result<Option<Sink>, BuildError> {
        let Some(sink) = self.sink.clone() else {
            return Ok(None);
        };
        let http = foretide_http::client(&ClientOptions::default())
            .map_err(|error| BuildError::new("scorer.sink", error))?;
        let identity = ClientSecretConfig {
            authority: sink.authority,
            tenant: sink.tenant,
            client_id: sink.client_id,
            client_secret: sink.client_secret,
        };
        let tokens = ClientSecretSource::new(identity, http.clone(), Arc::clone(clock))
            .map_err(|error| BuildError::new("scorer.sink", error))?;
        let rule = RuleConfig {
            endpoint: sink.endpoint,
            dcr_immutable_id: sink.dcr_immutable_id,
            audience: sink.audience,
        };
        // The outbox is patient: within one try a long wait would only keep the run waiting.
        let retry = RetryPolicy {
            attempts: 3,
            max_wait: Duration::from_secs(5),
            ..RetryPolicy::default()
        };
        let client = LogsIngestionClient::new(rule, http, Arc::new(tokens), Arc::clone(clock))
            .map_err(|error| BuildError::new("scorer.sink", error))?
            .with_retry(retry);
        Ok(Some(Sink {
            client,
            stream: sink.stream,
        }))
    }
}
