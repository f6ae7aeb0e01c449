//! Split-conformal correction of quantiles from backtest scores.

use foretide_domain::LEVELS;

use crate::statistics::conformal_quantile;

/// Moves each end of the intervals by a share of its distance from the median: out where the
/// backtest was surprised too often, in where it was surprised too seldom. Each end has its own
/// share, so the correction is asymmetric; ends never cross and never fall below zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Signed share of (distance from the median + floor) added to each quantile.
    pub shift: [f64; 5],
    /// Part of the distance that is there even where a quantile equals the median, in counts.
    pub floor: f64,
}

/// Narrowest and widest correction; beyond it the backtest was too short to be believed.
const SHIFT_BOUNDS: (f64, f64) = (-0.9, 6.0);

/// Fewest backtest hours that a correction is learned from.
const FEWEST_SCORES: usize = 48;

const MEDIAN: usize = 2;

/// Quantiles, and what happened.
pub(crate) type Outcome = ([f64; 5], f64);

impl Calibration {
    /// No correction.
    pub(crate) const NONE: Self = Self {
        shift: [0.0; 5],
        floor: 0.0,
    };

    /// Learns from backtest (quantiles, actual) pairs.
    pub(crate) fn learn(outcomes: &[Outcome]) -> Self {
        let hours = outcomes.len();
        if hours < FEWEST_SCORES {
            return Self::NONE;
        }
        let error: f64 = outcomes
            .iter()
            .map(|(q, actual)| (q[MEDIAN] - actual).abs())
            .sum();
        let floor = 0.1 * error / hours as f64;
        if floor <= 0.0 {
            return Self::NONE;
        }
        let mut shift = [0.0; 5];
        for (index, level) in LEVELS.into_iter().enumerate() {
            if index == MEDIAN {
                continue;
            }
            let sign = if index > MEDIAN { 1.0 } else { -1.0 };
            let covered = level.max(1.0 - level);
            let score = |(q, actual): &Outcome| {
                sign * (actual - q[index]) / ((q[index] - q[MEDIAN]).abs() + floor)
            };
            let mut scores: Vec<f64> = outcomes.iter().map(score).collect();
            let needed = conformal_quantile(&mut scores, covered);
            shift[index] = sign * needed.clamp(SHIFT_BOUNDS.0, SHIFT_BOUNDS.1);
        }
        Self { shift, floor }
    }

    /// Corrected quantiles, repaired outward from the median: non-negative and in order.
    #[must_use]
    pub fn apply(&self, quantiles: [f64; 5]) -> [f64; 5] {
        let median = quantiles[MEDIAN];
        let moved: [f64; 5] = std::array::from_fn(|index| {
            let distance = (quantiles[index] - median).abs() + self.floor;
            (quantiles[index] + self.shift[index] * distance).max(0.0)
        });
        let median = moved[MEDIAN];
        let (low_80, high_80) = (moved[1].min(median), moved[3].max(median));
        [
            moved[0].min(low_80),
            low_80,
            median,
            high_80,
            moved[4].max(high_80),
        ]
    }
}
