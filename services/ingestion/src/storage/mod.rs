//! The ledger: what has been read, how far, and what was refused.

mod backfill_ledger;
mod backfills;
mod entities;
mod pull_ledger;
mod pulls;
mod queries;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use foretide_db::{Database, DbError};
use foretide_domain::{RunId, SentinelTable};

pub(crate) use self::backfill_ledger::{Next, Refused, Transition};
pub use self::pulls::QueryCost;
use crate::pseudonym::Met;
use crate::source::Run;

/// The ledger's failure.
pub(crate) type LedgerError = DbError;

/// How far an object has been read. Positions are bytes of text, or rows of Parquet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectState {
    /// Path in the source.
    pub(crate) path: String,
    /// Size when it was read last, bytes.
    pub(crate) size: u64,
    /// The store's mark of this content.
    pub(crate) etag: String,
    /// Everything before this position is done.
    pub(crate) consumed: u64,
    /// Everything before this position has been looked at.
    pub(crate) seen: u64,
    /// Lines before `consumed`.
    pub(crate) lines: u64,
    /// Length and hash of the beginning, by which a replaced object is told from a grown one.
    pub(crate) head: String,
    /// Rows between `consumed` and `seen` that were logged by then are done.
    pub(crate) read_as_of: DateTime<Utc>,
}

/// A file of events that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventFile {
    /// Path in the lake.
    pub(crate) path: String,
    /// Name of its stream.
    pub(crate) stream: String,
    /// Day of its events.
    pub(crate) day: NaiveDate,
    /// The moment of the run that wrote it.
    pub(crate) known_at: DateTime<Utc>,
    /// Events in it.
    pub(crate) rows: u64,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

/// A refused row or object (line 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Table it was meant for.
    pub table: String,
    /// Object it stood in.
    pub object: String,
    /// Line or row, from 1; 0 for the whole object.
    pub line: u64,
    /// Word for the reason.
    pub reason: String,
    /// Masked beginning of the row, or the value that was wrong; at most 512 characters.
    pub sample: String,
    /// The moment of the run that refused it.
    pub known_at: DateTime<Utc>,
    /// The run that refused it.
    pub run_id: RunId,
}

/// How much of a table is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Which table.
    pub table: String,
    /// Newest time seen.
    pub event_time: Option<DateTime<Utc>>,
    /// The moment of the last run that read something.
    pub known_at: DateTime<Utc>,
    /// Rows read in all.
    pub rows_total: u64,
    /// Rows that said nothing new.
    pub rows_duplicate: u64,
    /// Rows and objects in quarantine.
    pub rows_quarantined: u64,
}

/// Everything a batch of objects changes in the ledger, in one transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) objects: Vec<ObjectState>,
    pub(crate) event_files: Vec<EventFile>,
    pub(crate) first_seen: Vec<(String, u128, DateTime<Utc>)>,
    pub(crate) quarantined: Vec<QuarantinedRow>,
    /// Whose pseudonyms stand in the events.
    pub(crate) met: Vec<Met>,
    pub(crate) rows: u64,
    pub(crate) duplicates: u64,
    /// Refused rows, of which `quarantined` may hold only the first of each object.
    pub(crate) refused: u64,
    pub(crate) watermark: Option<DateTime<Utc>>,
}

/// The ledger in the service's own database.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    database: Database,
}

impl Ledger {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// What is known of the objects of a table, by path.
    pub(crate) async fn objects(
        &self,
        table: SentinelTable,
    ) -> Result<HashMap<String, ObjectState>, LedgerError> {
        queries::objects(self.database.connection(), table).await
    }

    /// What is known of these objects of a table, by path.
    pub(crate) async fn objects_at(
        &self,
        table: SentinelTable,
        paths: &[&str],
    ) -> Result<HashMap<String, ObjectState>, LedgerError> {
        queries::objects_at(self.database.connection(), table, paths).await
    }

    /// The event files of a stream on these days, in the order in which they became known.
    pub(crate) async fn event_files(
        &self,
        stream: &str,
        days: &[NaiveDate],
        known_at: DateTime<Utc>,
    ) -> Result<Vec<EventFile>, LedgerError> {
        queries::event_files(self.database.connection(), stream, days, known_at).await
    }

    /// When these things were seen first.
    pub(crate) async fn first_seen(
        &self,
        stream: &str,
        keys: &[u128],
    ) -> Result<HashMap<u128, DateTime<Utc>>, LedgerError> {
        queries::first_seen(self.database.connection(), stream, keys).await
    }

    /// The watermark of a table, if it was ever read.
    pub(crate) async fn watermark(
        &self,
        table: SentinelTable,
    ) -> Result<Option<Watermark>, LedgerError> {
        queries::watermark(self.database.connection(), table).await
    }

    /// Watermarks of all tables, by name.
    pub(crate) async fn watermarks(&self) -> Result<Vec<Watermark>, LedgerError> {
        queries::watermarks(self.database.connection()).await
    }

    /// Refused rows, newest first; of one table, or of all when the name is empty.
    pub(crate) async fn quarantine(
        &self,
        table: Option<SentinelTable>,
        limit: u64,
    ) -> Result<Vec<QuarantinedRow>, LedgerError> {
        queries::quarantine(self.database.connection(), table, limit).await
    }

    /// Enters a batch. False when another run has entered something since `before` was read: then
    /// nothing is entered.
    pub(crate) async fn enter(
        &self,
        table: SentinelTable,
        run: Run,
        before: Option<&Watermark>,
        entry: &Entry,
    ) -> Result<bool, LedgerError> {
        let rows_before = before.map(|watermark| watermark.rows_total);
        let entry = std::sync::Arc::new(entry.clone());
        self.database
            .transaction("enter what was read", move |transaction| {
                let entry = std::sync::Arc::clone(&entry);
                Box::pin(async move {
                    queries::enter(transaction, table, run, rows_before, &entry).await
                })
            })
            .await
    }
}
