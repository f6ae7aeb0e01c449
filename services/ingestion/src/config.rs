//! Configuration of the service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use foretide_domain::{Measure, SentinelTable};
use foretide_entra::IdentityConfig;
use foretide_lake::LakeConfig;
use foretide_pseudonyms::MasterKey;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::cost::CostConfig;
pub use crate::rows::DateOrder;

/// Configuration of the service. Exactly one of `files` and `log_analytics` is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Tables that are read; all known ones when empty.
    pub tables: Vec<SentinelTable>,
    /// Exported tables on disk or in an object store.
    pub files: Option<FilesConfig>,
    /// The Log Analytics query API.
    pub log_analytics: Option<LogAnalyticsConfig>,
    /// Master key of pseudonyms, 64 hexadecimal digits. It wraps the secrets of all epochs: without
    /// it nothing can be resolved any more, and old and new rows cannot be told apart.
    pub pseudonym_key: Option<SecretString>,
    /// The master key before a change, until the service has started once with both.
    pub previous_pseudonym_key: Option<SecretString>,
    /// How often a person may try to look behind pseudonyms or to change their keys within an hour;
    /// 20 when left out.
    pub pseudonym_resolves_an_hour: Option<u32>,
    /// Where a key is made and kept when none is given.
    pub state_folder: Option<PathBuf>,
}

/// Exported tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// Folders or containers. One that is called `am-<table>` holds that table's export.
    pub locations: Vec<LakeConfig>,
    /// Files of ready-made counts.
    pub counts: Vec<CountsConfig>,
    /// Files whose names or columns are not those of a Sentinel table, by path.
    pub mappings: BTreeMap<String, MappingConfig>,
    /// Export jobs by their id (`jobId/<id>` in the path), and the table whose rows each has written.
    pub export_jobs: BTreeMap<String, SentinelTable>,
    /// Which number is the day in a CSV file none of whose dates tells: `3/11/2026` may be in March or
    /// in November. Such a file is refused when this is left out.
    pub date_order: Option<DateOrder>,
    /// A last line without an end that is older than this, in hours, counts as cut off.
    pub settle_hours: u32,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            locations: Vec::new(),
            counts: Vec::new(),
            mappings: BTreeMap::new(),
            export_jobs: BTreeMap::new(),
            date_order: None,
            settle_hours: 2,
        }
    }
}

impl FilesConfig {
    /// The files of one local folder.
    #[must_use]
    pub fn folder(path: &std::path::Path) -> Self {
        Self {
            locations: vec![LakeConfig::folder(path)],
            ..Self::default()
        }
    }
}

/// A file of hourly counts, one row a series and hour (CSV or Parquet).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsConfig {
    /// Path in its location.
    pub path: String,
    /// What is counted.
    pub measure: Measure,
    /// Names of the columns.
    #[serde(default)]
    pub columns: CountsColumns,
    /// Series that are taken, and what they stand for. When empty all are, each as a product.
    #[serde(default)]
    pub series: BTreeMap<String, CountsLabels>,
}

/// Columns of a file of counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CountsColumns {
    /// Name of the series; empty when the file holds a single one.
    pub series: String,
    /// Start of the hour.
    pub time: String,
    /// How many.
    pub value: String,
}

impl Default for CountsColumns {
    fn default() -> Self {
        Self {
            series: "unique_id".to_owned(),
            time: "ds".to_owned(),
            value: "y".to_owned(),
        }
    }
}

/// What a series of counts stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CountsLabels {
    /// Severity, or empty.
    pub severity: String,
    /// Product, or empty.
    pub product: String,
    /// Tactic, or empty.
    pub tactic: String,
}

/// How a file is read as a Sentinel table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingConfig {
    /// The table it stands for.
    pub table: SentinelTable,
    /// The table's column and the file's column that holds it.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// The table's column, and values of the file with what they mean in the table.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
}

/// The Log Analytics query API of a workspace.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAnalyticsConfig {
    /// The workspace's GUID (its customer id).
    pub workspace_id: String,
    /// Address of the API; of another cloud, another one.
    #[serde(default = "public_endpoint")]
    pub endpoint: Url,
    /// Audience of the token.
    #[serde(default = "public_audience")]
    pub audience: String,
    /// The application that reads. It needs the role Log Analytics Reader.
    pub identity: IdentityConfig,
    /// Days of history that the first run reads.
    #[serde(default = "ninety")]
    pub history_days: u32,
    /// Minutes before the last run's moment from which every run looks again for rows that have come
    /// in: rows can be asked for only a while after they are ingested, and clocks differ.
    #[serde(default = "two_hours")]
    pub overlap_minutes: u32,
    /// Seconds that the service may work on a query.
    #[serde(default = "three_minutes")]
    pub wait_seconds: u32,
    /// Queries that may run at the same time.
    #[serde(default = "two")]
    pub concurrent_queries: u8,
    /// Prices and limits of queries.
    #[serde(default)]
    pub cost: CostConfig,
}

