//! Moments as Azure keeps them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::SharedClock;
use serde_json::Value;

use crate::{ChunkOutcome, RowSink};

/// Column of the moment that a table is kept by.
pub const TIME_GENERATED: &str = "TimeGenerated";
/// Column of the moment at which a row was issued, which Azure leaves as it is.
pub const ISSUED_AT: &str = "IssuedAt";
/// How far back and ahead of its arrival a row's `TimeGenerated` may lie; else Azure puts the arrival in
/// its place.
const KEPT_BEFORE: TimeDelta = TimeDelta::days(2);
const KEPT_AHEAD: TimeDelta = TimeDelta::days(1);

/// A moment with the seven digits of a second that Azure keeps.
#[must_use]
pub fn azure_time(moment: DateTime<Utc>) -> String {
    let ticks = moment.timestamp_subsec_nanos() / 100 % 10_000_000;
    format!("{}.{ticks:07}Z", moment.format("%Y-%m-%dT%H:%M:%S"))
}

/// A sink that sends no `TimeGenerated` that Azure would replace: such a row gets the moment it is sent.
pub struct TimelyRows {
    sink: Arc<dyn RowSink>,
    clock: SharedClock,
}

impl fmt::Debug for TimelyRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimelyRows").field(&self.sink).finish()
    }
}

impl TimelyRows {
    /// Sends through the other sink.
    #[must_use]
    pub fn new(sink: Arc<dyn RowSink>, clock: SharedClock) -> Self {
        Self { sink, clock }
    }
}

#[async_trait]
impl RowSink for TimelyRows {
    async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome> {
        let rows = timely(rows, self.clock.now());
        self.sink.upload(stream, &rows).await
    }
}

fn timely(rows: &[Value], now: DateTime<Utc>) -> Cow<'_, [Value]> {
    let is_replaced = |row: &Value| {
        let moment = row.get(TIME_GENERATED).and_then(Value::as_str);
        let moment = moment.and_then(|text| text.parse::<DateTime<Utc>>().ok());
        moment.is_some_and(|moment| moment < now - KEPT_BEFORE || moment > now + KEPT_AHEAD)
    };
    if !rows.iter().any(is_replaced) {
        return Cow::Borrowed(rows);
    }
    let mut rows = rows.to_vec();
    for row in rows.iter_mut().filter(|row| is_replaced(row)) {
        row[TIME_GENERATED] = azure_time(now).into();
    }
    Cow::Owned(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_moment_has_seven_digits() {
        for (moment, written) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00.0000000Z"),
            (
                "2026-11-23T10:00:00.123456789Z",
                "2026-11-23T10:00:00.1234567Z",
            ),
        ] {
            assert_eq!(azure_time(moment.parse().unwrap()), written);
        }
    }

    #[test]
    fn only_what_azure_would_replace_is_replaced() {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let row = |generated: &str| json!({"TimeGenerated": generated, "IssuedAt": generated});
        let kept = [
            row("2026-11-21T10:00:00Z"),
            row("2026-11-24T10:00:00Z"),
            json!({}),
        ];
        assert!(matches!(timely(&kept, now), Cow::Borrowed(_)));
        let rows = [
            row("2026-11-21T09:59:59Z"),
            row("2026-11-24T10:00:01Z"),
            kept[0].clone(),
        ];
        let sent = timely(&rows, now);
        for (row, sent) in rows.iter().zip(sent.iter()).take(2) {
            assert_eq!(sent["TimeGenerated"], "2026-11-23T10:00:00.0000000Z");
            assert_eq!(sent["IssuedAt"], row["IssuedAt"]);
        }
        assert_eq!(sent[2], kept[0]);
    }
}
