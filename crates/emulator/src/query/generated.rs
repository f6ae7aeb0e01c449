//! The tables of a workspace that is too large to be stored: Foretide's own queries are answered from
//! a generator's counts.
//!
//! A query is taken by its text: behind `let` statements that bind moments it has to be one of those
//! under `crates/sentinel-tables/kql`. What is answered is what the query would count of the rows
//! that the generator stands for, with the scanned rows and bytes in the statistics. Rows of an hour
//! come in when the hour ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, SentinelTable, TimeSpan, floor_hour};
use foretide_sentinel_tables::{
    Counting, Identity, arrivals_query, count_query, measure as declaration, newest_query, table,
};
use foretide_synthetic_workspace::{LargePlan, LargeWorkspace, PlanError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::query::engine::{KustoAnswer, KustoColumn, KustoTable};

/// Bytes of a row, taken over all tables.
const BYTES_A_ROW: u64 = 1_000;
const DAY: TimeDelta = TimeDelta::days(1);

/// A workspace of so many rows, of which only counts exist.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedConfig {
    /// The same seed gives the same counts.
    #[serde(default)]
    pub seed: u64,
    /// First day, UTC.
    pub start: NaiveDate,
    /// Days, from 1 to 730.
    pub days: u32,
    /// Rows of all tables together.
    pub rows: u64,
}

impl GeneratedConfig {
    pub(crate) fn workspace(&self) -> Result<LargeWorkspace, PlanError> {
        LargeWorkspace::new(&LargePlan {
            seed: self.seed,
            start: self.start,
            days: self.days,
            rows: self.rows,
        })
    }
}

/// What a query has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// What a text asks for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Counts(Measure),
    Arrivals(Measure),
    Newest(SentinelTable),
}

/// The known queries by their texts.
static QUERIES: LazyLock<HashMap<String, Wanted>> = LazyLock::new(|| {
    let counts = Measure::ALL.map(|measure| (count_query(measure), Wanted::Counts(measure)));
    let arrivals = Measure::ALL.map(|measure| (arrivals_query(measure), Wanted::Arrivals(measure)));
    let newest = SentinelTable::ALL.map(|table| (newest_query(table), Wanted::Newest(table)));
    counts.into_iter().chain(arrivals).chain(newest).collect()
});

/// Answers one of the known queries as of `now`, of the rows in the span; nothing when it is another
/// one.
pub(super) fn answer(
    workspace: &LargeWorkspace,
    csl: &str,
    span: Option<TimeSpan>,
    now: DateTime<Utc>,
) -> Option<(KustoAnswer, Scanned)> {
    let (moments, query) = moments(csl)?;
    let moment = |name: &str| moments.get(name).copied();
    let as_of = moment("asOf")?.min(now);
    let (columns, rows, scanned) = match *QUERIES.get(query)? {
        Wanted::Counts(measure) => {
            let window = TimeSpan::new(moment("windowStart")?, moment("windowEnd")?)?;
            let scanned = cut(scan_of(measure, window, as_of), span);
            let visible = TimeSpan {
                start: window.start,
                end: window.end.min(as_of).max(window.start),
            };
            let (columns, rows) = counts(workspace, measure, cut(visible, span));
            (columns, rows, workspace.rows(measure.table(), scanned))
        }
        Wanted::Arrivals(measure) => {
            let arrived = arrived(moment("ingestedAfter")?, moment("notBefore")?, as_of)?;
            let arrived = cut(arrived, span);
            let rows = days(workspace, measure.table(), arrived);
            let scanned = workspace.rows(measure.table(), arrived);
            (
                columns_of(&[("Day", "datetime"), ("Rows", "long")]),
                rows,
                scanned,
            )
        }
        Wanted::Newest(table) => {
            let arrived = arrived(moment("ingestedAfter")?, moment("notBefore")?, as_of)?;
            let arrived = cut(arrived, span);
            let columns = [("UpTo", "long"), ("Rows", "long"), ("Newest", "datetime")];
            let scanned = workspace.rows(table, arrived);
            (columns_of(&columns), lags(scanned, arrived), scanned)
        }
    };
    let table = KustoTable { columns, rows };
    let scanned = Scanned {
        rows: scanned,
        bytes: scanned.saturating_mul(BYTES_A_ROW),
    };
    Some((
        KustoAnswer {
            tables: vec![table],
        },
        scanned,
    ))
}

