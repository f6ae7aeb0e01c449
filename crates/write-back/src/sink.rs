//! Which way rows take.

use std::sync::Arc;

use foretide_domain::SharedClock;
use foretide_entra::{Cloud, EntraError, IdentityConfig, IdentityTokens};
use foretide_http::{ClientError, ClientOptions, RetryPolicy};
use foretide_logs_ingestion::{
    ConfigError, DataCollectorClient, DataCollectorConfig, LogsIngestionClient, RowSink,
    RuleConfig, TimelyRows,
};
use serde::Deserialize;

/// The way rows take into the workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkKind {
    /// Through a data collection rule, with an identity.
    #[default]
    LogsIngestion,
    /// With the workspace's shared key. Past its end of support since 2026-09-14; columns get suffixes.
    DataCollector,
}

/// A way in with everything it needs, as configured.
#[derive(Debug, Clone)]
pub struct SinkChoice {
    /// Which way.
    pub kind: SinkKind,
    /// The data collection rule; of `logs_ingestion` only.
    pub rule: Option<RuleConfig>,
    /// Who writes through the rule.
    pub identity: Option<IdentityConfig>,
    /// The workspace and its key; of `data_collector` only.
    pub data_collector: Option<DataCollectorConfig>,
}

/// A way in that cannot be opened as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A key is missing.
    #[error("write_back.{key} must be set when sink is {sink}")]
    Missing {
        /// Which key.
        key: &'static str,
        /// Which sink needs it.
        sink: &'static str,
    },
    /// A key of the other way is set.
    #[error(
        "write_back.{key} is set, but sink is {sink}, which does not use it: remove it or change sink"
    )]
    Unused {
        /// Which key.
        key: &'static str,
        /// The configured sink.
        sink: &'static str,
    },
    /// The rule, or the workspace and its key.
    #[error("write_back.{key}.{source}")]
    Config {
        /// Below which key.
        key: &'static str,
        /// What is wrong.
        source: ConfigError,
    },
    /// The identity.
    #[error("write_back.identity: {0}")]
    Identity(EntraError),
    /// No HTTP client.
    #[error("no HTTP client can be made")]
    Http(#[from] ClientError),
}

impl SinkKind {
    /// The word in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogsIngestion => "logs_ingestion",
            Self::DataCollector => "data_collector",
        }
    }
}

impl SinkChoice {
    /// Checks what types alone cannot, as far as it needs nothing but the configuration.
    ///
    /// # Errors
    /// As [`SinkChoice::open`].
    pub fn validate(&self) -> Result<(), SinkError> {
        let sink = self.kind.name();
        let keys = [
            ("rule", self.rule.is_some(), SinkKind::LogsIngestion),
            ("identity", self.identity.is_some(), SinkKind::LogsIngestion),
            (
                "data_collector",
                self.data_collector.is_some(),
                SinkKind::DataCollector,
            ),
        ];
        for (key, is_set, of) in keys {
            if is_set && of != self.kind {
                return Err(SinkError::Unused { key, sink });
            }
            if !is_set && of == self.kind {
                return Err(SinkError::Missing { key, sink });
            }
        }
        let below = |key| move |source| SinkError::Config { key, source };
        if let Some(rule) = &self.rule {
            rule.validate().map_err(below("rule"))?;
        }
        if let Some(collector) = &self.data_collector {
            collector.validate().map_err(below("data_collector"))?;
        }
        Ok(())
    }

    /// Opens the way. Nothing is sent yet.
    ///
    /// # Errors
    /// Names the key that is missing, not used, or cannot be.
    pub fn open(
        self,
        retry: RetryPolicy,
        clock: &SharedClock,
    ) -> Result<Arc<dyn RowSink>, SinkError> {
        self.validate()?;
        let http = foretide_http::client(&ClientOptions::default())?;
        let sink = match self.kind {
            SinkKind::LogsIngestion => self.logs_ingestion(http, retry, clock),
            SinkKind::DataCollector => self.data_collector(http, retry, clock),
        }?;
        Ok(Arc::new(TimelyRows::new(sink, SharedClock::clone(clock))))
    }

