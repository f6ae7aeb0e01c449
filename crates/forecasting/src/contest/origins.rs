//! The moments inside a history at which candidates forecast, and what is known at each.

use crate::model::Row;
use crate::schema::SeriesState;
use crate::weighting;

/// Days of origins for histories of at least so many hours.
const ORIGIN_DAYS: [(usize, usize); 3] = [(10 * 168, 14), (3 * 168, 7), (0, 4)];

/// Days of origins that a history of so many hours has.
pub(crate) fn origin_days(hours: usize) -> usize {
    let fits = |&&(least, _): &&(usize, usize)| hours >= least;
    ORIGIN_DAYS.iter().find(fits).map_or(0, |&(_, days)| days)
}

/// A series' history on the panel's grid.
#[derive(Clone, Copy)]
pub(crate) struct History<'a> {
    /// As it would have been without events.
    pub(crate) values: &'a [f64],
    /// What events made of it, hour by hour.
    pub(crate) factors: &'a [f64],
    pub(crate) hour_of_week: &'a [u8],
    /// First hour that counts.
    pub(crate) onset: usize,
    pub(crate) horizon: usize,
}

impl History<'_> {
    pub(super) fn origins(&self) -> Vec<Origin> {
        let hours = self.values.len();
        let days = origin_days(hours - self.onset);
        (1..=days)
            .rev()
            .map(|days_back| Origin {
                known: hours - 24 * days_back,
                weight: weighting::recency(days_back),
            })
            .collect()
    }

    pub(super) fn ahead_of(&self, origin: Origin) -> std::ops::Range<usize> {
        origin.known..(origin.known + self.horizon).min(self.values.len())
    }

    /// Rows of the hours ahead of an origin, for table candidates whose days start at `day_zero`.
    pub(super) fn each_row(&self, origin: Origin, day_zero: usize, mut see: impl FnMut(&Row)) {
        let known = SeriesState::at_end(&self.values[self.onset..origin.known]);
        let days = |hour: usize| (hour as f64 - day_zero as f64) / 24.0;
        for hour in self.ahead_of(origin) {
            see(&Row {
                days: days(hour),
                issue_days: days(origin.known),
                hour_of_week: usize::from(self.hour_of_week[hour]),
                week_level: known.week_level,
                month_level: known.month_level,
                recent: known.recent,
            });
        }
    }
}

/// A moment inside the history at which candidates forecast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Hours known, on the panel's grid.
    pub(super) known: usize,
    /// What errors from here count.
    pub(super) weight: f64,
}
