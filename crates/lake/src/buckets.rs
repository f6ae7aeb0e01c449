//! Hourly and daily counts, by when it happened and when it became known.
//!
//! One file holds one whole day of one measure as it was known at one moment:
//! `buckets/<measure>/<YYYY-MM-DD>/<known_at, ms>-<run_id>.parquet`. When rows of a day arrive late
//! the day is written again with a later `known_at`; a reader as of a moment takes, for every day,
//! the newest file known by then. A bucket that is not there counts as zero.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use foretide_domain::{Measure, RunId, TimeSpan, floor_day, floor_hour};
use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::*;

use crate::{Lake, LakeError, Stored};

/// Files of days that are read at the same time.
const READS_AT_ONCE: usize = 16;
/// Tries to find a free name when a run is repeated after a crash and has learnt more since.
const MAX_REWRITES: u32 = 1000;
const MAX_LABEL_CHARS: usize = 256;

/// One count: a measure at an hour (or a day), broken down. An empty label means "none".
#[derive(Debug, Clone, PartialEq)]
pub struct BucketRow {
    /// Start of the hour, or of the UTC day for daily measures.
    pub event_time: DateTime<Utc>,
    /// Severity, or empty.
    pub severity: String,
    /// Product (for ingested volume: the data type), or empty.
    pub product: String,
    /// First MITRE tactic, or empty.
    pub tactic: String,
    /// How many, or how much. Never negative.
    pub value: f64,
}

/// The buckets of a lake.
#[derive(Debug, Clone)]
pub struct BucketStore {
    lake: Lake,
}

impl BucketStore {
    /// The buckets of this lake.
    #[must_use]
    pub fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Writes a whole day as known at `known_at`, replacing for later readers what was known before.
    /// A run that is repeated writes the same file, or a further one when it now knows more.
    ///
    /// # Errors
    /// [`LakeError::InvalidBucket`] when a row is not of that day, not on the hour (or day),
    /// negative, not finite, double, or has an overlong label; or the store's error.
    pub async fn write_day(
        &self,
        measure: Measure,
        day: NaiveDate,
        known_at: DateTime<Utc>,
        run_id: RunId,
        rows: Vec<BucketRow>,
    ) -> Result<Stored, LakeError> {
        let rows = checked(measure, day, rows)?;
        let mut frame = to_frame(&rows, run_id)
            .map_err(|error| invalid(measure, day_start(day), error.to_string()))?;
        for rewrite in 0..MAX_REWRITES {
            let version = Version {
                known_at_ms: known_at.timestamp_millis(),
                run_id,
                rewrite,
            };
            let path = format!("{}/{day}/{}", folder(measure), version.file_name());
            match self.lake.write_frame(&path, &mut frame).await {
                Err(LakeError::Conflict { .. }) => {}
                written => return written,
            }
        }
        Err(invalid(
            measure,
            day_start(day),
            format!("it was rewritten {MAX_REWRITES} times"),
        ))
    }