    fn logs_ingestion(
        self,
        http: reqwest::Client,
        retry: RetryPolicy,
        clock: &SharedClock,
    ) -> Result<Arc<dyn RowSink>, SinkError> {
        let sink = self.kind.name();
        let missing = |key| SinkError::Missing { key, sink };
        let mut rule = self.rule.ok_or_else(|| missing("rule"))?;
        let identity = self.identity.ok_or_else(|| missing("identity"))?;
        rule.audience = identity.audience(&rule.audience, Cloud::monitor_audience);
        let tokens = IdentityTokens::new(identity, http.clone(), SharedClock::clone(clock))
            .map_err(SinkError::Identity)?;
        let key = "rule";
        let client = LogsIngestionClient::new(rule, http, Arc::new(tokens))
            .map_err(|source| SinkError::Config { key, source })?;
        Ok(Arc::new(client.with_retry(retry)))
    }

    fn data_collector(
        self,
        http: reqwest::Client,
        retry: RetryPolicy,
        clock: &SharedClock,
    ) -> Result<Arc<dyn RowSink>, SinkError> {
        let sink = self.kind.name();
        let key = "data_collector";
        let config = self
            .data_collector
            .ok_or(SinkError::Missing { key, sink })?;
        let client = DataCollectorClient::new(config, http, SharedClock::clone(clock))
            .map_err(|source| SinkError::Config { key, source })?;
        Ok(Arc::new(client.with_retry(retry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use foretide_domain::FixedClock;

    fn rule() -> RuleConfig {
        RuleConfig {
            endpoint: "https://x.example".parse().unwrap(),
            dcr_immutable_id: "dcr-00000000000000000000000000000001".to_owned(),
            audience: foretide_logs_ingestion::PUBLIC_CLOUD_AUDIENCE.to_owned(),
        }
    }

    fn collector(key: &str) -> DataCollectorConfig {
        DataCollectorConfig {
            workspace_id: "00000000-0000-4000-8000-00000000aaaa".to_owned(),
            shared_key: key.to_owned().into(),
            endpoint: None,
        }
    }

    fn identity() -> IdentityConfig {
        IdentityConfig::client_secret("t", "c", "s".to_owned().into())
    }

    fn choice(kind: SinkKind) -> SinkChoice {
        SinkChoice {
            kind,
            rule: None,
            identity: None,
            data_collector: None,
        }
    }

    fn problem(choice: SinkChoice) -> String {
        let clock: SharedClock = Arc::new(FixedClock(DateTime::UNIX_EPOCH));
        match choice.open(RetryPolicy::default(), &clock) {
            Ok(_) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_way_says_what_it_needs_and_what_it_does_not_use() {
        let ingestion = SinkChoice {
            rule: Some(rule()),
            identity: Some(identity()),
            ..choice(SinkKind::LogsIngestion)
        };
        let legacy = SinkChoice {
            data_collector: Some(collector("a2V5")),
            ..choice(SinkKind::DataCollector)
        };
        assert_eq!(problem(ingestion.clone()), "none");
        assert_eq!(problem(legacy.clone()), "none");
        let cases = [
            (choice(SinkKind::LogsIngestion), "write_back.rule must"),
            (
                SinkChoice {
                    identity: None,
                    ..ingestion.clone()
                },
                "write_back.identity must",
            ),
            (
                choice(SinkKind::DataCollector),
                "write_back.data_collector must",
            ),
            (
                SinkChoice {
                    data_collector: legacy.data_collector.clone(),
                    ..ingestion.clone()
                },
                "write_back.data_collector is set",
            ),
            (
                SinkChoice {
                    rule: ingestion.rule,
                    ..legacy.clone()
                },
                "write_back.rule is set",
            ),
            (
                SinkChoice {
                    data_collector: Some(collector("no base64!")),
                    ..legacy
                },
                "write_back.data_collector",
            ),
        ];
        for (choice, expected) in cases {
            let problem = problem(choice);
            assert!(problem.starts_with(expected), "{problem}");
            assert!(!problem.contains("base64!"), "{problem}");
        }
    }
}
