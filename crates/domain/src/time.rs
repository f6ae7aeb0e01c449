//! Spans and hours.

use chrono::{DateTime, Duration, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

/// One hour.
pub const HOUR: TimeDelta = TimeDelta::hours(1);

/// Half-open span of time: the start is inside, the end is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeSpan {
    /// First moment inside.
    pub start: DateTime<Utc>,
    /// First moment after it.
    pub end: DateTime<Utc>,
}

impl TimeSpan {
    /// A span, or nothing when it would end before it starts.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// Whether the moment lies inside.
    #[must_use]
    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.start <= moment && moment < self.end
    }

    /// Whole hours inside, rounded down.
    #[must_use]
    pub fn hours(&self) -> usize {
        usize::try_from((self.end - self.start).num_hours()).unwrap_or(0)
    }
}

/// The full hour at or before the moment.
#[must_use]
pub fn floor_hour(moment: DateTime<Utc>) -> DateTime<Utc> {
    let into_hour = Duration::minutes(i64::from(moment.minute()))
        + Duration::seconds(i64::from(moment.second()))
        + Duration::nanoseconds(i64::from(moment.nanosecond() % 1_000_000_000));
    moment - into_hour
}

/// Midnight UTC at or before the moment.
#[must_use]
pub fn floor_day(moment: DateTime<Utc>) -> DateTime<Utc> {
    floor_hour(moment) - Duration::hours(i64::from(moment.hour()))
}

/// Whole hours from `start` to `end`; negative when `end` is earlier.
#[must_use]
pub fn hours_between(start: DateTime<Utc>, end: DateTime<Utc>) -> i64 {
    (end - start).num_hours()
}
