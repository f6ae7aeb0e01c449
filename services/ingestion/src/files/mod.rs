//! Exported tables on disk or in an object store.
//!
//! Every object is remembered: which content it had, how far it was read, and by which moment. A
//! second look at an unchanged object costs nothing; of a grown one only what was added is read.
//! A row that was logged after the run's moment waits: the object stays open at its first such row,
//! and rows behind it that were taken are not taken again.

mod layout;
mod lines;
mod object;
mod plan;
mod taker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{RunId, SentinelTable};
use foretide_lake::{LakeConfig, LakeError, open_object_store};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use self::layout::{Format, Kind, Placed, classify, export_table};
use self::object::{ObjectError, Task};
use self::plan::ReadPlan;
use self::taker::{Findings, Resume, millis};
use crate::config::FilesConfig;
use crate::pseudonym::Pseudonyms;
use crate::recorder::{Batch, Recorder};
use crate::rows::{Reason, Refusal};
use crate::source::{HistorySource, IngestError, Run, TableProgress, TableReport};
use crate::storage::{ObjectState, QuarantinedRow};

/// Objects that are read at the same time.
const READS_AT_ONCE: usize = 4;
/// Events after which a batch is recorded.
const BATCH_EVENTS: usize = 250_000;
/// Objects after which a batch is recorded.
const BATCH_OBJECTS: usize = 20_000;

/// A place with exported tables.
struct Location {
    store: Arc<dyn ObjectStore>,
    /// Stands before the paths of its objects: `am-<table>/` for the container of one table.
    prefix: String,
}

/// The `files` source.
pub(crate) struct FilesSource {
    config: FilesConfig,
    locations: Vec<Location>,
    pseudonyms: Pseudonyms,
    recorder: Recorder,
    listing: Mutex<Option<(RunId, Arc<Listing>)>>,
}

/// The objects of each table, by path.
type Listing = HashMap<SentinelTable, Vec<Found>>;

/// An object of ours.
#[derive(Debug, Clone)]
struct Found {
    path: String,
    location: usize,
    at: Path,
    size: u64,
    etag: String,
    modified: DateTime<Utc>,
    placed: Placed,
}

