//! The feature store's own tables, spoken of in domain types.

mod entities;
mod queries;

use chrono::{DateTime, Utc};
use foretide_db::Database;
use foretide_domain::{RunId, SeriesId, TimeSpan, UseCaseId};

/// Feature rows that were written for a run and a use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Materialization {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) view: String,
    pub(crate) spec_hash: String,
    pub(crate) known_at: DateTime<Utc>,
    /// Hours of the rows.
    pub(crate) span: TimeSpan,
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) rows: usize,
    pub(crate) features: usize,
    pub(crate) series: usize,
}

/// A training set that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrainingSet {
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) view: String,
    pub(crate) spec_hash: String,
    pub(crate) known_at: DateTime<Utc>,
    pub(crate) span: TimeSpan,
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) rows: usize,
    pub(crate) series: usize,
    /// Names of the regressors, in the order of their columns.
    pub(crate) regressors: Vec<String>,
}

/// The newest value of one feature of one series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OnlineValue {
    pub(crate) series: SeriesId,
    pub(crate) feature: String,
    pub(crate) value: f64,
    pub(crate) event_time: DateTime<Utc>,
    pub(crate) known_at: DateTime<Utc>,
}

/// Access to the tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    database: Database,
}

impl Storage {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}