/// The moments that are bound before a query, and the query.
fn moments(csl: &str) -> Option<(BTreeMap<&str, DateTime<Utc>>, &str)> {
    let mut moments = BTreeMap::new();
    let mut rest = csl;
    while let Some(bound) = rest.strip_prefix("let ") {
        let Some((name, after)) = bound.split_once(" = datetime(") else {
            break;
        };
        let (moment, after) = after.split_once(");\n")?;
        moments.insert(name, moment.parse().ok()?);
        rest = after;
    }
    Some((moments, rest))
}

/// What two spans have in common; an empty span when they do not meet.
fn cut(span: TimeSpan, by: Option<TimeSpan>) -> TimeSpan {
    let Some(by) = by else { return span };
    let start = span.start.max(by.start);
    TimeSpan {
        start,
        end: span.end.min(by.end).max(start),
    }
}

/// The rows that a count has to look at, by `TimeGenerated`.
fn scan_of(measure: Measure, window: TimeSpan, as_of: DateTime<Utc>) -> TimeSpan {
    let own_time = declaration(measure).at == "TimeGenerated";
    let (start, end) = match table(measure.table()).identity {
        Identity::EachRow if own_time => (window.start, window.end.min(as_of)),
        Identity::EachRow => (window.start - DAY, as_of),
        Identity::Latest { .. } | Identity::First { .. } => {
            let days = i32::try_from(Identity::REPEATED_WITHIN_DAYS).unwrap_or(i32::MAX);
            (window.start - DAY * days, as_of)
        }
    };
    TimeSpan {
        start,
        end: end.max(start),
    }
}

fn counts(
    workspace: &LargeWorkspace,
    measure: Measure,
    span: TimeSpan,
) -> (Vec<KustoColumn>, Vec<Vec<Value>>) {
    let declared = declaration(measure);
    let labels: Vec<&str> = declared.labels().map(|(name, _)| name).collect();
    let is_real = matches!(declared.counting, Counting::Sum(quantity)
        if table(measure.table()).column(quantity.column).is_some_and(|column| column.kind.kql() == "real"));
    let names = labels.iter().map(|label| (*label, "string"));
    let columns: Vec<_> = std::iter::once(("Hour", "datetime"))
        .chain(names)
        .chain([("Value", if is_real { "real" } else { "long" })])
        .collect();
    let rows = workspace.counts(measure, span).map(|count| {
        let label = |name: &&str| match *name {
            "Severity" => count.severity.into(),
            "Product" => count.product.into(),
            _ => count.tactic.into(),
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let value = if is_real {
            json!(count.value as f64)
        } else {
            json!(count.value)
        };
        std::iter::once(written(count.at))
            .chain(labels.iter().map(label))
            .chain([value])
            .collect()
    });
    (columns_of(&columns), rows.collect())
}

/// The hours whose rows came in after a moment, up to another.
fn arrived(
    ingested_after: DateTime<Utc>,
    not_before: DateTime<Utc>,
    as_of: DateTime<Utc>,
) -> Option<TimeSpan> {
    TimeSpan::new(floor_hour(ingested_after).max(not_before), as_of)
}

fn days(workspace: &LargeWorkspace, table: SentinelTable, arrived: TimeSpan) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let inside = workspace.span();
    let end = arrived.end.min(inside.end);
    let mut start = arrived.start.max(inside.start);
    while start < end {
        let midnight = foretide_domain::floor_day(start);
        let span = TimeSpan {
            start,
            end: end.min(midnight + DAY),
        };
        let count = workspace.rows(table, span);
        if count > 0 {
            rows.push(vec![written(midnight), count.into()]);
        }
        start = span.end;
    }
    rows
}

