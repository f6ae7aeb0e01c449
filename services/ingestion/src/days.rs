//! From the events of a day to its buckets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use foretide_domain::Measure;
use foretide_lake::buckets::BucketRow;
use foretide_sentinel_tables::{Counting, Identity};

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
    /// Events that said something new; of things, what is known of each now.
    pub(crate) fresh: Vec<Event>,
    /// Events that were known already, word for word or superseded.
    pub(crate) duplicates: u64,
    /// For things: what no longer counts where it did, and what counts where it did not.
    pub(crate) placed: Vec<Event>,
}

impl DayState {
    /// Takes events in; the latest version of each thing stays.
    pub(crate) fn merge(&mut self, stream: Stream, events: Vec<Event>) -> Merged {
        match stream {
            Stream::Things(measure) => self.merge_things(measure, events),
            Stream::Measured(_) | Stream::Counts(_) => self.merge_events(events),
        }
    }

    fn merge_events(&mut self, events: Vec<Event>) -> Merged {
        let mut merged = Merged::default();
        for event in events {
            let known = self.latest.get(&event.key);
            if known.is_some_and(|known| is_known(known, &event)) {
                merged.duplicates += 1;
                continue;
            }
            self.latest.insert(event.key, event.clone());
            merged.fresh.push(event);
        }
        merged
    }

