//! Parts of a backfill: windows of a table, each asked for as a whole.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{Measure, SentinelTable, TimeSpan};

use super::volumes::Volumes;
use super::windows::windows_of;
use super::{LogAnalyticsSource, all_days};
use crate::backfill::{Expected, Origin, PlannedPart, Scope, Survey};
use crate::source::{IngestError, Run, TableProgress, TableReport};
use crate::storage::Entry;

/// Days of one part: few enough to be paused soon, and many enough to be worth a query.
const PART: TimeDelta = TimeDelta::days(7);

impl LogAnalyticsSource {
    /// Windows of a table, with what the workspace will scan for them by its `Usage`.
    pub(super) async fn survey_table(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Survey, IngestError> {
        let volumes = self.volumes(span, run).await?;
        let measures = foretide_sentinel_tables::table(table).measures;
        let mut rows_a_day = None;
        for declared in measures {
            let statement = format!("counts/{}", declared.measure);
            if let Some(rows) = self.recorder.ledger().rows_a_day(&statement).await? {
                *rows_a_day.get_or_insert(0.0) += rows;
            }
        }
        let queries = u64::try_from(measures.len()).unwrap_or(u64::MAX);
        let parts = windows(span).map(|window| {
            let bytes = volumes.bytes(table, window);
            PlannedPart {
                scope: Scope {
                    table,
                    span: window,
                    origin: Origin::QueryApi,
                    object: String::new(),
                },
                expected: Expected {
                    queries,
                    rows: rows_a_day.map(|rows: f64| rows_in(window, rows)),
                    // every measure is a query of its own
                    bytes: bytes.map(|bytes| bytes.saturating_mul(queries)),
                    price: 0.0,
                },
            }
        });
        Ok(Survey {
            parts: parts.collect(),
            remarks: remarks(&volumes, span),
        })
    }

    /// What the tables took in over the span, asked for once a survey.
    async fn volumes(&self, span: TimeSpan, run: Run) -> Result<Arc<Volumes>, IngestError> {
        let kept = {
            let volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = volumes.as_ref().filter(|(id, _)| *id == run.run_id);
            kept.map(|(_, volumes)| Arc::clone(volumes))
        };
        if let Some(volumes) = kept {
            return Ok(volumes);
        }
        let volumes = Arc::new(self.ask_volumes(span, run).await?);
        let mut place = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((run.run_id, Arc::clone(&volumes)));
        Ok(volumes)
    }

    /// Asks the workspace for its `Usage`; when the budget is spent, what is known of it has to do.
    async fn ask_volumes(&self, span: TimeSpan, run: Run) -> Result<Volumes, IngestError> {
        let measure = Measure::IngestedMegabytes;
        let mut volumes = Volumes::default();
        let days = all_days(span.start, span.end - TimeDelta::seconds(1));
        for window in windows_of(&days) {
            let mut report = TableReport::default();
            match self.ask_for(measure, window.span(), run, &mut report).await {
                Ok(days) => volumes.add(days.into_values().flatten()),
                Err(IngestError::Query { source, .. }) if source.misses_table("Usage") => break,
                Err(IngestError::Budget(_)) => {
                    let known = self.recorder.buckets().rows(measure, span, run.as_of);
                    volumes = Volumes::default();
                    volumes.add(known.await?);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(volumes)
    }

    /// Asks for a window of every measure of a table. Its days are crossed off, should a run have
    /// noted them.
    pub(super) async fn read_part(
        &self,
        scope: &Scope,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let Scope { table, span, .. } = *scope;
        let ledger = self.recorder.ledger();
        let before = ledger.watermark(table).await?;
        let measures = foretide_sentinel_tables::table(table).measures;
        let mut report = TableReport::default();
        let last = (span.end - TimeDelta::seconds(1)).min(run.as_of);
        let days = all_days(span.start, last);
        for (done, declared) in measures.iter().enumerate() {
            progress(done, measures.len());
            let measure = declared.measure;
            let found = self.ask_for(measure, span, run, &mut report).await?;
            report.buckets_written += self.write(measure, span, found, run).await?;
            ledger.settle_days(measure, run.as_of, &days).await?;
        }
        let entry = Entry {
            rows: report.rows_read,
            ..Entry::default()
        };
        if report.buckets_written > 0 && !ledger.enter(table, run, before.as_ref(), &entry).await? {
            return Err(IngestError::Overtaken(table));
        }
        Ok(report)
    }
}

/// Windows of whole days, the newest first.
fn windows(span: TimeSpan) -> impl Iterator<Item = TimeSpan> {
    let mut end = span.end;
    std::iter::from_fn(move || {
        let start: DateTime<Utc> = (end - PART).max(span.start);
        let window = (start < end).then_some(TimeSpan { start, end });
        end = start;
        window
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, never negative"
)]
fn rows_in(window: TimeSpan, rows_a_day: f64) -> u64 {
    let days = (window.end - window.start).as_seconds_f64() / 86_400.0;
    (rows_a_day * days).round() as u64
}

fn remarks(volumes: &Volumes, span: TimeSpan) -> Vec<String> {
    if volumes.is_empty() {
        return vec![
            "the workspace's Usage tells nothing of this span: how much queries will scan is not \
             known"
                .to_owned(),
        ];
    }
    if !volumes.covers(span) {
        return vec![
            "the workspace's Usage does not tell of all days: for the others the mean is taken"
                .to_owned(),
        ];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_span_once_from_its_end() {
        let span = TimeSpan {
            start: "2026-11-01T00:00:00Z".parse().unwrap(),
            end: "2026-11-18T00:00:00Z".parse().unwrap(),
        };
        let windows: Vec<TimeSpan> = windows(span).collect();
        let days: Vec<i64> = windows
            .iter()
            .map(|window| (window.end - window.start).num_days())
            .collect();
        assert_eq!(days, [7, 7, 3]);
        assert_eq!(windows[0].end, span.end);
        assert_eq!(windows[2].start, span.start);
        assert!(windows.windows(2).all(|pair| pair[1].end == pair[0].start));
    }
}
