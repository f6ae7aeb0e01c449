//! Counts by hour, as they were known at a moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use foretide_domain::{Measure, UseCase, floor_day, floor_hour};
use foretide_features::HourGrid;
use foretide_lake::LakeError;
use foretide_lake::buckets::{BucketRow, BucketStore};
use futures::{StreamExt, TryStreamExt, stream};

use crate::error::FeatureStoreError;

/// Files that are read at the same time.
const READS_AT_ONCE: usize = 16;

/// The rows of one file; a file never changes.
type DayRows = Arc<Vec<BucketRow>>;
/// The file of each measure and day that was read last.
type KeptDays = HashMap<(Measure, NaiveDate), (String, DayRows)>;

/// Reads buckets, and keeps of each measure and day the rows of the file that was read last: nearly
/// all days are asked for again and again and have not changed. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct HistoryReader {
    buckets: BucketStore,
    kept: Arc<Mutex<KeptDays>>,
}

impl HistoryReader {
    pub(crate) fn new(buckets: BucketStore) -> Self {
        Self {
            buckets,
            kept: Arc::default(),
        }
    }

    /// What was known of some measures at a moment: which files count, none read yet.
    pub(crate) async fn known(
        &self,
        measures: &[Measure],
        known_at: DateTime<Utc>,
    ) -> Result<Known, FeatureStoreError> {
        let mut files = BTreeMap::new();
        for &measure in measures {
            files.insert(measure, self.buckets.files(measure, known_at).await?);
        }
        Ok(Known {
            reader: self.clone(),
            known_at,
            files,
        })
    }

    /// The earliest day of which one of the measures became better known from `since` to `until`.
    pub(crate) async fn first_changed_day(
        &self,
        measures: &[Measure],
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, FeatureStoreError> {
        let mut first = None;
        for &measure in measures {
            let day = self
                .buckets
                .first_changed_day(measure, since, until)
                .await?;
            first = [first, day].into_iter().flatten().min();
        }
        Ok(first.map(start_of))
    }

    async fn day(
        &self,
        measure: Measure,
        day: NaiveDate,
        path: &str,
    ) -> Result<DayRows, LakeError> {
        if let Some(rows) = self.kept_rows(measure, day, path) {
            return Ok(rows);
        }
        let rows = Arc::new(self.buckets.rows_of(path).await?);
        let entry = (path.to_owned(), Arc::clone(&rows));
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((measure, day), entry);
        Ok(rows)
    }

    fn kept_rows(&self, measure: Measure, day: NaiveDate, path: &str) -> Option<DayRows> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(measure, day))
            .filter(|(of, _)| of == path)
            .map(|(_, rows)| Arc::clone(rows))
    }
}

/// What was known at a moment.
#[derive(Debug)]
pub(crate) struct Known {
    reader: HistoryReader,
    known_at: DateTime<Utc>,
    files: BTreeMap<Measure, BTreeMap<NaiveDate, String>>,
}

impl Known {
    /// All measures on the last `days` before the moment, or as many as there are.
    pub(crate) async fn history(
        &self,
        use_case: &UseCase,
        days: u32,
    ) -> Result<History, FeatureStoreError> {
        let first = self.first_full_hour(use_case).await?;
        let earliest = floor_day(self.known_at) - TimeDelta::days(i64::from(days));
        let grid = HourGrid::between(first.max(earliest), self.known_at);
        if grid.hours == 0 {
            return Err(self.nothing(use_case));
        }
        let mut rows = BTreeMap::new();
        for &measure in self.files.keys() {
            rows.insert(measure, self.rows(measure, grid).await?);
        }
        Ok(History { grid, rows })
    }

