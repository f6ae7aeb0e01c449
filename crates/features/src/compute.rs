//! From hourly counts and a calendar to columns.

use std::collections::BTreeMap;

use chrono::{DateTime, Timelike, Utc};
use foretide_calendar::Calendar;
use foretide_domain::{HOUR, Measure, floor_hour, hours_between};

use crate::view::{FeatureView, Formula};

/// Consecutive full hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourGrid {
    /// The first hour.
    pub start: DateTime<Utc>,
    /// How many.
    pub hours: usize,
}

impl HourGrid {
    /// The full hours from `start` to before `end`; none when `end` is not later.
    #[must_use]
    pub fn between(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        let start = floor_hour(start);
        let hours = usize::try_from(hours_between(start, floor_hour(end))).unwrap_or(0);
        Self { start, hours }
    }

    /// The first hour after the grid.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        self.hour(self.hours)
    }

    /// The hour at an index.
    #[must_use]
    pub fn hour(&self, index: usize) -> DateTime<Utc> {
        self.start + HOUR * i32::try_from(index).expect("a grid is shorter than 200,000 years")
    }

    /// Index of the hour that holds the moment, when it lies on the grid.
    #[must_use]
    pub fn index(&self, moment: DateTime<Utc>) -> Option<usize> {
        if moment < self.start {
            return None;
        }
        let index = usize::try_from(hours_between(self.start, moment)).ok()?;
        (index < self.hours).then_some(index)
    }
}

/// Counts of some measures, hour by hour, on one grid. Daily measures stand at hour 00:00 UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct HourlyMeasures {
    grid: HourGrid,
    columns: BTreeMap<Measure, Vec<f64>>,
}

impl HourlyMeasures {
    /// No counts yet.
    #[must_use]
    pub fn new(grid: HourGrid) -> Self {
        Self {
            grid,
            columns: BTreeMap::new(),
        }
    }

    /// Adds a measure's counts.
    ///
    /// # Errors
    /// When there are not as many as the grid has hours.
    pub fn insert(&mut self, measure: Measure, values: Vec<f64>) -> Result<(), FeatureError> {
        if values.len() != self.grid.hours {
            return Err(FeatureError::WrongLength {
                measure,
                expected: self.grid.hours,
                got: values.len(),
            });
        }
        self.columns.insert(measure, values);
        Ok(())
    }

    /// The grid.
    #[must_use]
    pub fn grid(&self) -> HourGrid {
        self.grid
    }

    fn column(&self, measure: Measure) -> Result<&[f64], FeatureError> {
        self.columns
            .get(&measure)
            .map(Vec::as_slice)
            .ok_or(FeatureError::MissingMeasure(measure))
    }
}

/// One feature's values, one an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureColumn {
    /// Name of the feature.
    pub name: &'static str,
    /// Its values.
    pub values: Vec<f64>,
}

/// Features that cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A feature reads a measure that was not given.
    #[error("counts of measure {0} are missing")]
    MissingMeasure(Measure),
    /// Counts and grid do not match.
    #[error("measure {measure} needs {expected} hourly counts, got {got}")]
    WrongLength {
        /// Which measure.
        measure: Measure,
        /// Hours of the grid.
        expected: usize,
        /// Counts given.
        got: usize,
    },
    /// Hours are asked for that the counts do not reach.
    #[error("features are asked for {asked_start} to {asked_end}, counts cover {start} to {end}")]
    OutsideHistory {
        /// First hour asked for.
        asked_start: DateTime<Utc>,
        /// End of what is asked for.
        asked_end: DateTime<Utc>,
        /// First hour with counts.
        start: DateTime<Utc>,
        /// End of the counts.
        end: DateTime<Utc>,
    },
}

/// The view's columns at the hours of `rows`, which may reach one hour past the counts: the feature
/// "now" reads all of them.
///
/// # Errors
/// When a measure is missing or `rows` lies outside the counts.
pub fn compute(
    view: &FeatureView,
    measures: &HourlyMeasures,
    calendar: &Calendar,
    rows: HourGrid,
) -> Result<Vec<FeatureColumn>, FeatureError> {
    let grid = measures.grid;
    let skipped = usize::try_from(hours_between(grid.start, rows.start)).ok();
    let range = skipped
        .map(|first| first..first + rows.hours)
        .filter(|range| range.end <= grid.hours + 1)
        .ok_or_else(|| FeatureError::OutsideHistory {
            asked_start: rows.start,
            asked_end: rows.end(),
            start: grid.start,
            end: grid.end(),
        })?;
    let column = |formula: Formula| -> Result<Vec<f64>, FeatureError> {
        let history = match formula {
            Formula::Calendar(feature) => {
                return Ok(calendar.column(feature, rows.start, rows.hours));
            }
            Formula::SumOfLast { measure, hours } => sum_of_last(measures.column(measure)?, hours),
            Formula::LastHour(measure) => last_hour(measures.column(measure)?),
            Formula::LastDay(measure) => last_day(measures.column(measure)?, grid),
            Formula::StillOpen { opened, closed } => {
                still_open(measures.column(opened)?, measures.column(closed)?)
            }
            Formula::DaysSinceLast(measure) => days_since_last(measures.column(measure)?),
        };
        Ok(history[range.clone()].to_vec())
    };
    view.features
        .iter()
        .map(|feature| {
            Ok(FeatureColumn {
                name: feature.name,
                values: column(feature.formula)?,
            })
        })
        .collect()
}

/// The value at each hour and at the hour after the last, from a state that is read before the
/// hour's own count goes into it.
fn running<S>(
    hours: usize,
    mut state: S,
    read: impl Fn(&S) -> f64,
    mut advance: impl FnMut(&mut S, usize),
) -> Vec<f64> {
    let mut values = Vec::with_capacity(hours + 1);
    for hour in 0..hours {
        values.push(read(&state));
        advance(&mut state, hour);
    }
    values.push(read(&state));
    values
}

/// Sums anew at each hour: a running difference would let rounding errors of volumes pile up.
fn sum_of_last(counts: &[f64], hours: usize) -> Vec<f64> {
    (0..=counts.len())
        .map(|hour| counts[hour.saturating_sub(hours)..hour].iter().sum())
        .collect()
}

fn last_hour(counts: &[f64]) -> Vec<f64> {
    running(
        counts.len(),
        0.0,
        |last| *last,
        |last, hour| *last = counts[hour],
    )
}

fn last_day(counts: &[f64], grid: HourGrid) -> Vec<f64> {
    let value = |index: usize| {
        let into_day = grid.hour(index).hour() as usize;
        let yesterday = index.checked_sub(into_day + 24);
        yesterday.map_or(0.0, |midnight| counts[midnight])
    };
    (0..=counts.len()).map(value).collect()
}

fn still_open(opened: &[f64], closed: &[f64]) -> Vec<f64> {
    running(
        opened.len().min(closed.len()),
        0.0_f64,
        |open| *open,
        |open, hour| *open = (*open + opened[hour] - closed[hour]).max(0.0),
    )
}

fn days_since_last(counts: &[f64]) -> Vec<f64> {
    running(
        counts.len(),
        0_u32,
        |hours| f64::from(*hours) / 24.0,
        |hours, hour| *hours = if counts[hour] > 0.0 { 0 } else { *hours + 1 },
    )
}
