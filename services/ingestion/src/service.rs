//! The use cases: ingest, and say what is known and what was refused.

use std::sync::Arc;

use foretide_domain::SentinelTable;
use tokio::sync::Mutex;

use crate::error::IngestionError;
use crate::metrics::Metrics;
use crate::source::{HistorySource, Run, TableReport};
use crate::storage::{Ledger, QuarantinedRow, Watermark};

/// Most refused rows that are listed at once.
pub const MAX_LISTED: u32 = 1000;

/// What became of one table in a run.
#[derive(Debug)]
pub struct TableOutcome {
    /// Which table.
    pub table: SentinelTable,
    /// What was done, as far as it got.
    pub report: TableReport,
    /// What went wrong; empty when nothing did.
    pub error: String,
}

/// Progress of a run: what is being done, units done, units in all (0 while unknown).
pub type Progress<'a> = dyn Fn(String, usize, usize) + Send + Sync + 'a;

/// Step 1 of a run.
#[derive(Clone)]
pub struct Ingestion {
    source: Arc<dyn HistorySource>,
    ledger: Ledger,
    tables: Vec<SentinelTable>,
    metrics: Metrics,
    /// Two runs at once would read the same rows twice.
    running: Arc<Mutex<()>>,
}

impl Ingestion {
    pub(crate) fn new(
        source: Arc<dyn HistorySource>,
        ledger: Ledger,
        tables: Vec<SentinelTable>,
    ) -> Self {
        Self {
            source,
            ledger,
            tables,
            metrics: Metrics::new(),
            running: Arc::default(),
        }
    }

    /// Brings the tables (all configured ones when none are named) up to the run's moment, one after
    /// the other. A table that fails does not stop the others.
    ///
    /// # Errors
    /// When a table is not configured, or the source cannot be reached at all.
    pub async fn ingest(
        &self,
        run: Run,
        tables: &[SentinelTable],
        progress: &Progress<'_>,
    ) -> Result<Vec<TableOutcome>, IngestionError> {
        if let Some(other) = tables.iter().find(|table| !self.tables.contains(table)) {
            return Err(IngestionError::NotConfigured(*other));
        }
        let tables = if tables.is_empty() {
            &self.tables
        } else {
            tables
        };
        let _running = self.running.lock().await;
        progress("looking for what is new".to_owned(), 0, 0);
        self.source
            .begin(run)
            .await
            .map_err(IngestionError::Source)?;
        let mut outcomes = Vec::with_capacity(tables.len());
        for table in tables {
            outcomes.push(self.ingest_table(*table, run, progress).await);
        }
        Ok(outcomes)
    }

    async fn ingest_table(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &Progress<'_>,
    ) -> TableOutcome {
        let tell = |done, total| progress(format!("reading {table}"), done, total);
        tell(0, 0);
        let (report, error) = match self.source.ingest(table, run, &tell).await {
            Ok(report) => {
                let error = trouble(&report);
                (report, error)
            }
            Err(error) => (TableReport::default(), error.chain()),
        };
        if error.is_empty() {
            tracing::info!(%table, run_id = %run.run_id, rows = report.rows_read, buckets = report.buckets_written, quarantined = report.rows_quarantined, "table ingested");
        } else {
            tracing::warn!(%table, run_id = %run.run_id, %error, "table not ingested completely");
        }
        self.metrics.count(table, &report, !error.is_empty());
        TableOutcome {
            table,
            report,
            error,
        }
    }

    /// How much is known of each table that was ever read.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn watermarks(&self) -> Result<Vec<Watermark>, IngestionError> {
        Ok(self.ledger.watermarks().await?)
    }

    /// Refused rows, newest first; of one table or of all. A limit of 0 means 100.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn quarantine(
        &self,
        table: Option<SentinelTable>,
        limit: u32,
    ) -> Result<Vec<QuarantinedRow>, IngestionError> {
        let limit = if limit == 0 {
            100
        } else {
            limit.min(MAX_LISTED)
        };
        Ok(self.ledger.quarantine(table, limit.into()).await?)
    }
}

fn trouble(report: &TableReport) -> String {
    match report.trouble.as_slice() {
        [] => String::new(),
        [one] => format!("an object could not be read: {one}"),
        [first, ..] => format!(
            "{} objects could not be read, the first: {first}",
            report.trouble.len()
        ),
    }
}
