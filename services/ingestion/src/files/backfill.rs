//! Parts of a backfill: days of exports, and objects whose path tells no day.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{SentinelTable, TimeSpan, floor_day};

use super::layout::Format;
use super::reading::unread_bytes;
use super::sample::rows_per_byte;
use super::{FilesSource, Found};
use crate::backfill::{Expected, Origin, PlannedPart, Scope, Survey};
use crate::source::{IngestError, Run, TableProgress, TableReport};

/// Objects that are looked into before it is given up to tell how many rows there are.
const SAMPLES: usize = 3;

/// Objects that are written alike, and hence have about as many rows a byte.
type Alike = (Origin, Format, bool);

impl FilesSource {
    /// The parts of a table with what is still to be read of each.
    pub(super) async fn survey_table(
        &self,
        table: SentinelTable,
        span: TimeSpan,
        run: Run,
    ) -> Result<Survey, IngestError> {
        let listing = self.listed(run).await?;
        let known = self.recorder.ledger().objects(table).await?;
        let objects = listing.tables.get(&table).into_iter().flatten();
        let objects = objects.filter(|found| day_of(found).is_none_or(|day| span.contains(day)));
        let tasks = self.tasks(objects, &known, run);
        let mut bytes: BTreeMap<(DateTime<Utc>, String, Alike), u64> = BTreeMap::new();
        let mut alike: BTreeMap<Alike, Vec<&Found>> = BTreeMap::new();
        for (found, task, _) in &tasks {
            let kind = kind_of(found);
            let (start, object) = match day_of(found) {
                Some(day) => (day, String::new()),
                None => (span.start, found.path.clone()),
            };
            *bytes.entry((start, object, kind)).or_default() += unread_bytes(found, task.resume);
            alike.entry(kind).or_default().push(found);
        }
        let rates = self.rates(alike).await?;
        let mut parts: BTreeMap<(DateTime<Utc>, String, Origin), Expected> = BTreeMap::new();
        for ((start, object, kind), bytes) in bytes {
            let expected = Expected {
                bytes: Some(bytes),
                rows: rates.get(&kind).map(|rate| rows(bytes, *rate)),
                ..Expected::default()
            };
            let part = parts.entry((start, object, kind.0)).or_default();
            *part = part.and(expected);
        }
        let parts = parts.into_iter();
        Ok(Survey {
            parts: parts
                .map(|((start, object, origin), expected)| {
                    let end = match object.as_str() {
                        "" => start + TimeDelta::days(1),
                        _ => span.end,
                    };
                    let scope = Scope {
                        table,
                        span: TimeSpan { start, end },
                        origin,
                        object,
                    };
                    PlannedPart { scope, expected }
                })
                .collect(),
            remarks: remarks(&listing.unknown_jobs),
        })
    }

    /// Rows a byte of each kind of object, where one of the first few tells.
    async fn rates(
        &self,
        alike: BTreeMap<Alike, Vec<&Found>>,
    ) -> Result<BTreeMap<Alike, f64>, IngestError> {
        let mut rates = BTreeMap::new();
        for (kind, mut objects) in alike {
            // the largest tell best, and the newest of them are the likeliest to be whole
            objects.sort_by_key(|found| std::cmp::Reverse((found.size, found.modified)));
            for found in objects.into_iter().take(SAMPLES) {
                let store = &self.locations[found.location].store;
                if let Some(rate) = rows_per_byte(store.as_ref(), found).await? {
                    rates.insert(kind, rate);
                    break;
                }
            }
        }
        Ok(rates)
    }

    /// Reads what is new in the objects of a part.
    pub(super) async fn read_part(
        &self,
        scope: &Scope,
        run: Run,
        progress: &TableProgress<'_>,
    ) -> Result<TableReport, IngestError> {
        let listing = self.listed(run).await?;
        let objects = listing.tables.get(&scope.table).into_iter().flatten();
        let own: Vec<&Found> = objects.filter(|found| is_in(scope, found)).collect();
        let paths: Vec<&str> = own.iter().map(|found| found.path.as_str()).collect();
        let ledger = self.recorder.ledger();
        let known = ledger.objects_at(scope.table, &paths).await?;
        let tasks = self.tasks(own.into_iter(), &known, run);
        self.read_all(scope.table, run, tasks, progress).await
    }
}

fn kind_of(found: &Found) -> Alike {
    let placed = found.placed;
    (placed.origin, placed.format, placed.gzip)
}

/// The day an object's path tells.
fn day_of(found: &Found) -> Option<DateTime<Utc>> {
    let time = found.placed.folder_time?;
    DateTime::from_timestamp_millis(time).map(floor_day)
}

fn is_in(scope: &Scope, found: &Found) -> bool {
    if found.placed.origin != scope.origin {
        return false;
    }
    match day_of(found) {
        Some(day) => scope.object.is_empty() && scope.span.contains(day),
        None => scope.object == found.path,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an estimate, never negative"
)]
fn rows(bytes: u64, rate: f64) -> u64 {
    (bytes as f64 * rate).round() as u64
}

fn remarks(unknown_jobs: &std::collections::BTreeSet<String>) -> Vec<String> {
    let remark = |job: &String| {
        format!(
            "nothing tells which table the export job {job} has written: name it in \
             ingestion.files.export_jobs"
        )
    };
    unknown_jobs.iter().map(remark).collect()
}
