//! From what was read to the lake and the ledger.
//!
//! The order makes a crash harmless: first the events, then the buckets of the days they touch, then
//! the ledger, in one transaction. What is not in the ledger does not count, so a run that is
//! repeated reads the same rows, finds the same events and writes the same buckets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use foretide_domain::{Measure, SentinelTable};
use foretide_lake::buckets::BucketStore;
use foretide_lake::{Lake, LakeError, Stored};
use futures::{StreamExt, TryStreamExt, stream};

use crate::days::{DayState, buckets};
use crate::event::{Event, Stream, from_frame, to_frame};
use crate::source::{IngestError, Run, TableReport};
use crate::storage::{Entry, EventFile, Ledger};

/// Days that are worked on at the same time.
const DAYS_AT_ONCE: usize = 4;
/// Tries to find a free name for a file of events.
const MAX_NAMES: u32 = 1000;

/// What was read of a table, before it is recorded.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<(Stream, Event)>,
    pub(crate) entry: Entry,
}

/// Records batches.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    lake: Lake,
    buckets: BucketStore,
    ledger: Ledger,
}

type Days = BTreeMap<(Stream, NaiveDate), Vec<Event>>;
type States = HashMap<(Stream, NaiveDate), DayState>;

impl Recorder {
    pub(crate) fn new(lake: Lake, ledger: Ledger) -> Self {
        Self {
            buckets: BucketStore::new(lake.clone()),
            lake,
            ledger,
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn buckets(&self) -> &BucketStore {
        &self.buckets
    }

    /// Records a batch: events, buckets, ledger. An empty batch writes nothing.
    pub(crate) async fn record(
        &self,
        table: SentinelTable,
        run: Run,
        batch: Batch,
        report: &mut TableReport,
    ) -> Result<(), IngestError> {
        let Batch {
            mut events,
            mut entry,
        } = batch;
        if events.is_empty() && entry.objects.is_empty() {
            return Ok(());
        }
        let before = self.ledger.watermark(table).await?;
        self.pin(&mut events, &mut entry).await?;
        let days = by_day(events);
        let mut states = self.states(days.keys().copied().collect(), run).await?;
        let (mut fresh, placed, duplicates) = merge(days, &mut states);
        let placed = by_day(placed);
        states.extend(self.states(placed.keys().copied().collect(), run).await?);
        fresh.extend(merge(placed, &mut states).0);

        entry.duplicates += duplicates;
        entry.event_files = self.write_events(&fresh, run).await?;
        let written = self
            .write_buckets(fresh.keys().copied(), &mut states, run)
            .await?;
        if !self
            .ledger
            .enter(table, run, before.as_ref(), &entry)
            .await?
        {
            return Err(IngestError::Overtaken(table));
        }
        report.rows_read += entry.rows;
        report.rows_duplicate += entry.duplicates;
        report.rows_quarantined += entry.refused;
        report.buckets_written += written;
        Ok(())
    }

    /// Gives every row of a thing the time at which a row of it was met first, so that all that is
    /// known of it lies in one place.
    async fn pin(
        &self,
        events: &mut [(Stream, Event)],
        entry: &mut Entry,
    ) -> Result<(), IngestError> {
        let mut first: BTreeMap<(SentinelTable, u128), i64> = BTreeMap::new();
        for (stream, event) in events.iter() {
            if let Some(table) = stream.table_of_things() {
                let time = first.entry((table, event.key)).or_insert(event.event_time);
                *time = (*time).min(event.event_time);
            }
        }
        let tables: BTreeSet<SentinelTable> = first.keys().map(|(table, _)| *table).collect();
        for table in tables {
            let keys: Vec<u128> = first
                .keys()
                .filter(|(of, _)| *of == table)
                .map(|(_, key)| *key)
                .collect();
            let known = self.ledger.first_seen(table.name(), &keys).await?;
            for key in keys {
                let time = first.entry((table, key)).or_default();
                match known.get(&key) {
                    Some(known) => *time = known.timestamp_millis(),
                    None => {
                        let moment = DateTime::from_timestamp_millis(*time);
                        let moment = moment.unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
                        let name = table.name().to_owned();
                        entry.first_seen.push((name, key, moment));
                    }
                }
            }
        }
        for (stream, event) in events {
            let table = stream.table_of_things();
            if let Some(time) = table.and_then(|table| first.get(&(table, event.key))) {
                event.event_time = *time;
            }
        }
        Ok(())
    }

    /// What is known of these days by the run's moment.
    async fn states(
        &self,
        days: BTreeSet<(Stream, NaiveDate)>,
        run: Run,
    ) -> Result<States, IngestError> {
        let mut by_stream: BTreeMap<Stream, Vec<NaiveDate>> = BTreeMap::new();
        for (stream, day) in days {
            by_stream.entry(stream).or_default().push(day);
        }
        let mut states = States::new();
        for (stream, days) in by_stream {
            let files = self
                .ledger
                .event_files(&stream.name(), &days, run.as_of)
                .await?;
            let mut of_day: BTreeMap<NaiveDate, Vec<EventFile>> =
                days.into_iter().map(|day| (day, Vec::new())).collect();
            for file in files {
                of_day.entry(file.day).or_default().push(file);
            }
            let loaded: Vec<_> = stream::iter(of_day)
                .map(|(day, files)| async move {
                    let state = self.load(stream, files).await?;
                    Ok::<_, IngestError>(((stream, day), state))
                })
                .buffered(DAYS_AT_ONCE)
                .try_collect()
                .await?;
            states.extend(loaded);
        }
        Ok(states)
    }

    async fn load(&self, stream: Stream, files: Vec<EventFile>) -> Result<DayState, IngestError> {
        let mut state = DayState::default();
        for file in files {
            let frame = self.lake.read_frame(&file.path, Some(&file.sha256)).await?;
            state.merge(stream, from_frame(&frame)?);
        }
        Ok(state)
    }

    async fn write_events(&self, fresh: &Days, run: Run) -> Result<Vec<EventFile>, IngestError> {
        // made beforehand: a closure in the stream would not be general enough in its lifetimes
        let writes: Vec<_> = fresh
            .iter()
            .map(|((stream, day), events)| self.write_event_file(*stream, *day, events, run))
            .collect();
        stream::iter(writes)
            .buffered(DAYS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn write_event_file(
        &self,
        stream: Stream,
        day: NaiveDate,
        events: &[Event],
        run: Run,
    ) -> Result<EventFile, IngestError> {
        let mut frame = to_frame(events, run.as_of, run.run_id)?;
        let base = format!(
            "events/{stream}/{day}/{:013}-{}",
            run.as_of.timestamp_millis(),
            run.run_id
        );
        let mut last = None;
        for name in 0..MAX_NAMES {
            let path = match name {
                0 => format!("{base}.parquet"),
                _ => format!("{base}-{name}.parquet"),
            };
            match self.lake.write_frame(&path, &mut frame).await {
                Ok(Stored { path, sha256, .. }) => {
                    return Ok(EventFile {
                        path,
                        stream: stream.name(),
                        day,
                        known_at: run.as_of,
                        rows: u64::try_from(events.len()).unwrap_or(u64::MAX),
                        sha256,
                    });
                }
                // an earlier batch of this run, or what a crash has left over
                Err(conflict @ LakeError::Conflict { .. }) => last = Some(conflict),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or(
            IngestError::Lake(LakeError::Conflict { path: base }),
            IngestError::Lake,
        ))
    }

    /// Writes the buckets of every measure and day that fresh events touch.
    async fn write_buckets(
        &self,
        touched: impl Iterator<Item = (Stream, NaiveDate)>,
        states: &mut States,
        run: Run,
    ) -> Result<u64, IngestError> {
        let touched: BTreeSet<(Measure, NaiveDate)> = touched
            .filter_map(|(stream, day)| Some((stream.counted()?, day)))
            .collect();
        let needed: BTreeSet<(Stream, NaiveDate)> = touched
            .iter()
            .flat_map(|(measure, day)| Stream::of(*measure).map(|stream| (stream, *day)))
            .filter(|place| !states.contains_key(place))
            .collect();
        states.extend(self.states(needed, run).await?);
        let states = &*states;
        let written: Vec<u64> = stream::iter(touched)
            .map(|(measure, day)| async move {
                let of_measure: Vec<_> = Stream::of(measure)
                    .into_iter()
                    .filter_map(|stream| Some((stream, states.get(&(stream, day))?)))
                    .collect();
                let rows = buckets(measure, day, &of_measure);
                let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                self.buckets
                    .write_day(measure, day, run.as_of, run.run_id, rows)
                    .await?;
                Ok::<_, IngestError>(count)
            })
            .buffered(DAYS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(written.into_iter().sum())
    }
}

fn by_day(events: Vec<(Stream, Event)>) -> Days {
    let mut days = Days::new();
    for (stream, event) in events {
        days.entry((stream, event.day())).or_default().push(event);
    }
    days
}

/// What is new of each day, what counts otherwise because of it, and how much was known already.
fn merge(days: Days, states: &mut States) -> (Days, Vec<(Stream, Event)>, u64) {
    let (mut fresh, mut placed, mut duplicates) = (Days::new(), Vec::new(), 0);
    for ((stream, day), events) in days {
        let merged = states
            .entry((stream, day))
            .or_default()
            .merge(stream, events);
        if counts_rows(stream) {
            duplicates += merged.duplicates;
        }
        if let Stream::Things(measure) = stream {
            let events = merged.placed.into_iter();
            placed.extend(events.map(|event| (Stream::Measured(measure), event)));
        }
        if !merged.fresh.is_empty() {
            fresh.insert((stream, day), merged.fresh);
        }
    }
    (fresh, placed, duplicates)
}

/// Whether an event stands for a row: every measure has one of each row of a thing, one is enough.
fn counts_rows(stream: Stream) -> bool {
    match stream {
        Stream::Things(measure) => {
            let measures = foretide_sentinel_tables::table(measure.table()).measures;
            measures
                .first()
                .is_some_and(|first| first.measure == measure)
        }
        Stream::Measured(_) | Stream::Counts(_) => true,
    }
}
