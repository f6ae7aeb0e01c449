//! Exported tables on disk or in an object store.
//!
//! Every object is remembered: which content it had, how far it was read, and by which moment. A
//! second look at an unchanged object costs nothing; of a grown one only what was added is read.
//! A row that was logged after the run's moment waits: the object stays open at its first such row,
//! and rows behind it that were taken are not taken again.

mod backfill;
mod csv;
mod layout;
mod lines;
mod object;
mod plan;
mod reading;
mod sample;
mod taker;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{RunId, SentinelTable, TimeSpan};
use foretide_lake::{LakeConfig, LakeError, open_object_store};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetResult, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use self::layout::{Format, Kind, Placed, classify, export_job, export_table};
use self::object::{ObjectError, Task};
use self::plan::ReadPlan;
use self::reading::{
    Reading, is_damaged, is_read_by_these_rules, is_refused, is_unchanged, resume_of, take,
};
use self::taker::{Findings, Resume, millis};
use crate::backfill::{Scope, Survey};
use crate::config::FilesConfig;
use crate::pseudonym::Pseudonyms;
use crate::recorder::{Batch, Recorder};
use crate::source::{HistorySource, IngestError, LocationFound, Run, TableProgress, TableReport};
use crate::storage::ObjectState;
use crate::tables::RULES;

/// Objects that are read at the same time.
const READS_AT_ONCE: usize = 4;
/// Events after which a batch is recorded.
const BATCH_EVENTS: usize = 250_000;
/// Objects after which a batch is recorded.
const BATCH_OBJECTS: usize = 20_000;

/// A place with exported tables.
struct Location {
    store: Arc<dyn ObjectStore>,
    url: String,
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

/// What the locations hold.
#[derive(Debug, Default)]
struct Listing {
    /// The objects of each table, by path.
    tables: HashMap<SentinelTable, Vec<Found>>,
    /// Export jobs of which nothing tells the table.
    unknown_jobs: BTreeSet<String>,
    locations: Vec<LocationFound>,
}

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
                    url: location.url.clone(),
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
        let mut listing = Listing::default();
        for (index, location) in self.locations.iter().enumerate() {
            let mut holds = LocationFound {
                location: location.url.clone(),
                objects: 0,
                others: 0,
                first_other: None,
            };
            let mut objects = location.store.list(None);
            while let Some(meta) = objects
                .try_next()
                .await
                .map_err(|error| unreachable(&error))?
            {
                let path = format!("{}{}", location.prefix, meta.location);
                match self.found(index, path, meta) {
                    Ok((table, found)) => {
                        holds.objects += 1;
                        listing.tables.entry(table).or_default().push(found);
                    }
                    Err(path) => {
                        holds.others += 1;
                        listing
                            .unknown_jobs
                            .extend(export_job(&path).map(|job| job.id.to_owned()));
                        if holds.first_other.as_ref().is_none_or(|first| path < *first) {
                            holds.first_other = Some(path);
                        }
                    }
                }
            }
            listing.locations.push(holds);
        }
        for objects in listing.tables.values_mut() {
            objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(listing)
    }

    /// The object and its table; its path back when it is none of ours.
    fn found(
        &self,
        location: usize,
        path: String,
        meta: ObjectMeta,
    ) -> Result<(SentinelTable, Found), String> {
        let Some(placed) = classify(&path, &self.config) else {
            return Err(path);
        };
        let table = match placed.kind {
            Kind::Table(table) => table,
            Kind::Counts(at) => self.config.counts[at].measure.table(),
        };
        let found = Found {
            path,
            location,
            etag: self.version_of(&meta, placed.format),
            at: meta.location,
            size: meta.size,
            modified: meta.last_modified,
            placed,
        };
        Ok((table, found))
    }

    /// By which an object is known to be the same, read by the same rules.
    fn version_of(&self, meta: &ObjectMeta, format: Format) -> String {
        let version = meta.e_tag.clone();
        let version = version.unwrap_or_else(|| meta.last_modified.to_rfc3339());
        match self.config.date_order {
            Some(order) if format == Format::Csv => format!("{RULES} {version} {order:?}"),
            _ => format!("{RULES} {version}"),
        }
    }

    /// What [`HistorySource::begin`] has found for the run; found anew when another run has begun
    /// meanwhile.
    async fn listed(&self, run: Run) -> Result<Arc<Listing>, IngestError> {
        let kept = {
            let listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = listing.as_ref().filter(|(id, _)| *id == run.run_id);
            kept.map(|(_, listing)| Arc::clone(listing))
        };
        match kept {
            Some(listing) => Ok(listing),
            None => self.begin_listing(run).await,
        }
    }

