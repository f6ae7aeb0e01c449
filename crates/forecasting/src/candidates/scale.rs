//! The scale a candidate works on: counts, or their logarithm.

use super::Parts;
use crate::statistics::above_zero;

/// Highest logarithm turned back into a count.
const HIGHEST_LOG: f64 = 40.0;

/// Counts as they are, or the logarithm of counts plus an offset.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Counts.
    Counts,
    /// ln(count + offset).
    Logarithm {
        /// Added so that silence has a logarithm; above zero.
        offset: f64,
    },
}

impl Scale {
    /// The logarithm with an offset that suits a series of this mean.
    pub(crate) fn logarithm(mean: f64) -> Self {
        Self::Logarithm {
            offset: above_zero(0.05 * mean, 1e-9),
        }
    }

    /// Values on this scale.
    pub(crate) fn of(self, values: &[f64]) -> Vec<f64> {
        match self {
            Self::Counts => values.to_vec(),
            Self::Logarithm { offset } => {
                values.iter().map(|value| (value + offset).ln()).collect()
            }
        }
    }

    /// What a small step on this scale is worth in counts at a count.
    pub(crate) fn slope(self, count: f64) -> f64 {
        match self {
            Self::Counts => 1.0,
            Self::Logarithm { offset } => count + offset,
        }
    }

    /// A count no lower than zero.
    pub(crate) fn count(self, value: f64) -> f64 {
        match self {
            Self::Counts => value.max(0.0),
            Self::Logarithm { offset } => (value.min(HIGHEST_LOG).exp() - offset).max(0.0),
        }
    }

    /// Parts in counts from parts on this scale. They sum to the count; on the logarithmic scale
    /// by the logarithmic mean, as in [`crate::Structural`].
    pub(crate) fn parts(self, parts: Parts) -> Parts {
        let [level, trend, daily, weekly] = parts;
        let count = self.count(level + trend + daily + weekly);
        let share = match self {
            Self::Counts => 1.0,
            Self::Logarithm { offset } => {
                let moved = trend + daily + weekly;
                if moved.abs() < 1e-9 {
                    0.0
                } else {
                    let base = level.min(HIGHEST_LOG).exp();
                    (count + offset - base) / moved
                }
            }
        };
        let [trend, daily, weekly] = [trend, daily, weekly].map(|part| part * share);
        [count - trend - daily - weekly, trend, daily, weekly]
    }
}
