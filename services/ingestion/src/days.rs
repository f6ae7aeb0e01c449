//! From the events of a day to its buckets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use foretide_domain::Measure;
use foretide_lake::buckets::BucketRow;
use foretide_sentinel_tables::Counting;

use crate::event::{Event, Stream, Thing};

const HOUR_MS: i64 = 3_600_000;

/// The latest row of everything that happened on a day.
#[derive(Debug, Clone, Default)]
pub(crate) struct DayState {
    latest: HashMap<u128, Event>,
}

/// What a batch of events did to a day.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// Events that said something new, in the order given.
    pub(crate) fresh: Vec<Event>,
    /// Events that were known already, word for word or superseded.
    pub(crate) duplicates: u64,
    /// For incidents: closings that no longer stand and closings that now do.
    pub(crate) closings: Vec<Event>,
}

impl DayState {
    /// Takes events in; the latest version of each thing stays.
    pub(crate) fn merge(&mut self, stream: Stream, events: Vec<Event>) -> Merged {
        let mut merged = Merged::default();
        let mut before: BTreeMap<u128, Option<Event>> = BTreeMap::new();
        for event in events {
            let known = self.latest.get(&event.key);
            if known.is_some_and(|known| is_known(known, &event)) {
                merged.duplicates += 1;
                continue;
            }
            if tracks_closings(stream) {
                before.entry(event.key).or_insert_with(|| known.cloned());
            }
            self.latest.insert(event.key, event.clone());
            merged.fresh.push(event);
        }
        for (key, before) in before {
            if let Some(after) = self.latest.get(&key) {
                merged.closings.extend(closings(before.as_ref(), after));
            }
        }
        merged
    }

    /// What is there, in an order of its own that is always the same.
    fn events(&self) -> Vec<&Event> {
        let mut events: Vec<&Event> = self.latest.values().collect();
        events.sort_unstable_by_key(|event| (event.event_time, event.key));
        events
    }
}

/// Whether an event says nothing that is not known. A row with the same version and other content
/// is taken: where versions are coarse, the row read later is the newer.
fn is_known(known: &Event, event: &Event) -> bool {
    event.version < known.version || event == known
}

fn tracks_closings(stream: Stream) -> bool {
    stream == Stream::Table(foretide_domain::SentinelTable::SecurityIncident)
}

/// The closing of an incident is an event of its own, on the day of closing.
fn closings(before: Option<&Event>, after: &Event) -> Vec<Event> {
    let closing = |incident: &Event, at: i64, stands: bool| Event {
        event_time: at,
        version: after.version,
        counts: stands,
        closed_time: None,
        ..incident.clone()
    };
    let was = before.and_then(|before| before.closed_time);
    let withdrawn = before
        .zip(was)
        .filter(|(_, was)| Some(*was) != after.closed_time)
        .map(|(before, was)| closing(before, was, false));
    let standing = after.closed_time.map(|at| closing(after, at, true));
    withdrawn.into_iter().chain(standing).collect()
}

/// The buckets of a measure on a day, from the states of its streams.
pub(crate) fn buckets(
    measure: Measure,
    day: NaiveDate,
    states: &[(Stream, &DayState)],
) -> Vec<BucketRow> {
    let mut sums: BTreeMap<(i64, &str, &str, &str), f64> = BTreeMap::new();
    for (stream, state) in states {
        let counted = match stream {
            Stream::Counts(_) => amounts(state),
            _ => counts(measure, state),
        };
        for (place, value) in counted {
            *sums.entry(place).or_default() += value;
        }
    }
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let mut rows: BTreeMap<(DateTime<Utc>, &str, &str, &str), f64> = BTreeMap::new();
    for ((hour, severity, product, tactic), value) in sums {
        let time = if measure.is_daily() {
            midnight
        } else {
            midnight + TimeDelta::hours(hour)
        };
        *rows.entry((time, severity, product, tactic)).or_default() += value;
    }
    rows.into_iter()
        .filter(|(_, value)| *value > 0.0)
        .map(
            |((event_time, severity, product, tactic), value)| BucketRow {
                event_time,
                severity: severity.to_owned(),
                product: product.to_owned(),
                tactic: tactic.to_owned(),
                value,
            },
        )
        .collect()
}

type Place<'a> = (i64, &'a str, &'a str, &'a str);

fn counts(measure: Measure, state: &DayState) -> Vec<(Place<'_>, f64)> {
    let events = state.events();
    let placed = |event: &&'_ Event| hour_of(event);
    match measure {
        Measure::Incidents | Measure::Alerts => {
            events.iter().map(|event| (labelled(event), 1.0)).collect()
        }
        Measure::IncidentsClosed => events
            .iter()
            .filter(|event| event.counts)
            .map(|event| (labelled(event), 1.0))
            .collect(),
        Measure::FailedLogins => events
            .iter()
            .filter(|event| event.counts)
            .map(|event| ((placed(event), "", "", ""), 1.0))
            .collect(),
        Measure::ThreatIndicators => events
            .iter()
            .map(|event| ((placed(event), "", "", ""), 1.0))
            .collect(),
        Measure::IngestedMegabytes => events
            .iter()
            .map(|event| {
                (
                    (placed(event), "", event.product.as_str(), ""),
                    event.amount,
                )
            })
            .collect(),
        Measure::UniqueSourceIpsDaily => {
            let addresses: BTreeSet<Thing> =
                events.iter().filter_map(|event| event.address).collect();
            distinct(addresses.into_iter().map(|_| 0))
        }
        Measure::UniqueAttackerIps => {
            let addresses: BTreeSet<(i64, Thing)> = events
                .iter()
                .filter_map(|event| Some((hour_of(event), event.address?)))
                .collect();
            distinct(addresses.into_iter().map(|(hour, _)| hour))
        }
        _ => as_declared(measure, &events),
    }
}

