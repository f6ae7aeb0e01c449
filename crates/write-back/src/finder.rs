//! Rows of the workspace, counted through its query API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foretide_domain::SharedClock;
use foretide_entra::{Cloud, EntraError, IdentityConfig, IdentityTokens};
use foretide_http::{ClientError, ClientOptions};
use foretide_log_analytics::{Cell, Patience, QueryClient, QueryError, WorkspaceConfig};
use foretide_logs_ingestion::{ProbePace, RowFinder};
use serde::Deserialize;
use url::Url;

/// Whether and how accepted rows are looked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBackConfig {
    /// The workspace's GUID.
    pub workspace_id: String,
    /// Address of the query API; of another cloud, another one.
    #[serde(default = "public_endpoint")]
    pub endpoint: Url,
    /// Audience of its token.
    #[serde(default = "public_audience")]
    pub audience: String,
    /// Who reads (Log Analytics Reader); whoever writes when left out.
    #[serde(default)]
    pub identity: Option<IdentityConfig>,
    /// Seconds until rows are looked for a second time; doubles from there.
    #[serde(default = "first_wait_seconds")]
    pub first_wait_seconds: u32,
    /// Longest wait between two looks, seconds.
    #[serde(default = "longest_wait_seconds")]
    pub longest_wait_seconds: u32,
    /// Seconds after which rows that cannot be seen are flagged. A new table takes 5 to 15 minutes.
    #[serde(default = "patience_seconds")]
    pub patience_seconds: u32,
}

fn public_endpoint() -> Url {
    Cloud::Public.log_analytics_endpoint()
}

fn public_audience() -> String {
    Cloud::Public.log_analytics_audience().to_owned()
}

fn first_wait_seconds() -> u32 {
    5
}

fn longest_wait_seconds() -> u32 {
    60
}

fn patience_seconds() -> u32 {
    20 * 60
}

/// A read-back that cannot be set up as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// A value is out of bounds.
    #[error("write_back.read_back.{key} must be {allowed}, got {got}")]
    OutOfBounds {
        /// Which key.
        key: &'static str,
        /// What is allowed.
        allowed: &'static str,
        /// What was given.
        got: String,
    },
    /// Nobody to read as: the sink has no identity that could be taken.
    #[error("write_back.read_back.identity must be set when sink is data_collector")]
    NoIdentity,
    /// The identity.
    #[error("write_back.read_back.identity: {0}")]
    Identity(EntraError),
    /// The workspace.
    #[error("write_back.read_back: {0}")]
    Workspace(QueryError),
    /// No HTTP client.
    #[error("no HTTP client can be made")]
    Http(#[from] ClientError),
}

impl ReadBackConfig {
    /// Checks what types alone cannot, for somebody who writes as `writer`.
    ///
    /// # Errors
    /// Names the key that cannot be.
    pub fn validate(&self, writer: Option<&IdentityConfig>) -> Result<(), ReadBackError> {
        if self.identity.as_ref().or(writer).is_none() {
            return Err(ReadBackError::NoIdentity);
        }
        let refuse =
            |key, allowed, got: String| Err(ReadBackError::OutOfBounds { key, allowed, got });
        if uuid::Uuid::parse_str(&self.workspace_id).is_err() {
            let got = self.workspace_id.chars().take(100).collect();
            return refuse("workspace_id", "the workspace's GUID", got);
        }
        let day = 24 * 3_600;
        let waits = [
            ("first_wait_seconds", self.first_wait_seconds),
            ("longest_wait_seconds", self.longest_wait_seconds),
            ("patience_seconds", self.patience_seconds),
        ];
        for (key, seconds) in waits {
            if !(1..=day).contains(&seconds) {
                return refuse(key, "from 1 to 86400", seconds.to_string());
            }
        }
        Ok(())
    }

    /// How patiently is looked.
    #[must_use]
    pub fn pace(&self) -> ProbePace {
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        ProbePace {
            first_wait: seconds(self.first_wait_seconds),
            longest_wait: seconds(self.longest_wait_seconds.max(self.first_wait_seconds)),
            patience: seconds(self.patience_seconds),
        }
    }

    /// Opens the query API. Nothing is asked yet.
    ///
    /// # Errors
    /// Names the key that cannot be.
    pub fn open(
        &self,
        writer: Option<&IdentityConfig>,
        clock: &SharedClock,
    ) -> Result<WorkspaceRows, ReadBackError> {
        self.validate(writer)?;
        let identity = self.identity.as_ref().or(writer);
        let identity = identity.ok_or(ReadBackError::NoIdentity)?.clone();
        let workspace = WorkspaceConfig {
            endpoint: identity.endpoint(&self.endpoint, Cloud::log_analytics_endpoint),
            workspace_id: self.workspace_id.clone(),
            audience: identity.audience(&self.audience, Cloud::log_analytics_audience),
        };
        let http = foretide_http::client(&ClientOptions::default())?;
        let tokens = IdentityTokens::new(identity, http.clone(), SharedClock::clone(clock))
            .map_err(ReadBackError::Identity)?;
        // whoever looks again later need not insist now
        let patience = Patience {
            work: Duration::from_secs(60),
            attempts: 2,
            longest: Duration::from_secs(10),
            ..Patience::default()
        };
        let client = QueryClient::new(workspace, http, Arc::new(tokens))
            .map_err(ReadBackError::Workspace)?
            .with_patience(patience);
        Ok(WorkspaceRows { client })
    }
}

/// Counts rows by the query API.
#[derive(Debug, Clone)]
pub struct WorkspaceRows {
    client: QueryClient,
}

#[async_trait]
impl RowFinder for WorkspaceRows {
    async fn count(&self, kql: &str) -> Result<u64, String> {
        let answer = self
            .client
            .query(kql)
            .await
            .map_err(|error| in_words(&error))?;
        let first = answer.table.rows.first().and_then(|row| row.first());
        match first {
            Some(Cell::Integer(count)) => {
                u64::try_from(*count).map_err(|_| "the count is below 0".to_owned())
            }
            // a workspace that has never had any data answers nothing
            None => Ok(0),
            Some(_) => Err("the answer is no number".to_owned()),
        }
    }
}

/// The error and its cause.
fn in_words(error: &QueryError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
