//! Prophet-class models: a piecewise-linear trend, daily and weekly Fourier seasons, added up
//! (identity link) or multiplied (log link); with known-future regressors beside them, what those
//! did to a series ([`event_effects`]).
//!
//! Only what the future needs is kept: where the trend ended, its last slope (damped, so that two
//! weeks ahead cannot explode), the seasons as tables by local hour, and how far
//! the newest week moves the level (the state step).

mod cholesky;
mod design;
mod events;
mod fit;

pub(crate) use cholesky::solve;
pub(crate) use design::{Design, SeasonBasis};
pub(crate) use events::{EventEffect, event_effects};
pub(crate) use fit::{GAINS, fit};

use crate::model::{CandidateForecast, Row};
use crate::week::HOURS_OF_WEEK;

/// However far ahead, the trend moves by at most as many days of its last slope.
pub const DAMPING_DAYS: f64 = 14.0;

/// The trend is followed backwards from the end of training by at most as many days.
pub const TREND_PAST_DAYS: f64 = 28.0;

/// Centre of the week that the recent level is the mean of, in days before a forecast is issued.
pub const STATE_LAG_DAYS: f64 = 3.5;

/// The newest week moves a multiplicative level by at most exp of this, up or down.
pub const STATE_LIMIT: f64 = 1.5;

/// Largest distance from the level on the log scale that parts are apportioned for.
pub const LOG_LIMIT: f64 = 20.0;

/// Distance on the log scale below which the logarithmic mean is taken from its series.
pub const SERIES_LIMIT: f64 = 1e-4;

/// How the parts make a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// They are added.
    Identity,
    /// They are added on the log scale, so they multiply.
    Log,
}

/// Parameters of a Prophet-class model of one series. On the log link all parts are logarithms.
#[derive(Debug, Clone, PartialEq)]
pub struct Structural {
    /// Value of the trend at the end of training.
    pub level: f64,
    /// Change of the trend a day at the end of training.
    pub slope: f64,
    /// Daily season by hour of day; sums to zero.
    pub daily: Vec<f64>,
    /// Weekly season by hour of the week; sums to zero.
    pub weekly: Vec<f64>,
    /// Share of the newest week's surprise that moves the level: 0 none, 1 all.
    pub state_gain: f64,
    /// Mean of the seasons over a week, as a factor (log link) or summand (identity: zero).
    pub season_mean: f64,
    /// Counts added on both sides of the newest week's surprise, so that silence has a logarithm.
    pub pseudo_level: f64,
    /// Largest count ever foreseen.
    pub bound: f64,
}

/// The trend's days, damped ahead and limited behind.
pub(crate) fn damped(days: f64) -> f64 {
    let ahead = days.max(0.0);
    let behind = days.clamp(-TREND_PAST_DAYS, 0.0);
    DAMPING_DAYS * (1.0 - (-ahead / DAMPING_DAYS).exp()) + behind
}

impl Structural {
    /// A model that was not fitted and has no weight.
    pub(crate) fn absent(link: Link) -> Self {
        let season_mean = match link {
            Link::Identity => 0.0,
            Link::Log => 1.0,
        };
        Self {
            level: 0.0,
            slope: 0.0,
            daily: vec![0.0; 24],
            weekly: vec![0.0; HOURS_OF_WEEK],
            state_gain: 0.0,
            season_mean,
            pseudo_level: 1.0,
            bound: 1.0,
        }
    }

    pub(crate) fn with_gain(&self, state_gain: f64) -> Self {
        Self {
            state_gain,
            ..self.clone()
        }
    }

    pub(crate) fn forecast(&self, link: Link, row: &Row) -> CandidateForecast {
        let trend = self.slope * damped(row.days);
        let daily = self.daily[row.hour_of_week % 24];
        let weekly = self.weekly[row.hour_of_week];
        let recent = self.state_step(link, row);
        let moved = trend + daily + weekly + recent;
        match link {
            Link::Identity => {
                let sum = self.level + moved;
                let mean = sum.clamp(0.0, self.bound);
                CandidateForecast {
                    mean,
                    parts: [self.level, trend, daily, weekly, recent, mean - sum],
                }
            }
            Link::Log => {
                let base = self.level.exp();
                let mean = (self.level + moved.clamp(-LOG_LIMIT, LOG_LIMIT))
                    .exp()
                    .min(self.bound);
                let share = logarithmic_mean(base, moved);
                let parts = [trend, daily, weekly, recent].map(|part| part * share);
                let [trend, daily, weekly, recent] = parts;
                CandidateForecast {
                    mean,
                    parts: [
                        base,
                        trend,
                        daily,
                        weekly,
                        recent,
                        mean - base - moved * share,
                    ],
                }
            }
        }
    }

    /// How far the newest week moves the level, against what the model expected of it.
    fn state_step(&self, link: Link, row: &Row) -> f64 {
        let trend = self.level + self.slope * damped(row.issue_days - STATE_LAG_DAYS);
        match link {
            Link::Identity => self.state_gain * (row.week_level - trend - self.season_mean),
            Link::Log => {
                let expected = trend.exp() * self.season_mean;
                let surprise =
                    ((row.week_level + self.pseudo_level) / (expected + self.pseudo_level)).ln();
                self.state_gain * surprise.clamp(-STATE_LIMIT, STATE_LIMIT)
            }
        }
    }
}

/// What one unit on the log scale is worth in counts, so that parts that add up to `moved` there
/// add up to the change from `base` here: the logarithmic mean of both ends.
pub(crate) fn logarithmic_mean(base: f64, moved: f64) -> f64 {
    let moved = moved.clamp(-LOG_LIMIT, LOG_LIMIT);
    if moved.abs() < SERIES_LIMIT {
        base * (1.0 + moved / 2.0 + moved * moved / 6.0)
    } else {
        base * (moved.exp() - 1.0) / moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trend_never_moves_further_than_its_damping() {
        assert!(damped(365.0) <= DAMPING_DAYS);
        assert!((damped(0.1) - 0.1).abs() < 1e-3);
        assert_eq!(damped(-400.0), -TREND_PAST_DAYS);
    }

    #[test]
    fn the_logarithmic_mean_is_smooth_where_the_formula_changes() {
        for base in [0.01, 1.0, 250.0] {
            let below = logarithmic_mean(base, SERIES_LIMIT * 0.999_999);
            let above = logarithmic_mean(base, SERIES_LIMIT * 1.000_001);
            assert!((below - above).abs() < 1e-9 * base);
        }
    }
}
