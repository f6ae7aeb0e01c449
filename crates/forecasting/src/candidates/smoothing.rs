//! Exponential smoothing with a daily and a weekly season, a damped trend and a first-order
//! autoregressive error, in innovations form (Taylor 2003, double seasonal Holt-Winters; Hyndman et
//! al. 2008). Without a weekly share it is ETS(A,Ad,A) with a daily season.

use serde::{Deserialize, Serialize};

use super::Parts;
use crate::statistics::mean;
use crate::week::HOURS_OF_WEEK;

/// What is left of the trend each hour.
pub(crate) const DAMPING: f64 = 0.995;

/// Share of the first weeks' hour-of-week means that the weekly season starts with.
const WEEKLY_START: f64 = 0.5;

/// How fast each part of the state follows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// Share of a surprise that moves the level.
    pub level: f64,
    /// Share that moves the trend.
    pub trend: f64,
    /// Share that moves the daily season at this hour.
    pub daily: f64,
    /// Share that moves the weekly season at this hour; zero: there is no weekly season.
    pub weekly: f64,
    /// Share of an error that is left an hour later.
    pub error: f64,
}

impl Smoothing {
    /// Double seasonal variants that the backtest chooses from.
    pub(crate) fn double_seasonal() -> Vec<Self> {
        let mut all = Vec::new();
        for level in [0.002, 0.01, 0.05, 0.2] {
            for daily in [0.03, 0.1, 0.3] {
                for weekly in [0.05, 0.2, 0.5] {
                    for error in [0.0, 0.6, 0.9] {
                        all.push(Self {
                            level,
                            trend: 0.0,
                            daily,
                            weekly,
                            error,
                        });
                    }
                }
            }
        }
        all
    }

    /// Variants without a season that follows, of which the backtest chooses.
    pub(crate) fn level_and_trend() -> Vec<Self> {
        let mut all = Vec::new();
        for level in [0.02, 0.1, 0.4] {
            for trend in [0.0, 0.02] {
                for error in [0.0, 0.7] {
                    let trend = trend * level;
                    all.push(Self {
                        level,
                        trend,
                        daily: 0.0,
                        weekly: 0.0,
                        error,
                    });
                }
            }
        }
        all
    }

    /// Daily variants that the backtest chooses from.
    pub(crate) fn daily_seasonal() -> Vec<Self> {
        let mut all = Vec::new();
        for level in [0.02, 0.1, 0.4] {
            for trend in [0.0, 0.02] {
                for daily in [0.05, 0.2, 0.5] {
                    for error in [0.0, 0.7] {
                        let trend = trend * level;
                        all.push(Self {
                            level,
                            trend,
                            daily,
                            weekly: 0.0,
                            error,
                        });
                    }
                }
            }
        }
        all
    }
}

/// Where the smoothing stands after the hours it has seen.
#[derive(Debug, Clone)]
pub(crate) struct Smoothed {
    constants: Smoothing,
    pub(super) level: f64,
    pub(super) trend: f64,
    pub(super) daily: [f64; 24],
    pub(super) weekly: [f64; HOURS_OF_WEEK],
    pub(super) error: f64,
    /// Hours seen.
    pub(super) seen: usize,
}

impl Smoothed {
    /// Starts from the means of the first two weeks.
    pub(crate) fn start(constants: Smoothing, values: &[f64]) -> Self {
        let first = &values[..values.len().min(2 * HOURS_OF_WEEK)];
        let level = mean(first);
        let average = |slot: usize, season: usize| {
            let same = first.iter().skip(slot).step_by(season);
            let count = same.clone().count();
            if count == 0 {
                level
            } else {
                same.sum::<f64>() / count as f64
            }
        };
        let daily: [f64; 24] = std::array::from_fn(|slot| average(slot, 24) - level);
        let share = if constants.weekly > 0.0 {
            WEEKLY_START
        } else {
            0.0
        };
        let weekly = std::array::from_fn(|slot| {
            share * (average(slot, HOURS_OF_WEEK) - level - daily[slot % 24])
        });
        Self {
            constants,
            level,
            trend: 0.0,
            daily,
            weekly,
            error: 0.0,
            seen: 0,
        }
    }

    /// Starts from a season of the week, which counts from the first value on, and the mean of what it
    /// leaves of the first two weeks.
    pub(crate) fn with_season(
        constants: Smoothing,
        season: impl Iterator<Item = f64>,
        values: &[f64],
    ) -> Self {
        let (mut daily, mut weekly) = ([0.0; 24], [0.0; HOURS_OF_WEEK]);
        for (slot, value) in weekly.iter_mut().zip(season) {
            *slot = value;
        }
        for (hour, value) in weekly.iter().enumerate() {
            daily[hour % 24] += value * 24.0 / HOURS_OF_WEEK as f64;
        }
        let first = values.iter().take(2 * HOURS_OF_WEEK);
        let rest: Vec<f64> = first
            .zip(weekly.iter().cycle())
            .map(|(v, s)| v - s)
            .collect();
        for (hour, slot) in weekly.iter_mut().enumerate() {
            *slot -= daily[hour % 24];
        }
        Self {
            constants,
            level: mean(&rest),
            trend: 0.0,
            daily,
            weekly,
            error: 0.0,
            seen: 0,
        }
    }

    /// Goes on through the hours up to the end of `values`, which start where the first ones did.
    pub(crate) fn follow(&mut self, values: &[f64]) {
        let constants = self.constants;
        let (mut day, mut week) = (self.seen % 24, self.seen % HOURS_OF_WEEK);
        for &value in &values[self.seen..] {
            let trend = DAMPING * self.trend;
            let expected = self.level + trend + self.daily[day] + self.weekly[week];
            let error = value - expected;
            let surprise = error - constants.error * self.error;
            self.level += trend + constants.level * surprise;
            self.trend = trend + constants.trend * surprise;
            self.daily[day] += constants.daily * surprise;
            self.weekly[week] += constants.weekly * surprise;
            self.error = error;
            day = if day == 23 { 0 } else { day + 1 };
            week = if week == HOURS_OF_WEEK - 1 {
                0
            } else {
                week + 1
            };
        }
        self.seen = values.len();
    }

    /// The state carried on.
    pub(crate) fn project(&self, ahead: usize, mut give: impl FnMut(usize, Parts)) {
        let (mut moved, mut trend, mut error) = (0.0, self.trend, self.error);
        for step in 0..ahead {
            trend *= DAMPING;
            moved += trend;
            error *= self.constants.error;
            let (day, week) = ((self.seen + step) % 24, (self.seen + step) % HOURS_OF_WEEK);
            let parts = [
                self.level + error,
                moved,
                self.daily[day],
                self.weekly[week],
            ];
            give(step, parts);
        }
    }
}
