//! The Log Analytics query API: the workspace counts, and only the counts travel.
//!
//! What has to be asked is found by *ingestion* time, so that no row is missed however late it
//! comes: every run asks which days the rows ingested since the last run belong to, notes those days
//! together with the new watermark in one transaction, and then asks for each noted day as a whole.
//! A day is crossed off when its buckets are in the lake. Killed anywhere and run again, the days
//! that are still noted are asked for again; a day that was asked for twice has the same buckets and
//! is written once. A window whose answer is too large, incomplete or too slow is halved.

mod answer;
mod asking;
mod backfill;
mod volumes;
mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use foretide_domain::{
    ArrivalLag, Measure, RunId, SentinelTable, SharedClock, TimeSpan, floor_day,
};
use foretide_lake::Lake;
use foretide_lake::arrivals::ArrivalStore;
use foretide_lake::buckets::BucketRow;

use self::answer::{bucket_rows, days_of, lag_of};
use self::asking::{Asked, Asker, Question};
use self::volumes::Volumes;
use self::windows::{Window, windows_of};
use crate::backfill::{Scope, Survey};
use crate::config::LogAnalyticsConfig;
use crate::recorder::Recorder;
use crate::source::{HistorySource, IngestError, LocationFound, Run, TableProgress, TableReport};
use crate::storage::Entry;

const DAY: TimeDelta = TimeDelta::days(1);

/// The `log_analytics` source.
pub(crate) struct LogAnalyticsSource {
    asker: Asker,
    arrivals: ArrivalStore,
    history: TimeDelta,
    overlap: TimeDelta,
    recorder: Recorder,
    /// What the tables took in, as asked for by the run that surveys.
    volumes: Mutex<Option<(RunId, Arc<Volumes>)>>,
}