    /// The rows of a measure on a grid, by time.
    pub(crate) async fn rows(
        &self,
        measure: Measure,
        grid: HourGrid,
    ) -> Result<Vec<BucketRow>, FeatureStoreError> {
        let wanted = self
            .days(measure)
            .filter(|(day, _)| {
                start_of(*day) < grid.end() && grid.start < start_of(*day) + TimeDelta::days(1)
            })
            .map(|(day, path)| self.reader.day(measure, day, path));
        let days: Vec<DayRows> = stream::iter(wanted.collect::<Vec<_>>())
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(days
            .iter()
            .flat_map(|rows| rows.iter())
            .filter(|row| grid.index(row.event_time).is_some())
            .cloned()
            .collect())
    }

    /// Midnight of the first day that is there as a whole: the first day known of the use case's
    /// table, or the next one when nothing is known of its first hour.
    pub(crate) async fn first_full_hour(
        &self,
        use_case: &UseCase,
    ) -> Result<DateTime<Utc>, FeatureStoreError> {
        let measures = table_measures(use_case);
        let first_day = measures
            .iter()
            .filter_map(|measure| self.days(*measure).next())
            .map(|(day, _)| day)
            .min()
            .ok_or_else(|| self.nothing(use_case))?;
        let midnight = HourGrid {
            start: start_of(first_day),
            hours: 1,
        };
        for measure in measures {
            if !self.rows(measure, midnight).await?.is_empty() {
                return Ok(midnight.start);
            }
        }
        Ok(midnight.start + TimeDelta::days(1))
    }

    /// The newest hour of which anything is known in the use case's table.
    pub(crate) async fn newest_hour(
        &self,
        use_case: &UseCase,
    ) -> Result<DateTime<Utc>, FeatureStoreError> {
        let mut newest = None;
        for measure in table_measures(use_case) {
            newest = newest.max(self.newest_hour_of(measure).await?);
        }
        newest.map(floor_hour).ok_or_else(|| self.nothing(use_case))
    }

    async fn newest_hour_of(
        &self,
        measure: Measure,
    ) -> Result<Option<DateTime<Utc>>, FeatureStoreError> {
        for (day, path) in self.days(measure).rev() {
            if let Some(row) = self.reader.day(measure, day, path).await?.last() {
                return Ok(Some(row.event_time));
            }
        }
        Ok(None)
    }

    fn days(&self, measure: Measure) -> impl DoubleEndedIterator<Item = (NaiveDate, &str)> {
        let files = self.files.get(&measure).into_iter().flatten();
        files.map(|(day, path)| (*day, path.as_str()))
    }

    /// The refusal when there is nothing to go by.
    pub(crate) fn nothing(&self, use_case: &UseCase) -> FeatureStoreError {
        FeatureStoreError::NoHistory {
            measure: use_case.series.measure,
            known_at: self.known_at,
        }
    }
}

/// The buckets of some measures on the hours from the first full day on.
#[derive(Debug)]
pub(crate) struct History {
    /// Full hours, from midnight UTC to the hour of the moment.
    pub(crate) grid: HourGrid,
    rows: BTreeMap<Measure, Vec<BucketRow>>,
}

impl History {
    /// The rows of a measure that was asked for.
    pub(crate) fn rows(&self, measure: Measure) -> &[BucketRow] {
        self.rows.get(&measure).map_or(&[], Vec::as_slice)
    }

    /// For each hour whether any measure of the use case's table has anything.
    pub(crate) fn activity(&self, use_case: &UseCase) -> Vec<bool> {
        let mut active = vec![false; self.grid.hours];
        for measure in table_measures(use_case) {
            for row in self.rows(measure).iter().filter(|row| row.value > 0.0) {
                if let Some(hour) = self.grid.index(row.event_time) {
                    active[hour] = true;
                }
            }
        }
        active
    }
}

/// The hourly measures that are counted from the same table as the use case's own.
pub(crate) fn table_measures(use_case: &UseCase) -> Vec<Measure> {
    let table = use_case.series.measure.table();
    Measure::ALL
        .into_iter()
        .filter(|measure| measure.table() == table && !measure.is_daily())
        .collect()
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