    async fn begin_listing(&self, run: Run) -> Result<Arc<Listing>, IngestError> {
        let listing = Arc::new(self.list().await?);
        let mut place = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((run.run_id, Arc::clone(&listing)));
        Ok(listing)
    }

    /// How to read an object now; nothing when there is nothing new in it. What is wrong with a damaged
    /// one is told as long as it is damaged.
    fn task(&self, found: &Found, known: Option<&ObjectState>, run: Run) -> Option<Task> {
        let as_of = millis(run.as_of);
        if found.placed.folder_time.is_some_and(|time| time > as_of) {
            return None;
        }
        let (resume, head) = match known {
            None => (Resume::default(), String::new()),
            Some(known) if is_unchanged(known, found) => {
                if is_damaged(known, found) {
                    (resume_of(known), String::new())
                } else if known.consumed >= known.seen || run.as_of <= known.read_as_of {
                    return None;
                } else {
                    (resume_of(known), String::new())
                }
            }
            Some(known) if is_refused(known) || !is_read_by_these_rules(known) => {
                (Resume::default(), String::new())
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
            dates: None,
            is_settled: found.modified + settle < run.as_of,
            size: found.size,
        })
    }

    /// Reads objects and records what is new in them.
    async fn read_all(
        &self,
        table: SentinelTable,
        run: Run,
        tasks: Vec<(Found, Task, bool)>,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let total = tasks.len();
        let mut report = TableReport::default();
        let mut batch = Batch::default();
        // made beforehand: a closure here would keep the future from being Send for every lifetime
        let reads: Vec<_> = tasks
            .into_iter()
            .map(|(found, task, is_known)| self.read(found, task, is_known))
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

    /// The objects of which something is to be read, and whether it is known that they are damaged.
    fn tasks<'a>(
        &self,
        objects: impl Iterator<Item = &'a Found>,
        known: &HashMap<String, ObjectState>,
        run: Run,
    ) -> Vec<(Found, Task, bool)> {
        objects
            .filter_map(|found| {
                let known = known.get(&found.path);
                let task = self.task(found, known, run)?;
                let is_known = known
                    .is_some_and(|known| is_unchanged(known, found) && is_damaged(known, found));
                Some((found.clone(), task, is_known))
            })
            .collect()
    }

    async fn read(&self, found: Found, task: Task, is_known: bool) -> Result<Reading, IngestError> {
        let start = task.resume;
        let outcome = self.findings(&found, task).await?;
        Ok(Reading {
            found,
            start,
            is_known,
            outcome,
        })
    }

    async fn findings(
        &self,
        found: &Found,
        mut task: Task,
    ) -> Result<Result<(Findings, String), ObjectError>, IngestError> {
        if task.format == Format::Csv {
            let judge = task.clone();
            let judge = move |got, runtime: &Handle| object::judge_dates(got, &judge, runtime);
            match self.on_thread(found, judge).await? {
                Ok(order) => task.dates = order,
                Err(error) => return Ok(Err(error)),
            }
        }
        self.on_thread(found, move |got, runtime| object::read(got, task, runtime))
            .await
    }

    /// Works on an object's bytes on a thread that may block.
    async fn on_thread<T: Send + 'static>(
        &self,
        found: &Found,
        work: impl FnOnce(GetResult, &Handle) -> Result<T, ObjectError> + Send + 'static,
    ) -> Result<Result<T, ObjectError>, IngestError> {
        let got = self.locations[found.location].store.get(&found.at).await;
        match got {
            Err(error) => Ok(Err(ObjectError::Store(error.to_string()))),
            Ok(got) => {
                let runtime = Handle::current();
                Ok(tokio::task::spawn_blocking(move || work(got, &runtime)).await?)
            }
        }
    }
}

#[async_trait]
impl HistorySource for FilesSource {
    async fn begin(&self, run: Run) -> Result<Vec<LocationFound>, IngestError> {
        Ok(self.begin_listing(run).await?.locations.clone())
    }

    async fn ingest(
        &self,
        table: SentinelTable,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let listing = self.listed(run).await?;
        let known = self.recorder.ledger().objects(table).await?;
        let objects = listing.tables.get(&table).into_iter().flatten();
        let tasks = self.tasks(objects, &known, run);
        self.read_all(table, run, tasks, progress).await
    }

    async fn survey(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Survey, IngestError> {
        self.survey_table(table, span, run).await
    }

    async fn backfill(
        &self,
        scope: &Scope,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        self.read_part(scope, run, progress).await
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