impl LogAnalyticsSource {
    /// Sets the source up. Nothing is asked yet.
    ///
    /// # Errors
    /// When the identity or the addresses cannot be used.
    pub(crate) fn open(
        config: LogAnalyticsConfig,
        lake: Lake,
        recorder: Recorder,
        clock: &SharedClock,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            history: TimeDelta::days(config.history_days.into()),
            overlap: TimeDelta::minutes(config.overlap_minutes.into()),
            asker: Asker::open(config, &recorder, clock)?,
            arrivals: ArrivalStore::new(lake),
            recorder,
            volumes: Mutex::default(),
        })
    }

    fn earliest(&self, run: Run) -> DateTime<Utc> {
        floor_day(run.as_of - self.history)
    }

    /// Notes the days of a measure that have to be asked for: at first the whole history, later the
    /// days that rows ingested since then belong to. A run of an earlier moment than the last one
    /// notes nothing.
    async fn plan(
        &self,
        measure: Measure,
        run: Run,
        report: &mut TableReport,
    ) -> Result<(), IngestError> {
        let ledger = self.recorder.ledger();
        let before = ledger.counted_until(measure).await?;
        let earliest = self.earliest(run);
        let days = match before {
            Some(before) if run.as_of <= before => return Ok(()),
            None => all_days(earliest, run.as_of),
            Some(before) => {
                let question = Question::Arrivals {
                    measure,
                    ingested_after: before - self.overlap,
                    earliest,
                };
                let answer = self.asker.ask(question, run, report).await?;
                days_of(measure, earliest, run.as_of, &answer)?
            }
        };
        if !ledger.plan_days(measure, run, before, days).await? {
            return Err(IngestError::Overtaken(measure.table()));
        }
        Ok(())
    }

    /// Asks for the noted days, window by window.
    async fn count(
        &self,
        measure: Measure,
        run: Run,
        report: &mut TableReport,
    ) -> Result<(), IngestError> {
        let ledger = self.recorder.ledger();
        for window in windows_of(&ledger.pending_days(measure, run.as_of).await?) {
            let days = self.ask_for(measure, window.span(), run, report).await?;
            report.buckets_written += self.write(measure, window.span(), days, run).await?;
            ledger
                .settle_days(measure, run.as_of, &window.days())
                .await?;
        }
        Ok(())
    }

    /// The buckets of a window, halved as long as the answer is too much.
    async fn ask_for(
        &self,
        measure: Measure,
        span: TimeSpan,
        run: Run,
        report: &mut TableReport,
    ) -> Result<BTreeMap<NaiveDate, Vec<BucketRow>>, IngestError> {
        let mut days = BTreeMap::new();
        let mut parts = vec![Window::new(measure, span)];
        while let Some(part) = parts.pop() {
            let question = Question::Count {
                measure,
                span: part.span(),
            };
            match self.asker.try_asking(question, run, report).await? {
                Asked::Answer(table) => {
                    for row in bucket_rows(measure, part.span(), &table)? {
                        let day = row.event_time.date_naive();
                        days.entry(day).or_insert_with(Vec::new).push(row);
                    }
                }
                Asked::TooMuch(error) => match part.halves() {
                    Some(halves) => parts.extend(halves),
                    None => return Err(error),
                },
            }
        }
        Ok(days)
    }

    /// Writes the days whose buckets are others than before.
    async fn write(
        &self,
        measure: Measure,
        span: TimeSpan,
        mut days: BTreeMap<NaiveDate, Vec<BucketRow>>,
        run: Run,
    ) -> Result<u64, IngestError> {
        let buckets = self.recorder.buckets();
        let mut known: BTreeMap<NaiveDate, Vec<BucketRow>> = BTreeMap::new();
        for row in buckets.rows(measure, span, run.as_of).await? {
            known
                .entry(row.event_time.date_naive())
                .or_default()
                .push(row);
        }
        let mut written = 0;
        let mut start = span.start;
        while start < span.end {
            let day = start.date_naive();
            let mut rows = days.remove(&day).unwrap_or_default();
            // the halves of a day come in any order
            rows.sort_by(|a, b| place(a).cmp(&place(b)));
            if rows != known.remove(&day).unwrap_or_default() {
                written += u64::try_from(rows.len()).unwrap_or(u64::MAX);
                buckets
                    .write_day(measure, day, run.as_of, run.run_id, rows)
                    .await?;
            }
            start += DAY;
        }
        Ok(written)
    }

    /// Learns how late the rows since the last run came in; gives the newest of them.
    async fn learn(
        &self,
        table: SentinelTable,
        run: Run,
        report: &mut TableReport,
    ) -> Result<Option<DateTime<Utc>>, IngestError> {
        let ledger = self.recorder.ledger();
        let before = ledger.learnt_until(table).await?;
        if before.is_some_and(|before| run.as_of <= before) {
            return Ok(None);
        }
        let earliest = self.earliest(run);
        let question = Question::Newest {
            table,
            ingested_after: before.unwrap_or(earliest),
            earliest,
        };
        let answer = self.asker.ask(question, run, report).await?;
        let (newer, newest) = lag_of(table, &answer)?;
        let mut lag: ArrivalLag = ledger.arrival_lag(table).await?;
        lag.learn(
            &newer,
            before.map_or(TimeDelta::zero(), |before| run.as_of - before),
        );
        self.arrivals
            .write(table, run.as_of, run.run_id, &lag)
            .await?;
        if !ledger.enter_lag(table, run, before, lag).await? {
            return Err(IngestError::Overtaken(table));
        }
        Ok(newest.map(|newest| newest.min(run.as_of)))
    }

    async fn ingest_table(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let before = self.recorder.ledger().watermark(table).await?;
        let watermark = before.as_ref().and_then(|watermark| watermark.event_time);
        let mut report = TableReport::default();
        let measures = foretide_sentinel_tables::table(table).measures;
        for (done, declared) in measures.iter().enumerate() {
            progress(done, measures.len());
            self.plan(declared.measure, run, &mut report).await?;
            self.count(declared.measure, run, &mut report).await?;
        }
        report.watermark = self.learn(table, run, &mut report).await?.max(watermark);
        if report.buckets_written > 0 || report.watermark != watermark {
            let entry = Entry {
                rows: report.rows_read,
                watermark: report.watermark,
                ..Entry::default()
            };
            let ledger = self.recorder.ledger();
            if !ledger.enter(table, run, before.as_ref(), &entry).await? {
                return Err(IngestError::Overtaken(table));
            }
        }
        progress(measures.len(), measures.len());
        Ok(report)
    }
}

fn place(row: &BucketRow) -> (DateTime<Utc>, &str, &str, &str) {
    (row.event_time, &row.severity, &row.product, &row.tactic)
}

fn all_days(earliest: DateTime<Utc>, as_of: DateTime<Utc>) -> Vec<NaiveDate> {
    let last = as_of.date_naive();
    earliest
        .date_naive()
        .iter_days()
        .take_while(|day| *day <= last)
        .collect()
}

#[async_trait]
impl HistorySource for LogAnalyticsSource {
    async fn begin(&self, _run: Run) -> Result<Vec<LocationFound>, IngestError> {
        Ok(Vec::new())
    }

    async fn ingest(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        match Box::pin(self.ingest_table(table, run, progress)).await {
            Err(IngestError::Query { source, .. }) if source.misses_table(table.name()) => {
                // its days stay noted: when the table comes to be, its history is asked for
                tracing::info!(%table, "the workspace has no such table: nothing is read of it");
                Ok(TableReport::default())
            }
            outcome => outcome,
        }
    }

    async fn survey(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Survey, IngestError> {
        Box::pin(self.survey_table(table, span, run)).await
    }

    async fn backfill(
        &self,
        scope: &Scope,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        match Box::pin(self.read_part(scope, run, progress)).await {
            Err(IngestError::Query { source, .. }) if source.misses_table(scope.table.name()) => {
                tracing::info!(table = %scope.table, "the workspace has no such table: nothing is read of it");
                Ok(TableReport::default())
            }
            outcome => outcome,
        }
    }
}