fn as_declared<'e>(measure: Measure, events: &[&'e Event]) -> Vec<(Place<'e>, f64)> {
    let places = events.iter().map(|event| (labelled(event), event));
    match foretide_sentinel_tables::measure(measure).counting {
        Counting::Things => places.map(|(place, _)| (place, 1.0)).collect(),
        Counting::Sum(_) => places.map(|(place, event)| (place, event.amount)).collect(),
        Counting::Distinct(_) => {
            let different: BTreeSet<(Place<'_>, Thing)> = places
                .filter_map(|((hour, severity, product, tactic), event)| {
                    // a day is one place, whatever the hour
                    let hour = if measure.is_daily() { 0 } else { hour };
                    Some(((hour, severity, product, tactic), event.address?))
                })
                .collect();
            different
                .into_iter()
                .map(|(place, _)| (place, 1.0))
                .collect()
        }
    }
}

fn distinct(hours: impl Iterator<Item = i64>) -> Vec<(Place<'static>, f64)> {
    hours.map(|hour| ((hour, "", "", ""), 1.0)).collect()
}

fn amounts(state: &DayState) -> Vec<(Place<'_>, f64)> {
    state
        .events()
        .into_iter()
        .map(|event| (labelled(event), event.amount))
        .collect()
}

fn labelled(event: &Event) -> Place<'_> {
    (
        hour_of(event),
        &event.severity,
        &event.product,
        &event.tactic,
    )
}

/// Hour of the day, 0 to 23.
fn hour_of(event: &Event) -> i64 {
    event.event_time.div_euclid(HOUR_MS).rem_euclid(24)
}

#[cfg(test)]
mod tests {
    use foretide_domain::SentinelTable;
    use proptest::prelude::*;

    use super::*;

    const INCIDENTS: Stream = Stream::Table(SentinelTable::SecurityIncident);
    const MIDNIGHT: i64 = 1_795_132_800_000; // 2026-11-20

    fn day() -> NaiveDate {
        crate::event::day_of(MIDNIGHT)
    }

    fn incident(key: u128, version: i64, severity: &str, closed: Option<i64>) -> Event {
        Event {
            key,
            event_time: MIDNIGHT + HOUR_MS * 9,
            version,
            closed_time: closed,
            counts: true,
            severity: severity.to_owned(),
            product: "P".to_owned(),
            tactic: String::new(),
            address: None,
            amount: 1.0,
        }
    }

    fn count(state: &DayState, severity: &str) -> f64 {
        buckets(Measure::Incidents, day(), &[(INCIDENTS, state)])
            .iter()
            .filter(|row| row.severity == severity)
            .map(|row| row.value)
            .sum()
    }

    #[test]
    fn an_incident_counts_once_with_its_latest_severity() {
        let mut state = DayState::default();
        let rows = vec![
            incident(1, 10, "Low", None),
            incident(1, 30, "High", None),
            incident(1, 20, "Medium", None),
        ];
        let merged = state.merge(INCIDENTS, rows);
        assert_eq!((merged.fresh.len(), merged.duplicates), (2, 1));
        assert_eq!((count(&state, "High"), count(&state, "Low")), (1.0, 0.0));
    }

    #[test]
    fn reopening_withdraws_the_closing() {
        let mut state = DayState::default();
        let closed_at = MIDNIGHT + HOUR_MS * 30;
        let first = state.merge(INCIDENTS, vec![incident(1, 10, "Low", Some(closed_at))]);
        assert_eq!(first.closings.len(), 1);
        assert!(first.closings[0].counts);
        let second = state.merge(INCIDENTS, vec![incident(1, 20, "Low", None)]);
        assert_eq!(second.closings.len(), 1);
        assert!(!second.closings[0].counts);

        let mut closing_day = DayState::default();
        closing_day.merge(Stream::IncidentClosings, first.closings);
        let closed = |state: &DayState| {
            buckets(
                Measure::IncidentsClosed,
                crate::event::day_of(closed_at),
                &[(Stream::IncidentClosings, state)],
            )
            .len()
        };
        assert_eq!(closed(&closing_day), 1);
        closing_day.merge(Stream::IncidentClosings, second.closings);
        assert_eq!(closed(&closing_day), 0);
    }

    proptest! {
        /// Any order of the rows, any of them twice: the buckets are the same.
        #[test]
        fn order_and_repetition_do_not_matter(
            rows in prop::collection::vec((0_u128..5, 0_i64..1000, 0..4_usize), 1..30),
            seed in any::<u64>(),
        ) {
            let severities = ["High", "Medium", "Low", "Informational"];
            let mut seen = BTreeSet::new();
            let rows: Vec<Event> = rows
                .into_iter()
                .filter(|(key, version, _)| seen.insert((*key, *version)))
                .map(|(key, version, severity)| incident(key, version, severities[severity], None))
                .collect();
            let mut shuffled: Vec<Event> = rows.iter().chain(&rows).cloned().collect();
            shuffled.sort_by_key(|event| (event.key as u64 ^ event.version as u64).wrapping_mul(seed | 1));
            let (mut one, mut two) = (DayState::default(), DayState::default());
            one.merge(INCIDENTS, rows);
            two.merge(INCIDENTS, shuffled);
            prop_assert_eq!(
                buckets(Measure::Incidents, day(), &[(INCIDENTS, &one)]),
                buckets(Measure::Incidents, day(), &[(INCIDENTS, &two)])
            );
        }
    }
}
