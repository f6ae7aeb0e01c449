//! Spread around a point forecast, by part of the week.

use foretide_domain::LEVELS;

use crate::statistics::quantiles_of_sorted;
use crate::week::{PARTS_OF_WEEK, part_of_week};

/// Quantiles at the five levels for each [`part_of_week`]: of ratios that a point
/// is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartSpread(pub [[f64; 5]; PARTS_OF_WEEK]);

/// Weight of the pooled quantiles, in observations: a part with as many of its own stands halfway.
const POOLED_OBSERVATIONS: f64 = 60.0;

/// Ratios of a series never seen above zero: those of an exponential distribution.
const UNKNOWN_RATIOS: [f64; 5] = [0.025, 0.105, 0.693, 2.303, 3.689];

impl PartSpread {
    /// The widest guess about what is multiplied.
    pub(crate) const UNKNOWN: Self = Self([UNKNOWN_RATIOS; PARTS_OF_WEEK]);

    /// Learns from (hour of the week, ratio) pairs. Thin parts lean on all together.
    pub(crate) fn learn(observed: &[(usize, f64)]) -> Option<Self> {
        if observed.is_empty() {
            return None;
        }
        let mut all: Vec<f64> = observed.iter().map(|&(_, value)| value).collect();
        all.sort_unstable_by(f64::total_cmp);
        let pooled = quantiles_of_sorted(&all, LEVELS);
        let mut parts: [Vec<f64>; PARTS_OF_WEEK] = Default::default();
        for &(hour_of_week, value) in observed {
            parts[part_of_week(hour_of_week)].push(value);
        }
        Some(Self(parts.map(|mut part| {
            part.sort_unstable_by(f64::total_cmp);
            let own = quantiles_of_sorted(&part, LEVELS);
            let share = part.len() as f64 / (part.len() as f64 + POOLED_OBSERVATIONS);
            std::array::from_fn(|level| share * own[level] + (1.0 - share) * pooled[level])
        })))
    }

    /// Quantiles of `point` x ratio.
    pub(crate) fn times(&self, point: f64, hour_of_week: usize) -> [f64; 5] {
        self.0[part_of_week(hour_of_week)].map(|ratio| point * ratio)
    }
}