fn public_endpoint() -> Url {
    Url::parse("https://api.loganalytics.azure.com").expect("a constant address")
}

fn public_audience() -> String {
    "https://api.loganalytics.io".to_owned()
}

fn ninety() -> u32 {
    90
}

fn two_hours() -> u32 {
    120
}

fn three_minutes() -> u32 {
    180
}

fn two() -> u8 {
    2
}

/// A configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {allowed}, got {got}")]
pub struct ConfigProblem {
    /// Dotted path of the key.
    pub key: String,
    /// What is allowed, in words.
    pub allowed: &'static str,
    /// What was given.
    pub got: String,
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first key that is out of bounds.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let refuse = |key: &str, allowed, got: &str| {
            Err(ConfigProblem {
                key: key.to_owned(),
                allowed,
                got: got.to_owned(),
            })
        };
        match (&self.files, &self.log_analytics) {
            (Some(files), None) => files.validate()?,
            (None, Some(workspace)) => workspace.validate()?,
            (Some(_), Some(_)) => {
                return refuse("files", "set alone, without log_analytics", "both");
            }
            (None, None) => return refuse("files", "set, or else log_analytics", "neither"),
        }
        if self.pseudonym_key.is_none() && self.state_folder.is_none() {
            return refuse("pseudonym_key", "set, or else state_folder", "neither");
        }
        let keys = [
            ("pseudonym_key", &self.pseudonym_key),
            ("previous_pseudonym_key", &self.previous_pseudonym_key),
        ];
        for (name, key) in keys {
            let is_key = |key: &SecretString| MasterKey::from_hex(key.expose_secret()).is_ok();
            if key.as_ref().is_some_and(|key| !is_key(key)) {
                return refuse(name, "64 hexadecimal digits", "something else");
            }
        }
        Ok(())
    }

    /// How often a person may try to look behind pseudonyms within an hour.
    pub(crate) fn tries_an_hour(&self) -> u32 {
        self.pseudonym_resolves_an_hour.unwrap_or(20)
    }

    /// The tables that are read.
    #[must_use]
    pub fn tables(&self) -> Vec<SentinelTable> {
        if self.tables.is_empty() {
            SentinelTable::ALL.to_vec()
        } else {
            self.tables.clone()
        }
    }
}

impl FilesConfig {
    fn validate(&self) -> Result<(), ConfigProblem> {
        let refuse = |key: String, allowed, got: &str| {
            Err(ConfigProblem {
                key,
                allowed,
                got: got.to_owned(),
            })
        };
        if self.locations.is_empty() {
            return refuse(
                "files.locations".to_owned(),
                "at least one folder or container",
                "none",
            );
        }
        for (at, location) in self.locations.iter().enumerate() {
            if let Err(error) = location.validate() {
                let key = format!("files.locations[{at}].url");
                return refuse(
                    key,
                    "a folder or a container with its account",
                    &error.to_string(),
                );
            }
        }
        for (path, mapping) in &self.mappings {
            let known = crate::tables::columns(mapping.table);
            for column in mapping.columns.keys().chain(mapping.values.keys()) {
                if !known.contains(&column.as_str()) {
                    let key = format!("files.mappings.{path}");
                    return refuse(key, "columns that are read of that table", column);
                }
            }
        }
        for (at, counts) in self.counts.iter().enumerate() {
            for labels in counts.series.values() {
                let known = foretide_sentinel_tables::known_severity(&labels.severity);
                if !labels.severity.is_empty() && known != Some(labels.severity.as_str()) {
                    let key = format!("files.counts[{at}].series.severity");
                    return refuse(key, "High, Medium, Low or Informational", &labels.severity);
                }
            }
        }
        Ok(())
    }
}

impl LogAnalyticsConfig {
    fn validate(&self) -> Result<(), ConfigProblem> {
        let refuse = |key: &str, allowed, got: String| {
            let key = format!("log_analytics.{key}");
            Err(ConfigProblem { key, allowed, got })
        };
        if uuid::Uuid::parse_str(&self.workspace_id).is_err() {
            return refuse(
                "workspace_id",
                "the workspace's GUID",
                self.workspace_id.clone(),
            );
        }
        if !(1..=730).contains(&self.history_days) {
            return refuse(
                "history_days",
                "from 1 to 730",
                self.history_days.to_string(),
            );
        }
        let bounds = [
            (
                "overlap_minutes",
                self.overlap_minutes,
                5..=10_080,
                "from 5 to 10080",
            ),
            (
                "wait_seconds",
                self.wait_seconds,
                10..=600,
                "from 10 to 600",
            ),
            (
                "concurrent_queries",
                self.concurrent_queries.into(),
                1..=5,
                "from 1 to 5",
            ),
        ];
        for (key, value, allowed, words) in bounds {
            if !allowed.contains(&value) {
                return refuse(key, words, value.to_string());
            }
        }
        if let Some((key, value)) = self.cost.problem() {
            return refuse(key, "a number that is not negative", value.to_string());
        }
        Ok(())
    }
}
