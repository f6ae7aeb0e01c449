//! Answers into buckets, days and lags.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use foretide_domain::{ArrivalLag, Measure, SentinelTable, TimeSpan, floor_day, floor_hour};
use foretide_lake::buckets::BucketRow;
use foretide_log_analytics::{Cell, Table};

use crate::source::IngestError;
use crate::tables::label;

/// The days that the answer names, in order; none that was not asked for.
pub(super) fn days_of(
    measure: Measure,
    earliest: DateTime<Utc>,
    as_of: DateTime<Utc>,
    table: &Table,
) -> Result<Vec<NaiveDate>, IngestError> {
    if table.columns.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |problem: String| IngestError::Answer { measure, problem };
    let day = table
        .column("Day")
        .ok_or_else(|| refuse("the column Day is missing".to_owned()))?;
    let mut days = Vec::new();
    for row in &table.rows {
        let Cell::Moment(moment) = &row[day] else {
            return Err(refuse("a day is not a time".to_owned()));
        };
        // a row may tell of what its clock says is later than now: it is asked for when it is due
        if (earliest..=as_of).contains(&floor_day(*moment)) {
            days.push(moment.date_naive());
        }
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// How late rows came in, and the newest of them.
pub(super) fn lag_of(
    name: SentinelTable,
    table: &Table,
) -> Result<(ArrivalLag, Option<DateTime<Utc>>), IngestError> {
    if table.columns.is_empty() {
        return Ok((ArrivalLag::default(), None));
    }
    let measure = foretide_sentinel_tables::table(name).measures[0].measure;
    let refuse = |problem: &str| IngestError::Answer {
        measure,
        problem: problem.to_owned(),
    };
    let column = |column| table.column(column);
    let (Some(upper), Some(count), Some(newest)) =
        (column("UpTo"), column("Rows"), column("Newest"))
    else {
        return Err(refuse("UpTo, Rows or Newest is missing"));
    };
    let mut classes = Vec::new();
    let mut latest = None;
    for row in &table.rows {
        let Cell::Integer(minutes) = &row[upper] else {
            return Err(refuse("a class of lag is no number"));
        };
        let minutes = u32::try_from(*minutes).map_err(|_| refuse("a class of lag is negative"))?;
        let count = amount(&row[count]).ok_or_else(|| refuse("a number of rows is no count"))?;
        classes.push((minutes, count));
        if let Cell::Moment(moment) = &row[newest] {
            latest = latest.max(Some(*moment));
        }
    }
    Ok((ArrivalLag::new(classes), latest))
}

/// The answer's rows as buckets: summed where labels fall together, sorted as buckets are.
pub(super) fn bucket_rows(
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
        let labels = dimensions.map(|at| match at.map(|at| &row[at]) {
            Some(Cell::Text(text)) => label(Some(text)),
            _ => String::new(),
        });
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
        let table = parse_answer(body.to_string().as_bytes()).unwrap().table;
        bucket_rows(Measure::Incidents, window(), &table)
    }

    #[test]
    fn an_answer_becomes_buckets() {
        let read = rows(&json!([
            ["2026-11-22T11:00:00Z", "Low", 9],
            ["2026-11-22T10:00:00Z", " High", 4],
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
    fn days_that_were_not_asked_for_are_left() {
        let columns =
            json!([{"name": "Day", "type": "datetime"}, {"name": "Rows", "type": "long"}]);
        let rows = json!([
            ["2026-11-22T00:00:00Z", 4],
            ["2026-11-20T00:00:00Z", 1],
            ["2026-11-22T00:00:00Z", 4],
            ["2026-11-19T00:00:00Z", 1],
            ["2026-12-01T00:00:00Z", 1]
        ]);
        let body = json!({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]});
        let table = parse_answer(body.to_string().as_bytes()).unwrap().table;
        let earliest = "2026-11-20T00:00:00Z".parse().unwrap();
        let days = days_of(Measure::Incidents, earliest, window().end, &table).unwrap();
        let days: Vec<String> = days.iter().map(ToString::to_string).collect();
        assert_eq!(days, ["2026-11-20", "2026-11-22"]);
    }

    #[test]
    fn lags_are_read_with_the_newest_row() {
        let columns = json!([{"name": "Rows", "type": "long"}, {"name": "Newest", "type": "datetime"}, {"name": "UpTo", "type": "long"}]);
        let body = |rows: serde_json::Value| {
            let table = json!({"name": "PrimaryResult", "columns": columns, "rows": rows});
            let body = json!({"tables": [table]}).to_string();
            parse_answer(body.as_bytes()).unwrap().table
        };
        let rows = json!([
            [90, "2026-11-22T09:00:00Z", 5],
            [10, "2026-11-22T10:00:00Z", 60]
        ]);
        let (lag, newest) = lag_of(SentinelTable::Usage, &body(rows)).unwrap();
        assert_eq!(lag.quantile(0.99), Some(60));
        assert_eq!(newest, Some("2026-11-22T10:00:00Z".parse().unwrap()));
        for bad in [
            json!([[-1, null, 5]]),
            json!([[1, null, -5]]),
            json!([[null, null, 5]]),
        ] {
            assert!(lag_of(SentinelTable::Usage, &body(bad)).is_err());
        }
    }
}