    fn merge_things(&mut self, measure: Measure, rows: Vec<Event>) -> Merged {
        let identity = foretide_sentinel_tables::table(measure.table()).identity;
        let mut merged = Merged::default();
        let mut before: BTreeMap<u128, Option<Event>> = BTreeMap::new();
        for row in rows {
            let known = self.latest.get(&row.key);
            let now = known.map_or_else(|| row.clone(), |known| joined(identity, known, &row));
            if known == Some(&now) {
                merged.duplicates += 1;
                continue;
            }
            before.entry(now.key).or_insert_with(|| known.cloned());
            self.latest.insert(now.key, now);
        }
        for (key, before) in before {
            if let Some(after) = self.latest.get(&key) {
                let was = before.and_then(|before| placed(identity, &before));
                merged
                    .placed
                    .extend(moved(was, placed(identity, after), after));
                merged.fresh.push(after.clone());
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

/// What two rows of a thing tell together, whichever is read first: the rules of [`Identity`].
fn joined(identity: Identity, one: &Event, other: &Event) -> Event {
    let age = |event: &Event| (event.version, event.modified);
    let newest = match age(one).cmp(&age(other)) {
        Ordering::Less => other.clone(),
        Ordering::Greater => one.clone(),
        Ordering::Equal => Event {
            at: one.at.max(other.at),
            counts: one.counts | other.counts,
            severity: one.severity.as_str().max(&other.severity).to_owned(),
            product: one.product.as_str().max(&other.product).to_owned(),
            tactic: one.tactic.as_str().max(&other.tactic).to_owned(),
            ..one.clone()
        },
    };
    let at = match identity {
        Identity::First { .. } => one.at.into_iter().chain(other.at).min(),
        Identity::Latest { .. } | Identity::EachRow => newest.at,
    };
    Event {
        at,
        event_time: one.event_time,
        seen: one.seen.min(other.seen),
        never: one.never | other.never,
        ..newest
    }
}

/// A thing as it is counted, if it is.
fn placed(identity: Identity, thing: &Event) -> Option<Event> {
    let at = match identity {
        Identity::First { .. } => thing.at.or(Some(thing.seen)),
        Identity::Latest { .. } | Identity::EachRow => thing.at,
    };
    let event_time = at.filter(|_| thing.counts && !thing.never)?;
    Some(Event {
        event_time,
        ..thing.clone()
    })
}

/// What changes where a thing is counted.
fn moved(was: Option<Event>, is: Option<Event>, after: &Event) -> impl Iterator<Item = Event> {
    let at = is.as_ref().map(|is| is.event_time);
    let withdrawn = was.filter(|was| Some(was.event_time) != at);
    let withdrawn = withdrawn.map(|was| Event {
        version: after.version,
        counts: false,
        ..was
    });
    withdrawn.into_iter().chain(is)
}

/// The buckets of a measure on a day, from the states of its streams.
pub(crate) fn buckets(
    measure: Measure,
    day: NaiveDate,
    states: &[(Stream, &DayState)],
) -> Vec<BucketRow> {
    let mut sums: BTreeMap<(i64, &str, &str, &str), f64> = BTreeMap::new();
    for (stream, state) in states {
        let counting = match stream {
            Stream::Counts(_) => None,
            _ => Some(foretide_sentinel_tables::measure(measure).counting),
        };
        for (place, value) in counted(measure, counting, state) {
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

/// Places and values; without a way of counting, the amounts as they are.
fn counted<'e>(
    measure: Measure,
    counting: Option<Counting>,
    state: &'e DayState,
) -> Vec<(Place<'e>, f64)> {
    let events = state.events().into_iter().filter(|event| event.counts);
    let places = events.map(|event| (labelled(event), event));
    match counting {
        Some(Counting::Things) => places.map(|(place, _)| (place, 1.0)).collect(),
        None | Some(Counting::Sum(_)) => {
            places.map(|(place, event)| (place, event.amount)).collect()
        }
        Some(Counting::Distinct(_)) => {
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
    use proptest::prelude::*;

    use super::*;

    const THINGS: Stream = Stream::Things(Measure::Incidents);
    const MIDNIGHT: i64 = 1_795_132_800_000; // 2026-11-20

    fn row(key: u128, version: i64, severity: &str, at: Option<i64>) -> Event {
        Event {
            key,
            event_time: MIDNIGHT,
            version,
            modified: version,
            seen: version,
            at,
            never: false,
            counts: true,
            severity: severity.to_owned(),
            product: "P".to_owned(),
            tactic: String::new(),
            address: None,
            amount: 1.0,
        }
    }

    /// The severities that are counted on the day of a moment, after rows were read one by one.
    fn counted_on(moment: i64, rows: &[Event]) -> Vec<String> {
        let (mut things, mut day) = (DayState::default(), DayState::default());
        for row in rows {
            for placed in things.merge(THINGS, vec![row.clone()]).placed {
                if placed.day() == crate::event::day_of(moment) {
                    day.merge(Stream::Measured(Measure::Incidents), vec![placed]);
                }
            }
        }
        let states = [(Stream::Measured(Measure::Incidents), &day)];
        let rows = buckets(Measure::Incidents, crate::event::day_of(moment), &states);
        rows.into_iter().map(|row| row.severity).collect()
    }

    #[test]
    fn a_thing_counts_once_with_its_latest_row() {
        let at = Some(MIDNIGHT + 9 * HOUR_MS);
        let rows = [
            row(1, 10, "Low", at),
            row(1, 30, "High", at),
            row(1, 20, "Medium", at),
        ];
        assert_eq!(counted_on(MIDNIGHT, &rows), ["High"]);
        let mut state = DayState::default();
        let merged = state.merge(THINGS, rows.to_vec());
        assert_eq!((merged.fresh.len(), merged.duplicates), (1, 1));
    }

    #[test]
    fn what_moves_or_is_withdrawn_is_counted_there_no_more() {
        let (first, second) = (MIDNIGHT + HOUR_MS, MIDNIGHT + 30 * HOUR_MS);
        let mut rows = vec![
            row(1, 10, "Low", Some(first)),
            row(1, 20, "Low", Some(second)),
        ];
        assert_eq!(counted_on(first, &rows).len(), 0);
        assert_eq!(counted_on(second, &rows).len(), 1);
        rows.push(row(1, 30, "Low", None));
        assert_eq!(counted_on(second, &rows).len(), 0);
    }

    #[test]
    fn a_thing_that_is_never_counted_stays_so() {
        let at = Some(MIDNIGHT);
        let ours = Event {
            never: true,
            ..row(1, 10, "Low", at)
        };
        for rows in [
            [ours.clone(), row(1, 20, "High", at)],
            [row(1, 20, "High", at), ours],
        ] {
            assert_eq!(counted_on(MIDNIGHT, &rows).len(), 0);
        }
    }

    proptest! {
        /// Any order of the rows, any of them twice, ties among them: the same is known in the end.
        #[test]
        fn order_and_repetition_do_not_matter(
            rows in prop::collection::vec((0_u128..4, 0_i64..4, 0_i64..2, 0..4_usize, any::<bool>()), 1..30),
            seed in any::<u64>(),
        ) {
            let severities = ["High", "Medium", "Low", "Informational"];
            let rows: Vec<Event> = rows
                .into_iter()
                .map(|(key, version, modified, severity, counts)| Event {
                    modified,
                    counts,
                    ..row(key, version, severities[severity], Some(MIDNIGHT + version))
                })
                .collect();
            let mut shuffled: Vec<Event> = rows.iter().chain(&rows).cloned().collect();
            shuffled.sort_by_key(|event| {
                (event.key as u64 ^ event.version as u64 ^ event.modified as u64).wrapping_mul(seed | 1)
            });
            for measure in [Measure::Incidents, Measure::Alerts] {
                let (mut one, mut two) = (DayState::default(), DayState::default());
                one.merge(Stream::Things(measure), rows.clone());
                for event in &shuffled {
                    two.merge(Stream::Things(measure), vec![event.clone()]);
                }
                prop_assert_eq!(&one.latest, &two.latest);
            }
        }
    }
}
