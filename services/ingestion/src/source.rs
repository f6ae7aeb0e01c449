//! Where a workspace's history comes from.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use foretide_domain::{RunId, SentinelTable, TimeSpan};
use foretide_lake::LakeError;
use foretide_log_analytics::QueryError;

use crate::backfill::{Scope, Survey};
use crate::storage::LedgerError;

/// One run: who it is and the moment it counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Goes into every row the run writes.
    pub run_id: RunId,
    /// Becomes `known_at` of every bucket; rows logged later are not read.
    pub as_of: DateTime<Utc>,
}

/// What a run did to one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableReport {
    /// Objects (or queries) of which something was read.
    pub objects_read: u64,
    /// Rows read, refused and repeated ones included.
    pub rows_read: u64,
    /// Rows that said nothing new.
    pub rows_duplicate: u64,
    /// Rows and objects put into quarantine.
    pub rows_quarantined: u64,
    /// Rows that are logged after the run's moment and wait for a later run.
    pub rows_waiting: u64,
    /// Buckets written.
    pub buckets_written: u64,
    /// Newest time up to which the table is known.
    pub watermark: Option<DateTime<Utc>>,
    /// Objects that could not be read now, the first with its reason; everything else went on.
    pub trouble: Vec<String>,
    /// Bytes read, or scanned in the workspace.
    pub bytes_read: u64,
    /// Objects that are damaged, each with what is wrong. Their rows are not there before they are
    /// repaired.
    pub damaged: Vec<String>,
    /// The first row or object that was set aside now: where it is and why.
    pub first_set_aside: Option<String>,
}

/// What a place of the source holds at the beginning of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationFound {
    /// Its address.
    pub location: String,
    /// Objects of Sentinel's tables, and of what the configuration names.
    pub objects: u64,
    /// Other objects. They are left alone.
    pub others: u64,
    /// The first of the others.
    pub first_other: Option<String>,
}

impl LocationFound {
    /// What is wrong with it, in words; nothing when it holds objects of ours.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let Self {
            location,
            objects: 0,
            others,
            first_other,
        } = self
        else {
            return None;
        };
        let stray = match first_other {
            None => String::new(),
            Some(first) => format!(
                " that are named after a table; {others} others are there, the first {first}: name \
                 files and folders after their tables, as SecurityIncident.csv, or say what they hold \
                 in ingestion.files.mappings"
            ),
        };
        Some(format!("0 objects under {location}{stray}"))
    }
}

/// Tells how far a table is: units done, units in all (0 while unknown).
pub type TableProgress<'a> = dyn Fn(usize, usize) + Send + Sync + 'a;

/// A history that can be brought into the lake table by table.
#[async_trait]
pub trait HistorySource: Send + Sync {
    /// Prepares a run: what is true of the source for all its tables. Tells what its places hold, if
    /// it has places.
    ///
    /// # Errors
    /// When the source cannot be reached at all.
    async fn begin(&self, run: Run) -> Result<Vec<LocationFound>, IngestError>;

    /// Brings the buckets of one table up to what the source knows at the run's moment. With nothing
    /// new, nothing is written. Killed at any point and run again, it ends the same. Damaged objects
    /// are named again until they change.
    ///
    /// # Errors
    /// When the table cannot be ingested; other tables are not concerned.
    async fn ingest(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError>;

    /// What there is to read of a table in a span of whole days, and what reading it should take.
    /// [`HistorySource::begin`] was called for the run. Nothing is read into the lake.
    ///
    /// # Errors
    /// When the source does not tell.
    async fn survey(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Survey, IngestError>;

    /// Reads a part that a survey has named, in the same way as [`HistorySource::ingest`] reads a
    /// table.
    ///
    /// # Errors
    /// When the part cannot be read.
    async fn backfill(
        &self,
        scope: &Scope,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError>;
}

/// A table, or a whole source, that could not be ingested.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The source does not answer. Worth another try.
    #[error("the source cannot be read: {problem}")]
    Source {
        /// What was tried and what came back.
        problem: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The workspace refuses or answers with something else than was asked for.
    #[error("the query for {table} failed")]
    Query {
        /// Which table.
        table: SentinelTable,
        /// Why.
        #[source]
        source: QueryError,
    },
    /// No more queries for now.
    #[error(transparent)]
    Budget(#[from] crate::cost::BudgetSpent),
    /// A backfill has scanned what was accepted for it.
    #[error(
        "the {accepted} GB that were accepted are scanned: resume it with a larger --accept-cost"
    )]
    AcceptedSpent {
        /// GB accepted.
        accepted: f64,
    },
    /// The answer is not what the query asks for.
    #[error("the answer for {measure} cannot be used: {problem}")]
    Answer {
        /// Which measure.
        measure: foretide_domain::Measure,
        /// What is wrong.
        problem: String,
    },
    /// The lake.
    #[error("the lake failed")]
    Lake(#[from] LakeError),
    /// The ledger.
    #[error("the ledger of what was read failed")]
    Ledger(#[from] LedgerError),
    /// A table of the lake could not be made or read.
    #[error("a table of the lake cannot be handled: {0}")]
    Frame(#[from] polars::error::PolarsError),
    /// Another run of the same table was faster. Worth another try.
    #[error("another run has changed {0} meanwhile; run again")]
    Overtaken(SentinelTable),
    /// A worker died.
    #[error("a reader ended abnormally")]
    Worker(#[from] tokio::task::JoinError),
}

impl IngestError {
    /// Whether it may well be gone at the next try.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Source { .. }
            | Self::Lake(_)
            | Self::Ledger(_)
            | Self::Overtaken(_)
            | Self::Worker(_) => true,
            Self::Query { source, .. } => matches!(
                source,
                QueryError::Token(_)
                    | QueryError::Throttled { .. }
                    | QueryError::Unavailable { .. }
                    | QueryError::Timeout
                    | QueryError::Unreadable(_)
            ),
            Self::Budget(_) | Self::AcceptedSpent { .. } | Self::Answer { .. } | Self::Frame(_) => {
                false
            }
        }
    }

    /// The whole chain of causes in one line, for the summary of a run.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
