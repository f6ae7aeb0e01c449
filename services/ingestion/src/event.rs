//! What is kept of a row: the little that is counted.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use foretide_domain::{Measure, RunId, SentinelTable};
use polars::prelude::*;

/// Where events lie in the lake: `events/<stream>/<day>/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// What is known of things that several rows tell of, by the day each was met first.
    Things(Measure),
    /// What a measure counts, by when it happened. Of things it is derived from what is known of them.
    Measured(Measure),
    /// Ready-made hourly counts of a measure.
    Counts(Measure),
}

impl Stream {
    /// The name in paths and in the ledger.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Things(measure) => format!("things-{measure}"),
            Self::Measured(measure) => format!("counted-{measure}"),
            Self::Counts(measure) => format!("counts-{measure}"),
        }
    }

    /// The measure whose buckets are made of it.
    pub(crate) fn counted(self) -> Option<Measure> {
        match self {
            Self::Things(_) => None,
            Self::Measured(measure) | Self::Counts(measure) => Some(measure),
        }
    }

    /// The streams a measure is counted from.
    pub(crate) fn of(measure: Measure) -> [Self; 2] {
        [Self::Measured(measure), Self::Counts(measure)]
    }

    /// The table of things that several rows tell of.
    pub(crate) fn table_of_things(self) -> Option<SentinelTable> {
        match self {
            Self::Things(measure) => Some(measure.table()),
            Self::Measured(_) | Self::Counts(_) => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Somebody or something that is counted once, however often it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thing {
    /// The epoch of its pseudonym; 0 when it names nobody.
    pub(crate) epoch: u32,
    /// Keyed hash; with the epoch, what its pseudonym says.
    pub(crate) hash: u64,
}

/// A thing that is counted. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Keyed hash of what makes it one thing.
    pub(crate) key: u128,
    /// When it happened; of a thing, when it was met first.
    pub(crate) event_time: i64,
    /// Which of its rows is the newer.
    pub(crate) version: i64,
    /// Which is the newer of those of the same version.
    pub(crate) modified: i64,
    /// When a thing was seen first.
    pub(crate) seen: i64,
    /// When a thing happened, by its rows.
    pub(crate) at: Option<i64>,
    /// Whether a row has said that the thing is never counted.
    pub(crate) never: bool,
    /// Whether it counts, by its latest row.
    pub(crate) counts: bool,
    /// Severity, or empty.
    pub(crate) severity: String,
    /// Product, or empty.
    pub(crate) product: String,
    /// First tactic, or empty.
    pub(crate) tactic: String,
    /// Its source address, account or machine, or whatever else of it is counted once.
    pub(crate) address: Option<Thing>,
    /// How much, where amounts are counted.
    pub(crate) amount: f64,
}

impl Event {
    /// The UTC day it happened on.
    pub(crate) fn day(&self) -> NaiveDate {
        day_of(self.event_time)
    }
}

/// The UTC day of a moment that was checked when it was read.
pub(crate) fn day_of(millis: i64) -> NaiveDate {
    DateTime::from_timestamp_millis(millis)
        .unwrap_or(DateTime::<Utc>::UNIX_EPOCH)
        .date_naive()
}

fn moments(values: Vec<Option<i64>>) -> PolarsResult<Column> {
    Column::new("moment".into(), values).cast(&DataType::Datetime(
        TimeUnit::Milliseconds,
        Some(TimeZone::UTC),
    ))
}

fn things<T>(events: &[Event], of: fn(Thing) -> T) -> Vec<Option<T>> {
    events.iter().map(|event| event.address.map(of)).collect()
}

/// Events as a table of the lake.
pub(crate) fn to_frame(
    events: &[Event],
    known_at: DateTime<Utc>,
    run_id: RunId,
) -> PolarsResult<DataFrame> {
    let run_id = run_id.to_string();
    let column = |name: &str, column: Column| column.with_name(name.into());
    let high = |event: &Event| u64::try_from(event.key >> 64).unwrap_or(u64::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    let low = |event: &Event| event.key as u64;
    let texts = |name: &str, of: fn(&Event) -> &str| {
        Column::new(name.into(), events.iter().map(of).collect::<Vec<_>>())
    };
    let columns = vec![
        Column::new(
            "key_high".into(),
            events.iter().map(high).collect::<Vec<_>>(),
        ),
        Column::new("key_low".into(), events.iter().map(low).collect::<Vec<_>>()),
        column(
            "event_time",
            moments(events.iter().map(|event| Some(event.event_time)).collect())?,
        ),
        column(
            "version",
            moments(events.iter().map(|event| Some(event.version)).collect())?,
        ),
        column(
            "modified",
            moments(events.iter().map(|event| Some(event.modified)).collect())?,
        ),
        column(
            "seen",
            moments(events.iter().map(|event| Some(event.seen)).collect())?,
        ),
        column(
            "at",
            moments(events.iter().map(|event| event.at).collect())?,
        ),
        Column::new(
            "never".into(),
            events.iter().map(|event| event.never).collect::<Vec<_>>(),
        ),
        Column::new(
            "counts".into(),
            events.iter().map(|event| event.counts).collect::<Vec<_>>(),
        ),
        texts("severity", |event| &event.severity),
        texts("product", |event| &event.product),
        texts("tactic", |event| &event.tactic),
        Column::new("address".into(), things(events, |thing| thing.hash)),
        Column::new("address_epoch".into(), things(events, |thing| thing.epoch)),
        Column::new(
            "amount".into(),
            events.iter().map(|event| event.amount).collect::<Vec<_>>(),
        ),
        column(
            "known_at",
            moments(vec![Some(known_at.timestamp_millis()); events.len()])?,
        ),
        Column::new("run_id".into(), vec![run_id.as_str(); events.len()]),
    ];
    DataFrame::new(events.len(), columns)
}

/// The events of a table of the lake.
pub(crate) fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<Event>> {
    let millis = |name: &str| frame.column(name)?.cast(&DataType::Int64);
    let (times, versions) = (millis("event_time")?, millis("version")?);
    let (times, versions) = (times.i64()?, versions.i64()?);
    // ready-made counts of before have no such columns
    let optional = |name: &str| match frame.column(name) {
        Ok(_) => millis(name).map(Some),
        Err(_) => Ok(None),
    };
    let (modified, seen, at_times) = (optional("modified")?, optional("seen")?, optional("at")?);
    let moment = |column: &Option<Column>, at: usize| {
        let column = column.as_ref().and_then(|column| column.i64().ok());
        column.and_then(|column| column.get(at))
    };
    let never = frame.column("never").ok().map(Column::bool).transpose()?;
    let high = frame.column("key_high")?.u64()?;
    let low = frame.column("key_low")?.u64()?;
    let counts = frame.column("counts")?.bool()?;
    let severities = frame.column("severity")?.str()?;
    let products = frame.column("product")?.str()?;
    let tactics = frame.column("tactic")?.str()?;
    let addresses = frame.column("address")?.u64()?;
    // files from before there were epochs have no such column
    let epochs = frame.column("address_epoch").ok();
    let epochs = epochs.map(Column::u32).transpose()?;
    let amounts = frame.column("amount")?.f64()?;
    let missing = || PolarsError::ComputeError("an event has an empty field".into());
    (0..frame.height())
        .map(|at| {
            let high = u128::from(high.get(at).ok_or_else(missing)?);
            let low = u128::from(low.get(at).ok_or_else(missing)?);
            let version = versions.get(at).ok_or_else(missing)?;
            Ok(Event {
                key: high << 64 | low,
                event_time: times.get(at).ok_or_else(missing)?,
                version,
                modified: moment(&modified, at).unwrap_or(version),
                seen: moment(&seen, at).unwrap_or(version),
                at: moment(&at_times, at),
                never: never.and_then(|never| never.get(at)).unwrap_or(false),
                counts: counts.get(at).ok_or_else(missing)?,
                severity: severities.get(at).ok_or_else(missing)?.to_owned(),
                product: products.get(at).ok_or_else(missing)?.to_owned(),
                tactic: tactics.get(at).ok_or_else(missing)?.to_owned(),
                address: addresses.get(at).map(|hash| Thing {
                    epoch: epochs.and_then(|epochs| epochs.get(at)).unwrap_or(0),
                    hash,
                }),
                amount: amounts.get(at).ok_or_else(missing)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        (
            any::<u128>(),
            0_i64..4_000_000_000_000,
            any::<Option<u32>>(),
            any::<bool>(),
            "\\PC{0,12}",
            any::<Option<(u32, u64)>>(),
            0.0_f64..1e9,
        )
            .prop_map(|(key, time, at, counts, label, address, amount)| Event {
                key,
                event_time: time,
                version: time + 1,
                modified: time + 2,
                seen: time,
                at: at.map(i64::from),
                never: !counts,
                counts,
                severity: "High".to_owned(),
                product: label,
                tactic: String::new(),
                address: address.map(|(epoch, hash)| Thing { epoch, hash }),
                amount,
            })
    }

    proptest! {
        #[test]
        fn events_come_back_from_a_table(events in prop::collection::vec(event(), 0..20)) {
            let frame = to_frame(&events, DateTime::<Utc>::UNIX_EPOCH, RunId::new()).expect("a table");
            prop_assert_eq!(from_frame(&frame).expect("events"), events);
        }
    }

    #[test]
    fn every_measure_is_counted_from_its_streams() {
        for measure in Measure::ALL {
            for stream in Stream::of(measure) {
                assert_eq!(stream.counted(), Some(measure), "{stream}");
            }
        }
    }
}
