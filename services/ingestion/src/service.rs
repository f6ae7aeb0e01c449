//! The use cases: ingest, and say what is known and what was refused.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{ArrivalLag, HOUR, SentinelTable, SharedClock, floor_day, floor_hour};
use tokio::sync::Mutex;

use crate::cost::{CostConfig, Spent, month_start};
use crate::error::IngestionError;
use crate::metrics::Metrics;
use crate::source::{HistorySource, LocationFound, Run, TableReport};
use crate::storage::{Ledger, QuarantinedRow, QueryCost, Watermark};
use crate::vault::Vault;

/// Most refused rows, or queries, that are listed at once.
pub const MAX_LISTED: u32 = 1000;
/// Most hours of which completeness is told at once.
pub const MAX_HOURS: u32 = 168;

/// What queries have cost, against the budget.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryCosts {
    /// Since midnight UTC.
    pub day: Spent,
    /// Since the first of the month.
    pub month: Spent,
    /// Prices and limits.
    pub config: CostConfig,
    /// Which limit is reached; empty when none is.
    pub budget_spent: String,
    /// The latest queries, newest first.
    pub queries: Vec<QueryCost>,
}

/// How complete the last hours of a table are.
#[derive(Debug, Clone, PartialEq)]
pub struct TableCompleteness {
    /// Which table.
    pub table: SentinelTable,
    /// How late its rows come in.
    pub lag: ArrivalLag,
    /// Start of an hour, and the probability that a row of it is there. Oldest first.
    pub hours: Vec<(DateTime<Utc>, f64)>,
}

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

/// What became of a run's step.
#[derive(Debug)]
pub struct IngestOutcome {
    /// What the places of the source hold; none where it has no places.
    pub locations: Vec<LocationFound>,
    /// Each table.
    pub tables: Vec<TableOutcome>,
}

/// Progress of a run: what is being done, units done, units in all (0 while unknown).
pub type Progress<'a> = dyn Fn(String, usize, usize) + Send + Sync + 'a;

/// Step 1 of a run.
#[derive(Clone)]
pub struct Ingestion {
    pub(crate) source: Arc<dyn HistorySource>,
    pub(crate) ledger: Ledger,
    tables: Vec<SentinelTable>,
    pub(crate) metrics: Metrics,
    pub(crate) cost: CostConfig,
    pub(crate) clock: SharedClock,
    vault: Vault,
    /// Two runs at once would read the same rows twice.
    pub(crate) running: Arc<Mutex<()>>,
}

impl Ingestion {
    pub(crate) fn new(
        source: Arc<dyn HistorySource>,
        ledger: Ledger,
        tables: Vec<SentinelTable>,
        cost: CostConfig,
        clock: SharedClock,
        vault: Vault,
    ) -> Self {
        Self {
            running: vault.running(),
            vault,
            source,
            ledger,
            tables,
            cost,
            clock,
            metrics: Metrics::new(),
        }
    }

    /// Brings the tables (all configured ones when none are named) up to the run's moment, one after
    /// the other. A table that fails does not stop the others.
    ///
    /// # Errors
    /// When a table is not configured, the source cannot be reached at all, or no row could be read of
    /// it, now or ever.
    pub async fn ingest(
        &self,
        run: Run,
        tables: &[SentinelTable],
        progress: &Progress<'_>,
    ) -> Result<IngestOutcome, IngestionError> {
        let tables = self.chosen(tables)?;
        let _running = self.running.lock().await;
        self.vault.refresh().await?;
        progress("looking for what is new".to_owned(), 0, 0);
        let locations = self
            .source
            .begin(run)
            .await
            .map_err(IngestionError::Source)?;
        let mut outcomes = Vec::with_capacity(tables.len());
        for table in tables {
            outcomes.push(self.ingest_table(*table, run, progress).await);
        }
        let outcome = IngestOutcome {
            locations,
            tables: outcomes,
        };
        match outcome.nothing_read() {
            Some(why) if self.knows_nothing().await? => Err(IngestionError::NothingRead(why)),
            _ => Ok(outcome),
        }
    }