    /// The buckets of a span as known at a moment, by event time, severity, product and tactic.
    ///
    /// Columns: `event_time` (datetime, ms, UTC), `severity`, `product`, `tactic` (string), `value`
    /// (f64).
    ///
    /// # Errors
    /// [`LakeError::Corrupt`] when a file is damaged or not a bucket file, or the store's error.
    pub async fn read(
        &self,
        measure: Measure,
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Result<DataFrame, LakeError> {
        let days = self.files(measure, known_at).await?;
        let wanted: Vec<String> = days
            .into_iter()
            .filter(|(day, _)| {
                day_start(*day) < span.end
                    && day_start(*day) + chrono::TimeDelta::days(1) > span.start
            })
            .map(|(_, path)| path)
            .collect();
        let frames: Vec<DataFrame> = stream::iter(wanted)
            .map(|path| async move {
                let frame = self.lake.read_frame(&path, None).await?;
                conform(&frame).map_err(|error| corrupt(&path, &error))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        combine(frames, span).map_err(|error| corrupt(&folder(measure), &error))
    }

    /// As [`BucketStore::read`], as rows.
    ///
    /// # Errors
    /// As [`BucketStore::read`].
    pub async fn rows(
        &self,
        measure: Measure,
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Result<Vec<BucketRow>, LakeError> {
        let frame = self.read(measure, span, known_at).await?;
        from_frame(&frame).map_err(|error| corrupt(&folder(measure), &error))
    }

    /// The days of which something was known at a moment, oldest first.
    ///
    /// # Errors
    /// The store's error.
    pub async fn days(
        &self,
        measure: Measure,
        known_at: DateTime<Utc>,
    ) -> Result<Vec<NaiveDate>, LakeError> {
        Ok(self.files(measure, known_at).await?.into_keys().collect())
    }

    /// The earliest day that was written, for the first time or again, from `since` to `until`, both
    /// included.
    ///
    /// # Errors
    /// The store's error.
    pub async fn first_changed_day(
        &self,
        measure: Measure,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<NaiveDate>, LakeError> {
        let folder = folder(measure);
        let changed = since.timestamp_millis()..=until.timestamp_millis();
        let objects = self.lake.list(&folder).await?;
        Ok(objects
            .iter()
            .filter_map(|object| parse_path(&folder, &object.path))
            .filter(|(_, version)| changed.contains(&version.known_at_ms))
            .map(|(day, _)| day)
            .min())
    }

    /// Reads one of [`BucketStore::files`], by event time, severity, product and tactic. The file
    /// never changes, so its rows may be kept.
    ///
    /// # Errors
    /// As [`BucketStore::read`].
    pub async fn rows_of(&self, path: &str) -> Result<Vec<BucketRow>, LakeError> {
        let frame = self.lake.read_frame(path, None).await?;
        conform(&frame)
            .and_then(|frame| from_frame(&frame))
            .map_err(|error| corrupt(path, &error))
    }

    /// For every day of which something was known at a moment, the newest file of then.
    ///
    /// # Errors
    /// The store's error.
    pub async fn files(
        &self,
        measure: Measure,
        known_at: DateTime<Utc>,
    ) -> Result<BTreeMap<NaiveDate, String>, LakeError> {
        let folder = folder(measure);
        let mut newest: BTreeMap<NaiveDate, (Version, String)> = BTreeMap::new();
        for object in self.lake.list(&folder).await? {
            let Some((day, version)) = parse_path(&folder, &object.path) else {
                tracing::warn!(path = %object.path, "a file that is not a bucket file is left alone");
                continue;
            };
            if version.known_at_ms > known_at.timestamp_millis() {
                continue;
            }
            match newest.get(&day) {
                Some((present, _)) if *present >= version => {}
                _ => {
                    newest.insert(day, (version, object.path));
                }
            }
        }
        Ok(newest
            .into_iter()
            .map(|(day, (_, path))| (day, path))
            .collect())
    }
}

/// Which of a day's files is the newer: by when it was known, then by run, then by repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    known_at_ms: i64,
    run_id: RunId,
    rewrite: u32,
}

impl Version {
    fn file_name(&self) -> String {
        let Self {
            known_at_ms,
            run_id,
            rewrite,
        } = self;
        match rewrite {
            0 => format!("{known_at_ms:013}-{run_id}.parquet"),
            _ => format!("{known_at_ms:013}-{run_id}-{rewrite}.parquet"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".parquet")?;
        let (known_at, rest) = stem.split_once('-')?;
        let (run_id, rewrite) = match rest.get(36..) {
            Some("") => (rest, 0),
            Some(rewrite) => (rest.get(..36)?, rewrite.strip_prefix('-')?.parse().ok()?),
            None => return None,
        };
        Some(Self {
            known_at_ms: known_at.parse().ok()?,
            run_id: run_id.parse().ok()?,
            rewrite,
        })
    }
}

fn folder(measure: Measure) -> String {
    format!("buckets/{}", measure.name())
}

fn parse_path(folder: &str, path: &str) -> Option<(NaiveDate, Version)> {
    let (day, name) = path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .split_once('/')?;
    Some((day.parse().ok()?, Version::parse(name)?))
}

fn day_start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn invalid(measure: Measure, at: DateTime<Utc>, problem: String) -> LakeError {
    LakeError::InvalidBucket {
        measure: measure.name().to_owned(),
        at: at.to_rfc3339(),
        problem,
    }
}

fn corrupt(path: &str, problem: &PolarsError) -> LakeError {
    LakeError::Corrupt {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

fn checked(
    measure: Measure,
    day: NaiveDate,
    mut rows: Vec<BucketRow>,
) -> Result<Vec<BucketRow>, LakeError> {
    for row in &rows {
        if let Some(problem) = problem_of(measure, day, row) {
            return Err(invalid(measure, row.event_time, problem.to_owned()));
        }
    }
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    if let Some(pair) = rows.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        return Err(invalid(
            measure,
            pair[0].event_time,
            "it is there twice".to_owned(),
        ));
    }
    Ok(rows)
}

fn key(row: &BucketRow) -> (DateTime<Utc>, &str, &str, &str) {
    (row.event_time, &row.severity, &row.product, &row.tactic)
}

fn problem_of(measure: Measure, day: NaiveDate, row: &BucketRow) -> Option<&'static str> {
    let start = if measure.is_daily() {
        floor_day(row.event_time)
    } else {
        floor_hour(row.event_time)
    };
    if start != row.event_time {
        return Some("its time is not the start of its hour or day");
    }
    if row.event_time.date_naive() != day {
        return Some("it belongs to another day");
    }
    if !row.value.is_finite() || row.value < 0.0 {
        return Some("its value is negative or not a number");
    }
    let labels = [&row.severity, &row.product, &row.tactic];
    if labels
        .iter()
        .any(|label| label.chars().count() > MAX_LABEL_CHARS)
    {
        return Some("a label is longer than 256 characters");
    }
    None
}

fn to_frame(rows: &[BucketRow], run_id: RunId) -> PolarsResult<DataFrame> {
    let times: Vec<i64> = rows
        .iter()
        .map(|row| row.event_time.timestamp_millis())
        .collect();
    let run_id = run_id.to_string();
    let mut frame = df!(
        "event_time" => times,
        "severity" => rows.iter().map(|row| row.severity.as_str()).collect::<Vec<_>>(),
        "product" => rows.iter().map(|row| row.product.as_str()).collect::<Vec<_>>(),
        "tactic" => rows.iter().map(|row| row.tactic.as_str()).collect::<Vec<_>>(),
        "value" => rows.iter().map(|row| row.value).collect::<Vec<_>>(),
        "run_id" => vec![run_id.as_str(); rows.len()],
    )?;
    let times = frame.column("event_time")?.cast(&event_time_type())?;
    frame.with_column(times)?;
    Ok(frame)
}

fn from_frame(frame: &DataFrame) -> PolarsResult<Vec<BucketRow>> {
    let times = frame.column("event_time")?.cast(&DataType::Int64)?;
    let times = times.i64()?;
    let severity = frame.column("severity")?.str()?;
    let product = frame.column("product")?.str()?;
    let tactic = frame.column("tactic")?.str()?;
    let values = frame.column("value")?.f64()?;
    let missing = || PolarsError::ComputeError("a bucket has an empty field".into());
    (0..frame.height())
        .map(|index| {
            let time = times.get(index).and_then(DateTime::from_timestamp_millis);
            Ok(BucketRow {
                event_time: time.ok_or_else(missing)?,
                severity: severity.get(index).ok_or_else(missing)?.to_owned(),
                product: product.get(index).ok_or_else(missing)?.to_owned(),
                tactic: tactic.get(index).ok_or_else(missing)?.to_owned(),
                value: values.get(index).ok_or_else(missing)?,
            })
        })
        .collect()
}

fn event_time_type() -> DataType {
    DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))
}

/// The five columns, with the types they must have.
fn conform(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let frame = frame.select(["event_time", "severity", "product", "tactic", "value"])?;
    let expected = [
        event_time_type(),
        DataType::String,
        DataType::String,
        DataType::String,
        DataType::Float64,
    ];
    for (column, expected) in frame.columns().iter().zip(expected) {
        if *column.dtype() != expected || column.null_count() > 0 {
            let problem = format!(
                "column {} is {} with {} empty fields",
                column.name(),
                column.dtype(),
                column.null_count()
            );
            return Err(PolarsError::SchemaMismatch(problem.into()));
        }
    }
    Ok(frame)
}

fn combine(frames: Vec<DataFrame>, span: TimeSpan) -> PolarsResult<DataFrame> {
    let mut all = to_frame(&[], RunId::from(uuid::Uuid::nil()))?;
    all = conform(&all)?;
    for frame in frames {
        all.vstack_mut(&frame)?;
    }
    let times = all.column("event_time")?.cast(&DataType::Int64)?;
    let inside: BooleanChunked = times
        .i64()?
        .iter()
        .map(|time| {
            time.is_some_and(|time| {
                span.start.timestamp_millis() <= time && time < span.end.timestamp_millis()
            })
        })
        .collect();
    all.filter(&inside)?.sort(
        ["event_time", "severity", "product", "tactic"],
        SortMultipleOptions::default().with_maintain_order(true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_read_back_and_order() {
        let run_id = RunId::new();
        let first = Version {
            known_at_ms: 1_700_000_000_000,
            run_id,
            rewrite: 0,
        };
        let again = Version {
            rewrite: 12,
            ..first
        };
        for version in [first, again] {
            assert_eq!(Version::parse(&version.file_name()), Some(version));
        }
        assert!(first < again);
        for name in [
            "x.parquet",
            "1-.parquet",
            "1-2-3.parquet",
            "",
            "1700000000000-é.parquet",
        ] {
            assert_eq!(Version::parse(name), None, "{name}");
        }
    }
}
