//! The Log Analytics query API: the workspace counts, and only the counts travel.
//!
//! Every run asks again for the days since the watermark and some before it, since rows arrive late.
//! A day is written only when its buckets have changed. A window whose answer is too large or
//! incomplete is halved.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, SentinelTable, SharedClock, TimeSpan, floor_day, floor_hour};
use foretide_entra::IdentityTokens;
use foretide_http::ClientOptions;
use foretide_lake::buckets::BucketRow;
use foretide_log_analytics::{Cell, QueryClient, QueryError, Table, WorkspaceConfig};
use foretide_sentinel_tables::count_query;

use crate::config::LogAnalyticsConfig;
use crate::recorder::Recorder;
use crate::source::{HistorySource, IngestError, Run, TableProgress, TableReport};
use crate::storage::Entry;
use crate::tables::{known_severity, label};

const DAY: TimeDelta = TimeDelta::days(1);
/// Longest window of one query.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// The `log_analytics` source.
pub(crate) struct LogAnalyticsSource {
    client: QueryClient,
    history: TimeDelta,
    overlap: TimeDelta,
    recorder: Recorder,
}

impl LogAnalyticsSource {
    /// Sets the source up. Nothing is asked yet.
    ///
    /// # Errors
    /// When the identity or the addresses cannot be used.
    pub(crate) fn open(
        config: LogAnalyticsConfig,
        recorder: Recorder,
        clock: &SharedClock,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let options = ClientOptions {
            // the service may work on a query for three minutes
            timeout: std::time::Duration::from_secs(200),
            ..ClientOptions::default()
        };
        let http = foretide_http::client(&options)?;
        let tokens = IdentityTokens::new(config.identity, http.clone(), SharedClock::clone(clock))?;
        let workspace = WorkspaceConfig {
            endpoint: config.endpoint,
            workspace_id: config.workspace_id,
            audience: config.audience,
        };
        let client =
            QueryClient::new(workspace, http, Arc::new(tokens), SharedClock::clone(clock))?;
        Ok(Self {
            client,
            history: TimeDelta::days(config.history_days.into()),
            overlap: TimeDelta::days(config.overlap_days.into()),
            recorder,
        })
    }

    /// Asks for a measure over whole days; halves the window when the answer is too much.
    async fn counts(
        &self,
        measure: Measure,
        span: TimeSpan,
        run: Run,
        report: &mut TableReport,
    ) -> Result<BTreeMap<NaiveDate, Vec<BucketRow>>, IngestError> {
        let mut days = BTreeMap::new();
        let mut windows = vec![span];
        while let Some(window) = windows.pop() {
            if window.end - window.start > WINDOW {
                windows.extend(split(window, WINDOW));
                continue;
            }
            let query = with_window(&count_query(measure), window, run.as_of);
            report.objects_read += 1;
            match self.client.query(&query).await {
                Ok(table) => {
                    report.rows_read += u64::try_from(table.rows.len()).unwrap_or(u64::MAX);
                    for row in bucket_rows(measure, window, &table)? {
                        let day = row.event_time.date_naive();
                        days.entry(day).or_insert_with(Vec::new).push(row);
                    }
                }
                Err(error) if error.asks_for_less() && window.end - window.start > DAY => {
                    let half = (window.end - window.start) / 2;
                    windows.extend(split(window, TimeDelta::days(half.num_days().max(1))));
                }
                Err(source) => return Err(failed(measure.table(), source)),
            }
        }
        Ok(days)
    }