    /// Whether no row was ever taken in.
    async fn knows_nothing(&self) -> Result<bool, IngestionError> {
        let watermarks = self.ledger.watermarks().await?;
        Ok(watermarks
            .iter()
            .all(|table| table.rows_total <= table.rows_quarantined))
    }

    /// The named tables, which must be configured; all configured ones when none are named.
    pub(crate) fn chosen<'a>(
        &'a self,
        tables: &'a [SentinelTable],
    ) -> Result<&'a [SentinelTable], IngestionError> {
        match tables.iter().find(|table| !self.tables.contains(table)) {
            Some(other) => Err(IngestionError::NotConfigured(*other)),
            None if tables.is_empty() => Ok(&self.tables),
            None => Ok(tables),
        }
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
                let error = trouble(&report).or_else(|| unread(&report));
                (report, error.unwrap_or_default())
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
        Ok(self.ledger.quarantine(table, listed(limit)).await?)
    }

    /// What queries have cost today and this month, and the latest of them since a moment (24 hours
    /// ago when none is given). A limit of 0 means 100.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn query_costs(
        &self,
        since: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<QueryCosts, IngestionError> {
        let now = self.clock.now();
        let since = since.unwrap_or(now - TimeDelta::days(1));
        let day = self.ledger.spent_since(floor_day(now)).await?;
        let month = self.ledger.spent_since(month_start(now)).await?;
        let allowed = self.cost.allow(now, &day, &month);
        Ok(QueryCosts {
            day,
            month,
            budget_spent: allowed.map_or_else(|spent| spent.to_string(), |()| String::new()),
            config: self.cost.clone(),
            queries: self.ledger.costs(since, listed(limit)).await?,
        })
    }

    /// How complete the last full hours before a moment are, for each table of which enough rows
    /// have come in to say. 0 hours mean 24.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn completeness(
        &self,
        as_of: DateTime<Utc>,
        hours: u32,
    ) -> Result<Vec<TableCompleteness>, IngestionError> {
        let hours = match hours {
            0 => 24,
            hours => hours.min(MAX_HOURS),
        };
        let end = floor_hour(as_of);
        let mut tables = Vec::new();
        for table in &self.tables {
            let lag = self.ledger.arrival_lag(*table).await?;
            if !lag.is_known() {
                continue;
            }
            let starts = (1..=hours).rev().filter_map(|before| {
                let before = i32::try_from(before).ok()?;
                end.checked_sub_signed(HOUR * before)
            });
            tables.push(TableCompleteness {
                table: *table,
                hours: starts
                    .map(|hour| (hour, lag.completeness(hour, as_of)))
                    .collect(),
                lag,
            });
        }
        Ok(tables)
    }
}

pub(crate) fn listed(limit: u32) -> u64 {
    u64::from(if limit == 0 {
        100
    } else {
        limit.min(MAX_LISTED)
    })
}

impl IngestOutcome {
    /// Why the source held nothing that can be read, in words; nothing when it did, and when it could
    /// not be told: a source that fails may answer the next time.
    fn nothing_read(&self) -> Option<String> {
        let empty = self.locations.iter().filter_map(LocationFound::problem);
        let unread = self.tables.iter().filter_map(|table| {
            let why = unread(&table.report)?;
            Some(format!("{}: {why}", table.table))
        });
        let problems: Vec<String> = empty.chain(unread).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }
}

fn trouble(report: &TableReport) -> Option<String> {
    match report.trouble.as_slice() {
        [] => None,
        [one] => Some(format!("an object could not be read: {one}")),
        [first, ..] => Some(format!(
            "{} objects could not be read, the first: {first}",
            report.trouble.len()
        )),
    }
}

/// Why nothing is known of a table although it has objects.
fn unread(report: &TableReport) -> Option<String> {
    let first = report.damaged.first()?;
    report
        .watermark
        .is_none()
        .then(|| format!("nothing of it could be read: {first}"))
}
