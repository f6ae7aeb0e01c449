//! What is kept of a row: the little that is counted.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use foretide_domain::{Measure, RunId, SentinelTable};
use foretide_sentinel_tables::Identity;
use polars::prelude::*;

use crate::tables::is_declared;

/// Where events lie in the lake: `events/<stream>/<day>/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// Rows of a table, by when they happened.
    Table(SentinelTable),
    /// Closings of incidents, by when they were closed. Derived from the incidents.
    IncidentClosings,
    /// What a measure counts of a table that is read as it is declared.
    Measured(Measure),
    /// Ready-made hourly counts of a measure.
    Counts(Measure),
}

impl Stream {
    /// The name in paths and in the ledger.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Table(table) => table.name().to_owned(),
            Self::IncidentClosings => "IncidentClosings".to_owned(),
            Self::Measured(measure) => format!("measured-{}", measure.name()),
            Self::Counts(measure) => format!("counts-{}", measure.name()),
        }
    }

    /// The measures that are counted from it.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::Table(SentinelTable::SecurityIncident) => &[Measure::Incidents],
            Self::Table(SentinelTable::SecurityAlert) => &[Measure::Alerts],
            Self::Table(SentinelTable::SigninLogs) => {
                &[Measure::FailedLogins, Measure::UniqueSourceIpsDaily]
            }
            Self::Table(SentinelTable::CommonSecurityLog) => &[Measure::UniqueAttackerIps],
            Self::Table(SentinelTable::Usage) => &[Measure::IngestedMegabytes],
            Self::Table(SentinelTable::ThreatIntelIndicators) => &[Measure::ThreatIndicators],
            Self::IncidentClosings => &[Measure::IncidentsClosed],
            // read as declared: their events have streams of their own
            Self::Table(_) => &[],
            Self::Measured(measure) | Self::Counts(measure) => measure_slice(measure),
        }
    }

    /// The streams a measure is counted from.
    pub(crate) fn of(measure: Measure) -> [Self; 2] {
        let rows = match measure {
            Measure::IncidentsClosed => Self::IncidentClosings,
            _ if is_declared(measure.table()) => Self::Measured(measure),
            _ => Self::Table(measure.table()),
        };
        [rows, Self::Counts(measure)]
    }

    /// Whether its things are repeated later under other times, so that the first one seen counts.
    pub(crate) fn is_repeated(self) -> bool {
        let table = match self {
            Self::Table(table) => table,
            Self::Measured(measure) => measure.table(),
            Self::IncidentClosings | Self::Counts(_) => return false,
        };
        matches!(
            foretide_sentinel_tables::table(table).identity,
            Identity::First { .. }
        )
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

fn measure_slice(measure: Measure) -> &'static [Measure] {
    let at = Measure::ALL.iter().position(|known| *known == measure);
    static ALL: [Measure; Measure::ALL.len()] = Measure::ALL;
    at.map_or(&[], |at| &ALL[at..=at])
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
    /// When it happened.
    pub(crate) event_time: i64,
    /// Which of its rows is the newer.
    pub(crate) version: i64,
    /// When it was closed, if it is.
    pub(crate) closed_time: Option<i64>,
    /// Whether it counts: a failed sign-in, a closing that still stands.
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
            "closed_time",
            moments(events.iter().map(|event| event.closed_time).collect())?,
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
    let (times, versions, closings) = (
        millis("event_time")?,
        millis("version")?,
        millis("closed_time")?,
    );
    let (times, versions, closings) = (times.i64()?, versions.i64()?, closings.i64()?);
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
            Ok(Event {
                key: high << 64 | low,
                event_time: times.get(at).ok_or_else(missing)?,
                version: versions.get(at).ok_or_else(missing)?,
                closed_time: closings.get(at),
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
            .prop_map(
                |(key, time, closed, counts, label, address, amount)| Event {
                    key,
                    event_time: time,
                    version: time + 1,
                    closed_time: closed.map(i64::from),
                    counts,
                    severity: "High".to_owned(),
                    product: label,
                    tactic: String::new(),
                    address: address.map(|(epoch, hash)| Thing { epoch, hash }),
                    amount,
                },
            )
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
                assert!(
                    stream.measures().contains(&measure),
                    "{measure} from {stream}"
                );
            }
        }
    }
}
