//! Autoregression on recent, daily and weekly lags, fitted by least absolute deviations with a ridge
//! and projected hour by hour.

use serde::{Deserialize, Serialize};

use super::least_absolute;
use super::scale::Scale;
use crate::statistics::{mean, variance};

/// Hours fitted to at most: twelve weeks.
const WINDOW: usize = 12 * 168;

/// Weight of the pull towards zero, in standardised hours. Small: hundreds of hours speak against
/// it where lags matter.
const RIDGE: f64 = 0.1;

/// A projected value stays within as many standard deviations of the mean.
const BOUND: f64 = 12.0;

/// Which lags an autoregression looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lags {
    /// Few: a handful around the hour, the day and the week.
    Lean,
    /// Every hour of the last day, days of the week.
    Day,
    /// The same with the neighbours of every day.
    Neighbours,
    /// The same with the week before last.
    Fortnight,
    /// Same hours of the last four weeks.
    Weeks,
}

impl Lags {
    pub(crate) fn list(self) -> Vec<usize> {
        let day = 1..=25;
        match self {
            Self::Lean => vec![
                1, 2, 3, 22, 23, 24, 25, 26, 48, 72, 96, 120, 144, 166, 167, 168, 169, 170,
            ],
            Self::Day => day
                .chain([48, 49, 72, 96, 120, 144, 145, 167, 168, 169, 192])
                .collect(),
            Self::Neighbours => day
                .chain([
                    47, 48, 49, 71, 72, 73, 95, 96, 97, 119, 120, 121, 143, 144, 145,
                ])
                .chain([166, 167, 168, 169, 170, 191, 192, 193])
                .collect(),
            Self::Fortnight => day
                .chain([
                    47, 48, 49, 72, 96, 120, 144, 145, 167, 168, 169, 192, 216, 240,
                ])
                .chain([335, 336, 337])
                .collect(),
            Self::Weeks => vec![24, 48, 72, 144, 168, 192, 336, 504, 672],
        }
    }
}

/// A fitted autoregression: the next value is the intercept plus coefficients times lags, on its
/// scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Autoregression {
    /// Scale of values.
    pub scale: Scale,
    /// Hours back, one for each coefficient.
    pub lags: Vec<usize>,
    /// One for each lag.
    pub coefficients: Vec<f64>,
    /// Added to every value.
    pub intercept: f64,
    /// Lowest and highest value foreseen, on the scale.
    pub bounds: (f64, f64),
}

impl Autoregression {
    /// Fits to the newest hours of `values`, which are on `scale` already. `None` when there is too
    /// little, or nothing ever changes.
    pub(crate) fn fit(values: &[f64], scale: Scale, lags: Lags) -> Option<Self> {
        let values = &values[values.len().saturating_sub(WINDOW)..];
        let lags = lags.list();
        let (centre, deviation) = (mean(values), variance(values).sqrt());
        if deviation <= 1e-9 * centre.abs().max(1e-300) {
            return None;
        }
        let standard: Vec<f64> = values
            .iter()
            .map(|value| (value - centre) / deviation)
            .collect();
        let mut coefficients = least_absolute::fit(&standard, &lags, RIDGE)?;
        let shift = coefficients.pop()?;
        let carried: f64 = coefficients.iter().sum();
        let reach = BOUND * deviation;
        Some(Self {
            scale,
            lags,
            coefficients,
            intercept: centre * (1.0 - carried) + deviation * shift,
            bounds: (centre - reach, centre + reach),
        })
    }

    /// Hours of history that a projection looks at.
    pub(crate) fn reach(&self) -> usize {
        self.lags.iter().copied().max().unwrap_or(0)
    }

    /// Counts ahead of `known`, which is on the scale already and at least as long as the reach.
    pub(crate) fn project(&self, known: &[f64], ahead: usize) -> Vec<f64> {
        let reach = self.reach();
        let mut path = known[known.len() - reach..].to_vec();
        for now in reach..reach + ahead {
            let carried = self.carried(&path[..now]);
            path.push((self.intercept + carried).clamp(self.bounds.0, self.bounds.1));
        }
        path[reach..]
            .iter()
            .map(|&value| self.scale.count(value))
            .collect()
    }

    /// Coefficients times lags, in four sums that need not wait for each other.
    fn carried(&self, path: &[f64]) -> f64 {
        let now = path.len();
        let (lags, lags_rest) = self.lags.as_chunks::<4>();
        let (coefficients, rest) = self.coefficients.as_chunks::<4>();
        let mut sums = [0.0; 4];
        for (lags, coefficients) in lags.iter().zip(coefficients) {
            for ((sum, lag), coefficient) in sums.iter_mut().zip(lags).zip(coefficients) {
                *sum += coefficient * path[now - lag];
            }
        }
        let rest = lags_rest.iter().zip(rest);
        sums.iter().sum::<f64>() + rest.map(|(lag, c)| c * path[now - lag]).sum::<f64>()
    }
}
