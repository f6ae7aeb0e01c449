//! Five quantiles of a count: never negative, never crossing.

use serde::{Deserialize, Serialize};

/// The probability levels of [`Quantiles`], in order.
pub const LEVELS: [f64; 5] = [0.025, 0.10, 0.50, 0.90, 0.975];

/// Quantiles that are no quantiles.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantilesError {
    /// A value is NaN or infinite.
    #[error("quantile {level} is not a finite number")]
    NotFinite {
        /// Which level.
        level: f64,
    },
    /// A count below zero.
    #[error("quantile {level} is negative: {value}")]
    Negative {
        /// Which level.
        level: f64,
        /// The value found.
        value: f64,
    },
    /// A higher level lies below a lower one.
    #[error("quantile {level} lies below the one before it: {value} < {previous}")]
    Crossing {
        /// Which level.
        level: f64,
        /// The value found.
        value: f64,
        /// The value of the level before.
        previous: f64,
    },
}

/// Quantiles of one hour's count at the [`LEVELS`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 5]", into = "[f64; 5]")]
pub struct Quantiles([f64; 5]);

impl Quantiles {
    /// Takes the five values as they are.
    ///
    /// # Errors
    /// When one is not finite, negative, or below the one before it.
    pub fn new(values: [f64; 5]) -> Result<Self, QuantilesError> {
        let mut previous = 0.0;
        for (level, value) in LEVELS.into_iter().zip(values) {
            if !value.is_finite() {
                return Err(QuantilesError::NotFinite { level });
            }
            if value < 0.0 {
                return Err(QuantilesError::Negative { level, value });
            }
            if value < previous {
                return Err(QuantilesError::Crossing {
                    level,
                    value,
                    previous,
                });
            }
            previous = value;
        }
        Ok(Self(values))
    }

    /// Sorts the values and lifts negative ones to zero. For model outputs, which are finite.
    ///
    /// # Errors
    /// When one is not finite.
    pub fn repaired(mut values: [f64; 5]) -> Result<Self, QuantilesError> {
        for (level, value) in LEVELS.into_iter().zip(values) {
            if !value.is_finite() {
                return Err(QuantilesError::NotFinite { level });
            }
        }
        values.sort_by(f64::total_cmp);
        Ok(Self(values.map(|value| value.max(0.0))))
    }

    /// The five values, lowest level first.
    #[must_use]
    pub fn values(&self) -> [f64; 5] {
        self.0
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.0[2]
    }

    /// Ends of the central 80% interval.
    #[must_use]
    pub fn interval_80(&self) -> (f64, f64) {
        (self.0[1], self.0[3])
    }

    /// Ends of the central 95% interval.
    #[must_use]
    pub fn interval_95(&self) -> (f64, f64) {
        (self.0[0], self.0[4])
    }
}

impl TryFrom<[f64; 5]> for Quantiles {
    type Error = QuantilesError;

    fn try_from(values: [f64; 5]) -> Result<Self, QuantilesError> {
        Self::new(values)
    }
}

impl From<Quantiles> for [f64; 5] {
    fn from(quantiles: Quantiles) -> Self {
        quantiles.0
    }
}