/// Rows lie evenly in their hour and come in at its end.
fn lags(rows: u64, arrived: TimeSpan) -> Vec<Vec<Value>> {
    if rows == 0 {
        return Vec::new();
    }
    let newest = written(floor_hour(arrived.end) - TimeDelta::minutes(1));
    let minutes = [1, 2, 5, 10, 15, 30, 60];
    let mut before = 0;
    let classes = minutes.into_iter().filter_map(|minute| {
        let up_to = rows * minute / 60;
        let count = up_to - before;
        before = up_to;
        (count > 0).then(|| vec![minute.into(), count.into(), newest.clone()])
    });
    classes.collect()
}

fn columns_of(columns: &[(&str, &str)]) -> Vec<KustoColumn> {
    let column = |(name, kind): &(&str, &str)| KustoColumn {
        column_name: (*name).to_owned(),
        column_type: (*kind).to_owned(),
    };
    columns.iter().map(column).collect()
}

fn written(moment: DateTime<Utc>) -> Value {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: &str = "let windowStart = datetime(2026-10-05T00:00:00.000Z);\n\
        let windowEnd = datetime(2026-10-07T00:00:00.000Z);\n\
        let ingestedAfter = datetime(2026-10-05T20:30:00.000Z);\n\
        let notBefore = datetime(2026-10-01T00:00:00.000Z);\n\
        let asOf = datetime(2026-10-06T12:00:00.000Z);\n";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment")
    }

    fn workspace() -> LargeWorkspace {
        let config = GeneratedConfig {
            seed: 1,
            start: "2026-10-01".parse().expect("a day"),
            days: 10,
            rows: 400_000,
        };
        config.workspace().expect("a workspace")
    }

    fn asked(query: &str, now: &str) -> Option<(KustoTable, Scanned)> {
        let (answer, scanned) = answer(&workspace(), &format!("{BOUND}{query}"), None, at(now))?;
        Some((answer.tables.into_iter().next()?, scanned))
    }

    fn sum(table: &KustoTable, column: &str) -> f64 {
        let column = table
            .columns
            .iter()
            .position(|known| known.column_name == column)
            .expect("the column");
        let values = table.rows.iter().map(|row| row[column].as_f64());
        values.map(|value| value.expect("a number")).sum()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn every_measure_counts_what_the_generator_declares_up_to_the_moment_asked_of() {
        let workspace = workspace();
        let known = TimeSpan {
            start: at("2026-10-05T00:00:00Z"),
            end: at("2026-10-06T12:00:00Z"),
        };
        for measure in Measure::ALL {
            let (table, scanned) =
                asked(&count_query(measure), "2026-11-01T00:00:00Z").expect("an answer");
            let declared = workspace.total(measure, known) as f64;
            assert!((sum(&table, "Value") - declared).abs() < 0.5, "{measure}");
            let least = workspace.rows(measure.table(), known);
            assert!(scanned.rows >= least, "{measure}");
            assert_eq!(scanned.bytes, scanned.rows * BYTES_A_ROW);
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn arrivals_and_lags_tell_of_the_same_rows() {
        for name in SentinelTable::ALL {
            let (lags, scanned) =
                asked(&newest_query(name), "2026-11-01T00:00:00Z").expect("an answer");
            assert!((sum(&lags, "Rows") - scanned.rows as f64).abs() < 0.5);
            let measure = table(name).measures[0].measure;
            let (days, _) =
                asked(&arrivals_query(measure), "2026-11-01T00:00:00Z").expect("an answer");
            assert!((sum(&days, "Rows") - scanned.rows as f64).abs() < 0.5);
        }
    }

    #[test]
    fn nothing_is_known_of_the_future_and_of_other_queries() {
        let (table, _) =
            asked(&count_query(Measure::Alerts), "2026-10-05T00:00:00Z").expect("an answer");
        assert!(table.rows.is_empty());
        for other in ["SecurityAlert | count", "", "let x = 1; print x"] {
            assert!(asked(other, "2026-11-01T00:00:00Z").is_none(), "{other}");
        }
        let unbound = count_query(Measure::Alerts);
        assert!(answer(&workspace(), &unbound, None, at("2026-11-01T00:00:00Z")).is_none());
        let broken = format!("let asOf = datetime(yesterday);\n{unbound}");
        assert!(answer(&workspace(), &broken, None, at("2026-11-01T00:00:00Z")).is_none());
    }
}
