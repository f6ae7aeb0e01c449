//! Counts by hour, as they were known at a moment.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use foretide_domain::{Measure, TimeSpan, UseCase, floor_day, floor_hour};
use foretide_features::HourGrid;
use foretide_lake::buckets::{BucketRow, BucketStore};

use crate::error::FeatureStoreError;

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

/// Reads buckets for use cases.
#[derive(Debug, Clone)]
pub(crate) struct HistoryReader {
    buckets: BucketStore,
}

impl HistoryReader {
    pub(crate) fn new(buckets: BucketStore) -> Self {
        Self { buckets }
    }

    /// The last `days` before `known_at`, or as many as there are.
    pub(crate) async fn load(
        &self,
        use_case: &UseCase,
        measures: &[Measure],
        known_at: DateTime<Utc>,
        days: u32,
    ) -> Result<History, FeatureStoreError> {
        let first = self.first_full_hour(use_case, known_at).await?;
        let earliest = floor_day(known_at) - TimeDelta::days(i64::from(days));
        let grid = HourGrid::between(first.max(earliest), known_at);
        if grid.hours == 0 {
            return Err(no_history(use_case, known_at));
        }
        let mut rows = BTreeMap::new();
        for &measure in measures {
            rows.insert(measure, self.rows(measure, grid, known_at).await?);
        }
        Ok(History { grid, rows })
    }

    /// The rows of a measure on a grid.
    pub(crate) async fn rows(
        &self,
        measure: Measure,
        grid: HourGrid,
        known_at: DateTime<Utc>,
    ) -> Result<Vec<BucketRow>, FeatureStoreError> {
        let span = TimeSpan {
            start: grid.start,
            end: grid.end(),
        };
        Ok(self.buckets.rows(measure, span, known_at).await?)
    }

    /// Midnight of the first day that is there as a whole: the first day known of the use case's
    /// table, or the next one when the first begins later than at midnight.
    pub(crate) async fn first_full_hour(
        &self,
        use_case: &UseCase,
        known_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, FeatureStoreError> {
        let mut first_day = None;
        for measure in table_measures(use_case) {
            let day = self
                .buckets
                .days(measure, known_at)
                .await?
                .into_iter()
                .next();
            first_day = [first_day, day].into_iter().flatten().min();
        }
        let first_day = first_day.ok_or_else(|| no_history(use_case, known_at))?;
        let midnight = HourGrid {
            start: start_of(first_day),
            hours: 1,
        };
        for measure in table_measures(use_case) {
            if !self.rows(measure, midnight, known_at).await?.is_empty() {
                return Ok(midnight.start);
            }
        }
        Ok(midnight.start + TimeDelta::days(1))
    }

    /// The newest hour of which anything is known in the use case's table.
    pub(crate) async fn newest_hour(
        &self,
        use_case: &UseCase,
        known_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, FeatureStoreError> {
        let mut newest = None;
        for measure in table_measures(use_case) {
            newest = newest.max(self.newest_hour_of(measure, known_at).await?);
        }
        newest
            .map(floor_hour)
            .ok_or_else(|| no_history(use_case, known_at))
    }

    async fn newest_hour_of(
        &self,
        measure: Measure,
        known_at: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, FeatureStoreError> {
        for day in self
            .buckets
            .days(measure, known_at)
            .await?
            .into_iter()
            .rev()
        {
            let whole_day = HourGrid {
                start: start_of(day),
                hours: 24,
            };
            if let Some(row) = self.rows(measure, whole_day, known_at).await?.last() {
                return Ok(Some(row.event_time));
            }
        }
        Ok(None)
    }

    /// The earliest day of which one of the measures became better known from `since` to
    /// `until`.
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
}

pub(crate) fn no_history(use_case: &UseCase, known_at: DateTime<Utc>) -> FeatureStoreError {
    FeatureStoreError::NoHistory {
        measure: use_case.series.measure,
        known_at,
    }
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}
