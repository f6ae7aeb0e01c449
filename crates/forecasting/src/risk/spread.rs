//! How far the sum over a window falls from its expectation.

use serde::{Deserialize, Serialize};

use crate::contest::Path;
use crate::metrics::share_at_or_below;
use crate::statistics::quantiles_of_sorted;

/// Lengths of window the spread is learned for, hours.
const WINDOW_HOURS: [usize; 8] = [1, 2, 4, 8, 12, 24, 36, 48];

/// Levels at which the standardised spread is kept.
const SPREAD_LEVELS: [f64; 11] = [
    0.01, 0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975, 0.99,
];

/// Spread of a standard normal at those levels, for series without enough backtest.
const NORMAL: [f64; 11] = [
    -2.326, -1.960, -1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 1.960, 2.326,
];

const FEWEST_WINDOWS: usize = 50;

/// Distribution of the sum over a window around the sum of its expected counts, as the backtest
/// showed it. Deviations are counted in units of the square root of
/// `expected + overdispersion x expected^2`, so that one table serves quiet nights and busy days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowSpread {
    /// Length of the window, hours.
    pub hours: usize,
    /// Variance beyond a Poisson's, as a share of the squared expectation.
    pub overdispersion: f64,
    /// Quantiles of the standardised deviation at 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9,
    /// 0.95, 0.975 and 0.99.
    pub deviations: [f64; 11],
}

impl WindowSpread {
    /// Learns one spread for each length from the champion's backtest.
    pub(crate) fn learn(paths: &[Path]) -> Vec<Self> {
        WINDOW_HOURS
            .map(|hours| Self::of_length(hours, paths))
            .into()
    }

    fn of_length(hours: usize, paths: &[Path]) -> Self {
        let mut sums = Vec::new();
        for path in paths {
            let actuals: Vec<f64> = path.outcomes.iter().map(|(_, actual)| *actual).collect();
            for (means, actuals) in path.means.windows(hours).zip(actuals.windows(hours)) {
                sums.push((means.iter().sum::<f64>(), actuals.iter().sum::<f64>()));
            }
        }
        let squares: f64 = sums.iter().map(|(mean, _)| mean * mean).sum();
        let excess: f64 = sums
            .iter()
            .map(|(mean, sum)| (sum - mean).powi(2) - mean)
            .sum();
        let overdispersion = if squares > 0.0 {
            (excess / squares).max(0.0)
        } else {
            0.0
        };
        let mut spread = Self {
            hours,
            overdispersion,
            deviations: NORMAL,
        };
        let mut deviations: Vec<f64> = sums
            .iter()
            .filter(|(mean, _)| *mean > 0.0)
            .map(|(mean, sum)| (sum - mean) / spread.unit(*mean))
            .collect();
        if deviations.len() >= FEWEST_WINDOWS {
            deviations.sort_unstable_by(f64::total_cmp);
            spread.deviations = quantiles_of_sorted(&deviations, SPREAD_LEVELS);
        }
        spread
    }

    /// P(sum over `hours` > capacity) when `expected` is the sum of the expected counts: between the
    /// two lengths learned next to it, by the logarithm of the length; beyond them by the nearest.
    /// `None` when none was learned.
    #[must_use]
    pub fn exceedance_of(
        spreads: &[Self],
        hours: usize,
        expected: f64,
        capacity: f64,
    ) -> Option<f64> {
        let by_length = |spread: &&Self| spread.hours;
        let shorter = spreads.iter().filter(|spread| spread.hours <= hours);
        let longer = spreads.iter().filter(|spread| spread.hours >= hours);
        let (shorter, longer) = (shorter.max_by_key(by_length), longer.min_by_key(by_length));
        let (shorter, longer) = (shorter.or(longer)?, longer.or(shorter)?);
        let low = shorter.exceedance(expected, capacity);
        let high = longer.exceedance(expected, capacity);
        if shorter.hours == longer.hours {
            return Some(low);
        }
        let ln = |hours: usize| (hours as f64).ln();
        let share = (ln(hours) - ln(shorter.hours)) / (ln(longer.hours) - ln(shorter.hours));
        Some(low + share * (high - low))
    }

    fn unit(&self, expected: f64) -> f64 {
        (expected + self.overdispersion * expected * expected).sqrt()
    }

    /// P(sum over the window > capacity) when `expected` is the sum of the expected counts.
    #[must_use]
    pub fn exceedance(&self, expected: f64, capacity: f64) -> f64 {
        if expected <= 0.0 {
            return if capacity < 0.0 { 1.0 } else { 0.0 };
        }
        let deviation = (capacity - expected) / self.unit(expected);
        let lowest = self.deviations[0];
        let below = if deviation < lowest {
            // A mirrored exponential tail, as steep as between the two lowest.
            let width = (self.deviations[1] - lowest).max(f64::MIN_POSITIVE);
            let rate = (SPREAD_LEVELS[1] / SPREAD_LEVELS[0]).ln() / width;
            SPREAD_LEVELS[0] * ((deviation - lowest) * rate).exp()
        } else {
            share_at_or_below(&self.deviations, &SPREAD_LEVELS, deviation)
        };
        (1.0 - below).clamp(0.0, 1.0)
    }
}