    async fn newest(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Option<DateTime<Utc>>, IngestError> {
        let time = if table == SentinelTable::Usage {
            "StartTime"
        } else {
            "TimeGenerated"
        };
        let query = format!(
            "{table}\n| where TimeGenerated >= windowStart and TimeGenerated <= asOf\n| summarize Newest = max({time})"
        );
        let answer = self
            .client
            .query(&with_window(&query, span, run.as_of))
            .await
            .map_err(|source| failed(table, source))?;
        Ok(answer.rows.first().and_then(|row| match row.first() {
            Some(Cell::Moment(newest)) => Some((*newest).min(run.as_of)),
            _ => None,
        }))
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
            let rows = days.remove(&day).unwrap_or_default();
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
}

#[async_trait]
impl HistorySource for LogAnalyticsSource {
    async fn begin(&self, _run: Run) -> Result<(), IngestError> {
        Ok(())
    }

    async fn ingest(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let before = self.recorder.ledger().watermark(table).await?;
        let watermark = before.as_ref().and_then(|watermark| watermark.event_time);
        let from = watermark.map_or(run.as_of - self.history, |known| known - self.overlap);
        let span = TimeSpan {
            start: floor_day(from.min(run.as_of)),
            end: floor_day(run.as_of) + DAY,
        };
        let mut report = TableReport::default();
        let measures: Vec<Measure> = Measure::ALL
            .into_iter()
            .filter(|measure| measure.table() == table)
            .collect();
        for (done, measure) in measures.iter().enumerate() {
            progress(done, measures.len());
            let days = self.counts(*measure, span, run, &mut report).await?;
            report.buckets_written += self.write(*measure, span, days, run).await?;
        }
        report.watermark = self.newest(table, span, run).await?.max(watermark);
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

fn failed(table: SentinelTable, source: QueryError) -> IngestError {
    IngestError::Query { table, source }
}

/// Puts the window before the query. The values are times of our own making: nothing to inject.
fn with_window(query: &str, window: TimeSpan, as_of: DateTime<Utc>) -> String {
    let literal = |moment: DateTime<Utc>| {
        format!(
            "datetime({})",
            moment.to_rfc3339_opts(SecondsFormat::Millis, true)
        )
    };
    format!(
        "let windowStart = {};\nlet windowEnd = {};\nlet asOf = {};\n{query}",
        literal(window.start),
        literal(window.end),
        literal(as_of)
    )
}

/// Cuts a window after the given length.
fn split(window: TimeSpan, after: TimeDelta) -> [TimeSpan; 2] {
    let middle = window.start + after;
    [
        TimeSpan {
            start: window.start,
            end: middle,
        },
        TimeSpan {
            start: middle,
            end: window.end,
        },
    ]
}

/// The answer's rows as buckets: summed where labels fall together, sorted as buckets are.
fn bucket_rows(
    measure: Measure,
    window: TimeSpan,
    table: &Table,
) -> Result<Vec<BucketRow>, IngestError> {
    if table.columns.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |problem: String| IngestError::Answer { measure, problem };
    let column = |name: &str| {
        table
            .column(name)
            .ok_or_else(|| refuse(format!("the column {name} is missing")))
    };
    let (hour, value) = (column("Hour")?, column("Value")?);
    let dimensions = ["Severity", "Product", "Tactic"].map(|name| table.column(name));
    let mut sums: BTreeMap<(DateTime<Utc>, [String; 3]), f64> = BTreeMap::new();
    for row in &table.rows {
        let Cell::Moment(at) = &row[hour] else {
            return Err(refuse("an hour is not a time".to_owned()));
        };
        let at = if measure.is_daily() {
            floor_day(*at)
        } else {
            floor_hour(*at)
        };
        if !window.contains(at) {
            return Err(refuse(format!(
                "{at} lies outside the window that was asked for"
            )));
        }
        let amount =
            amount(&row[value]).ok_or_else(|| refuse(format!("the value at {at} is no count")))?;
        let mut labels = dimensions.map(|at| match at.map(|at| &row[at]) {
            Some(Cell::Text(text)) => label(Some(text)),
            _ => String::new(),
        });
        if let Some(known) = known_severity(&labels[0]) {
            known.clone_into(&mut labels[0]);
        }
        *sums.entry((at, labels)).or_default() += amount;
    }
    Ok(sums
        .into_iter()
        .filter(|(_, value)| *value > 0.0)
        .map(
            |((event_time, [severity, product, tactic]), value)| BucketRow {
                event_time,
                severity,
                product,
                tactic,
                value,
            },
        )
        .collect())
}

fn amount(cell: &Cell) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let amount = match cell {
        Cell::Integer(count) => *count as f64,
        Cell::Real(amount) => *amount,
        _ => return None,
    };
    (amount.is_finite() && amount >= 0.0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use foretide_log_analytics::parse_answer;
    use serde_json::json;

    use super::*;

    fn window() -> TimeSpan {
        TimeSpan {
            start: "2026-11-22T00:00:00Z".parse().unwrap(),
            end: "2026-11-23T00:00:00Z".parse().unwrap(),
        }
    }

    fn rows(rows: &serde_json::Value) -> Result<Vec<BucketRow>, IngestError> {
        let columns = json!([{"name": "Hour", "type": "datetime"}, {"name": "Severity", "type": "string"}, {"name": "Value", "type": "long"}]);
        let body = json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]});
        let table = parse_answer(body.to_string().as_bytes()).unwrap();
        bucket_rows(Measure::Incidents, window(), &table)
    }

    #[test]
    fn an_answer_becomes_buckets() {
        let read = rows(&json!([
            ["2026-11-22T11:00:00Z", "Low", 9],
            ["2026-11-22T10:00:00Z", "high", 4],
            ["2026-11-22T10:00:00Z", "High", 1]
        ]))
        .unwrap();
        let seen: Vec<_> = read
            .iter()
            .map(|row| (row.severity.as_str(), row.value))
            .collect();
        assert_eq!(seen, [("High", 5.0), ("Low", 9.0)]);
    }

    #[test]
    fn answers_that_were_not_asked_for_are_refused() {
        for bad in [
            json!([["2026-11-23T00:00:00Z", "Low", 9]]),
            json!([[null, "Low", 9]]),
            json!([["2026-11-22T10:00:00Z", "Low", -1]]),
            json!([["2026-11-22T10:00:00Z", "Low", null]]),
        ] {
            assert!(matches!(rows(&bad), Err(IngestError::Answer { .. })));
        }
    }

    #[test]
    fn every_query_reads_its_own_table_within_the_window() {
        for measure in Measure::ALL {
            let query = with_window(&count_query(measure), window(), window().end);
            assert!(query.contains(measure.table().name()), "{measure}");
            for name in ["windowStart", "windowEnd", "asOf"] {
                assert!(
                    count_query(measure).contains(name),
                    "{measure} lacks {name}"
                );
            }
        }
    }
}
