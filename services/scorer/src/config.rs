//! Configuration of the scorer.

use std::sync::Arc;
use std::time::Duration;

use foretide_domain::SharedClock;
use foretide_entra::IdentityConfig;
use foretide_http::RetryPolicy;
use foretide_logs_ingestion::{DataCollectorConfig, RuleConfig};
use foretide_service_runtime::BuildError;
use foretide_write_back::{Batches, ReadBack, ReadBackConfig, RowColumns, SinkChoice, SinkKind};
use serde::Deserialize;

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
    pub write_back: Option<WriteBackConfig>,
    /// How patiently rows and audit events are delivered.
    pub outbox: OutboxPace,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            completeness_threshold: 0.9,
            valid_for_hours: 26,
            write_back: None,
            outbox: OutboxPace::default(),
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

fn default_stream() -> String {
    "Custom-PredictiveAlerting_CL".to_owned()
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
        let Some(write_back) = self.write_back.clone() else {
            return Ok(None);
        };
        // The outbox is patient: within one try a long wait would only keep the run waiting.
        let retry = RetryPolicy {
            attempts: 3,
            max_wait: Duration::from_secs(5),
            ..RetryPolicy::default()
        };
        let choice = SinkChoice {
            kind: write_back.sink,
            rule: write_back.rule,
            identity: write_back.identity,
            data_collector: write_back.data_collector,
        };
        let client = choice
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
