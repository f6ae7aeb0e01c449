//! The moments inside a history at which candidates forecast, and what is known at each.

use crate::model::Row;
use crate::schema::SeriesState;
use crate::weighting;

/// For histories of at least so many hours, how many days before the end candidates are fitted, the
/// days since then holding an origin each. A long history has more origins: how far one misses can
/// be told from five weeks, not from two. It is fitted again on the way, so as to be judged no
/// staler than it is served. The first fit has eight weeks to itself, or half of less.
const FIT_DAYS: [(usize, &[usize]); 6] = [
    (13 * 168, &[35, 21, 7]),
    (10 * 168, &[14]),
    (3 * 168, &[7]),
    (10 * 24, &[4]),
    (5 * 24, &[2]),
    (0, &[1]),
];

/// How many days before the end of a history of so many hours candidates are fitted for its
/// origins, longest ago first.
pub(crate) fn fit_days(hours: usize) -> &'static [usize] {
    let fits = |&&(least, _): &&(usize, _)| hours >= least;
    FIT_DAYS.iter().find(fits).map_or(&[], |&(_, days)| days)
}

/// Days of origins that a history of so many hours has.
pub(crate) fn origin_days(hours: usize) -> usize {
    fit_days(hours).first().copied().unwrap_or(0)
}

/// The same for trees, which are fitted once more where half of the newest days are left: those
/// that are served are fresh, and the newest origins count most.
pub(crate) fn trees_days(hours: usize) -> Vec<usize> {
    let days = fit_days(hours);
    let half = days.last().map(|days| days / 2);
    days.iter().copied().chain(half).collect()
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
