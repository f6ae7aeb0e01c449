//! What tables took in, day by day, by their `Usage`.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use foretide_domain::{SentinelTable, TimeSpan};
use foretide_lake::buckets::BucketRow;

/// Volumes of a span.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    /// Bytes by table and day.
    tables: HashMap<String, BTreeMap<NaiveDate, f64>>,
    /// Days of which `Usage` tells something.
    days: std::collections::BTreeSet<NaiveDate>,
}

impl Volumes {
    /// From buckets of ingested megabytes.
    pub(super) fn add(&mut self, rows: impl IntoIterator<Item = BucketRow>) {
        for row in rows {
            let day = row.event_time.date_naive();
            self.days.insert(day);
            let table = self.tables.entry(row.product).or_default();
            *table.entry(day).or_default() += row.value * 1e6;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Whether every day of the span is told of.
    pub(super) fn covers(&self, span: TimeSpan) -> bool {
        days_of(span).all(|day| self.days.contains(&day))
    }

    /// Bytes that a table took in over a span. Of days that are not told of, the mean of the others
    /// is taken. Nothing when no day is told of.
    pub(super) fn bytes(&self, table: SentinelTable, span: TimeSpan) -> Option<u64> {
        let known = u32::try_from(self.days.len())
            .ok()
            .filter(|known| *known > 0)?;
        let own = self.tables.get(table.name());
        let mean = own.map_or(0.0, |days| days.values().sum::<f64>() / f64::from(known));
        let bytes: f64 = days_of(span)
            .map(|day| match (self.days.contains(&day), own) {
                (true, own) => own.and_then(|days| days.get(&day)).copied().unwrap_or(0.0),
                (false, _) => mean,
            })
            .sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, never negative"
        )]
        Some(bytes.round() as u64)
    }
}

fn days_of(span: TimeSpan) -> impl Iterator<Item = NaiveDate> {
    let first = span.start.date_naive();
    let days = usize::try_from((span.end - span.start).num_days()).unwrap_or(0);
    first.iter_days().take(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time: &str, product: &str, value: f64) -> BucketRow {
        BucketRow {
            event_time: time.parse().unwrap(),
            severity: String::new(),
            product: product.to_owned(),
            tactic: String::new(),
            value,
        }
    }

    #[test]
    fn days_that_usage_does_not_tell_of_are_like_the_others() {
        let mut volumes = Volumes::default();
        let span = TimeSpan {
            start: "2026-11-01T00:00:00Z".parse().unwrap(),
            end: "2026-11-05T00:00:00Z".parse().unwrap(),
        };
        assert_eq!(volumes.bytes(SentinelTable::SigninLogs, span), None);
        volumes.add([
            row("2026-11-03T04:00:00Z", "SigninLogs", 10.0),
            row("2026-11-03T05:00:00Z", "SigninLogs", 20.0),
            row("2026-11-04T05:00:00Z", "Syslog", 7.0),
        ]);
        // told: 30 MB and none; of the other two days the mean
        let bytes = volumes.bytes(SentinelTable::SigninLogs, span);
        assert_eq!(bytes, Some(60_000_000));
        assert_eq!(volumes.bytes(SentinelTable::AuditLogs, span), Some(0));
        assert!(!volumes.covers(span));
    }
}