impl FilesSource {
    /// Opens the locations. They must exist.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(crate) fn open(
        config: FilesConfig,
        pseudonyms: Pseudonyms,
        recorder: Recorder,
    ) -> Result<Self, LakeError> {
        let locations = config
            .locations
            .iter()
            .map(|location| {
                Ok(Location {
                    store: open_object_store(location)?,
                    prefix: prefix_of(location),
                })
            })
            .collect::<Result<_, LakeError>>()?;
        Ok(Self {
            config,
            locations,
            pseudonyms,
            recorder,
            listing: Mutex::new(None),
        })
    }

    async fn list(&self) -> Result<Listing, IngestError> {
        let mut listing = Listing::new();
        for (index, location) in self.locations.iter().enumerate() {
            let mut objects = location.store.list(None);
            while let Some(meta) = objects
                .try_next()
                .await
                .map_err(|error| unreachable(&error))?
            {
                let Some((table, found)) = self.found(index, &location.prefix, meta) else {
                    continue;
                };
                listing.entry(table).or_default().push(found);
            }
        }
        for objects in listing.values_mut() {
            objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(listing)
    }

    fn found(
        &self,
        location: usize,
        prefix: &str,
        meta: ObjectMeta,
    ) -> Option<(SentinelTable, Found)> {
        let path = format!("{prefix}{}", meta.location);
        let placed = classify(&path, &self.config)?;
        let table = match placed.kind {
            Kind::Table(table) => table,
            Kind::Counts(at) => self.config.counts[at].measure.table(),
        };
        let found = Found {
            path,
            location,
            at: meta.location,
            size: meta.size,
            etag: meta
                .e_tag
                .unwrap_or_else(|| meta.last_modified.to_rfc3339()),
            modified: meta.last_modified,
            placed,
        };
        Some((table, found))
    }

    fn listed(&self, run: Run, table: SentinelTable) -> Vec<Found> {
        let listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        match listing.as_ref() {
            Some((run_id, listing)) if *run_id == run.run_id => {
                listing.get(&table).cloned().unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// How to read an object now; nothing when there is nothing new in it.
    fn task(&self, found: &Found, known: Option<&ObjectState>, run: Run) -> Option<Task> {
        let as_of = millis(run.as_of);
        if found.placed.folder_time.is_some_and(|time| time > as_of) {
            return None;
        }
        let (resume, head) = match known {
            None => (Resume::default(), String::new()),
            Some(known) if known.etag == found.etag && known.size == found.size => {
                if known.consumed >= known.seen || run.as_of <= known.read_as_of {
                    return None;
                }
                (resume_of(known), String::new())
            }
            Some(known) if found.size > known.size && found.placed.format != Format::Parquet => {
                (resume_of(known), known.head.clone())
            }
            Some(_) => (Resume::default(), String::new()),
        };
        let settle = TimeDelta::hours(i64::from(self.config.settle_hours));
        Some(Task {
            format: found.placed.format,
            gzip: found.placed.gzip,
            plan: ReadPlan::new(
                &found.path,
                found.placed,
                &self.config,
                &self.pseudonyms,
                as_of,
            ),
            resume,
            head,
            is_settled: found.modified + settle < run.as_of,
            size: found.size,
        })
    }

    async fn read(&self, found: Found, task: Task) -> Result<Reading, IngestError> {
        let start = task.resume;
        let got = self.locations[found.location].store.get(&found.at).await;
        let outcome = match got {
            Err(error) => Err(ObjectError::Store(error.to_string())),
            Ok(result) => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || object::read(result, task, &runtime)).await?
            }
        };
        Ok(Reading {
            found,
            start,
            outcome,
        })
    }
}

/// What came of reading an object.
struct Reading {
    found: Found,
    start: Resume,
    outcome: Result<(Findings, String), ObjectError>,
}

#[async_trait]
impl HistorySource for FilesSource {
    async fn begin(&self, run: Run) -> Result<(), IngestError> {
        let listing = Arc::new(self.list().await?);
        let mut place = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((run.run_id, listing));
        Ok(())
    }

    async fn ingest(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let known = self.recorder.ledger().objects(table).await?;
        let tasks: Vec<(Found, Task)> = self
            .listed(run, table)
            .into_iter()
            .filter_map(|found| {
                let task = self.task(&found, known.get(&found.path), run)?;
                Some((found, task))
            })
            .collect();
        let total = tasks.len();
        let mut report = TableReport::default();
        let mut batch = Batch::default();
        // made beforehand: a closure here would keep the future from being Send for every lifetime
        let reads: Vec<_> = tasks
            .into_iter()
            .map(|(found, task)| self.read(found, task))
            .collect();
        let mut readings = stream::iter(reads).buffered(READS_AT_ONCE);
        let mut done = 0;
        while let Some(reading) = readings.next().await {
            take(table, run, reading?, &mut batch, &mut report);
            done += 1;
            if batch.events.len() >= BATCH_EVENTS || batch.entry.objects.len() >= BATCH_OBJECTS {
                let full = std::mem::take(&mut batch);
                self.recorder.record(table, run, full, &mut report).await?;
            }
            if done % 64 == 0 || done == total {
                progress(done, total);
            }
        }
        self.recorder.record(table, run, batch, &mut report).await?;
        report.watermark = self
            .recorder
            .ledger()
            .watermark(table)
            .await?
            .and_then(|watermark| watermark.event_time);
        Ok(report)
    }
}

fn unreachable(error: &object_store::Error) -> IngestError {
    IngestError::Source {
        problem: "its objects cannot be listed".to_owned(),
        source: error.to_string().into(),
    }
}

fn prefix_of(location: &LakeConfig) -> String {
    let name = location
        .url
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or("");
    match export_table(name) {
        Some(_) => format!("{name}/"),
        None => String::new(),
    }
}

fn resume_of(known: &ObjectState) -> Resume {
    Resume {
        consumed: known.consumed,
        lines: known.lines,
        seen: known.seen,
        read_as_of: millis(known.read_as_of),
    }
}

/// Puts what was read into the batch and the report.
fn take(
    table: SentinelTable,
    run: Run,
    reading: Reading,
    batch: &mut Batch,
    report: &mut TableReport,
) {
    let Reading {
        found,
        start,
        outcome,
    } = reading;
    match outcome {
        Err(ObjectError::Store(problem)) => {
            tracing::warn!(object = %found.path, %problem, "an object could not be read");
            report.trouble.push(format!("{}: {problem}", found.path));
        }
        Err(ObjectError::Refused(refusal)) => {
            let end = u64::MAX >> 1;
            batch
                .entry
                .quarantined
                .push(quarantined(table, run, &found.path, 0, refusal));
            batch.entry.refused += 1;
            batch.entry.rows += 1;
            batch
                .entry
                .objects
                .push(state(&found, run, (end, end, 0), String::new()));
            report.objects_read += 1;
        }
        Ok((findings, head)) => {
            report.rows_waiting += findings.waiting;
            if findings.rows == 0 && findings.consumed == start.consumed {
                // nothing was taken: the object is looked at again when its rows are due
                return;
            }
            report.objects_read += 1;
            let refusals = findings.refusals.into_iter();
            batch.entry.quarantined.extend(
                refusals.map(|(line, refusal)| quarantined(table, run, &found.path, line, refusal)),
            );
            batch.entry.refused += findings.refused;
            batch.entry.rows += findings.rows;
            let newest = findings
                .newest
                .and_then(DateTime::from_timestamp_millis)
                .map(|newest| newest.min(run.as_of));
            batch.entry.watermark = batch.entry.watermark.max(newest);
            let positions = (findings.consumed, findings.seen, findings.lines);
            batch
                .entry
                .objects
                .push(state(&found, run, positions, head));
            batch.entry.met.extend(findings.met);
            batch.events.extend(findings.events);
        }
    }
}

fn state(found: &Found, run: Run, positions: (u64, u64, u64), head: String) -> ObjectState {
    let (consumed, seen, lines) = positions;
    ObjectState {
        path: found.path.clone(),
        size: found.size,
        etag: found.etag.clone(),
        consumed,
        seen,
        lines,
        head,
        read_as_of: run.as_of,
    }
}

fn quarantined(
    table: SentinelTable,
    run: Run,
    object: &str,
    line: u64,
    refusal: Refusal,
) -> QuarantinedRow {
    let Refusal { reason, sample } = refusal;
    if reason == Reason::BrokenObject {
        tracing::warn!(%object, %sample, "an object was put into quarantine");
    }
    QuarantinedRow {
        table: table.name().to_owned(),
        object: object.to_owned(),
        line,
        reason: reason.word().to_owned(),
        sample,
        known_at: run.as_of,
        run_id: run.run_id,
    }
}
