//! Intervals from what the ensemble's own rolling forecasts missed by: conformal, each end by
//! itself, by horizon, in units that move with the point.

use foretide_domain::LEVELS;

use crate::calibration::Outcome;
use crate::metrics::pinball_of;
use crate::statistics::{above_zero, quantile_of_sorted};

/// Number of horizon bands: see [`horizon_band`].
pub const HORIZON_BANDS: usize = 5;

/// First hour ahead (from 1) of each band but the first.
const BAND_STARTS: [usize; HORIZON_BANDS - 1] = [7, 25, 49, 97];

/// Band of an hour ahead, counted from 1: up to 6 hours, a day, two days, four days, more.
#[must_use]
pub fn horizon_band(hour_ahead: usize) -> usize {
    BAND_STARTS
        .iter()
        .filter(|&&start| hour_ahead >= start)
        .count()
}

/// How wide a miss is as the point grows: (point + floor) to the power of one of these.
const EXPONENTS: [f64; 3] = [0.0, 0.5, 1.0];

/// Misses of the whole horizon that stand beside those of a band.
const POOLED_MISSES: f64 = 50.0;

/// Ends of intervals from few origins are too narrow, the more so the more the hours of an origin are
/// missed alike: they are moved out by this much times that share, over the number of origins.
const FEW_ORIGINS: f64 = 11.0;

const MEDIAN: usize = 2;

/// What a point forecast of a series is usually missed by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    /// Power of the point that misses grow with: 0, 0.5 or 1.
    pub exponent: f64,
    /// Counts added to the point before the power is taken; above zero.
    pub floor: f64,
    /// Misses at the five levels for each [`horizon_band`], in units of the power.
    pub misses: [[f64; 5]; HORIZON_BANDS],
}

/// One hour of a rolling forecast beside what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Missed {
    /// Which origin.
    pub(crate) origin: usize,
    /// Hours ahead, from 1.
    pub(crate) ahead: usize,
    pub(crate) point: f64,
    pub(crate) actual: f64,
}

impl Intervals {
    /// No width at all: for a series that never was anything but its forecast.
    pub(crate) const NONE: Self = Self {
        exponent: 0.0,
        floor: 1.0,
        misses: [[0.0; 5]; HORIZON_BANDS],
    };

    /// Learns from rolling forecasts; the power is the one that does best on origins it was not
    /// learned from. With the quantiles as [`Self::crossed`] gives them.
    pub(crate) fn learn(missed: &[Missed]) -> (Self, Vec<Outcome>) {
        let tried = EXPONENTS.map(|exponent| {
            let outcomes = Self::crossed(missed, exponent);
            let losses = outcomes.iter().map(|(q, actual)| pinball_of(q, *actual));
            (losses.sum::<f64>(), exponent, outcomes)
        });
        let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let (_, exponent, outcomes) = best.expect("there are exponents");
        (Self::with_exponent(missed, exponent, 1), outcomes)
    }

    /// Quantiles of every hour as the other half of the origins would have it, in the hours' order.
    pub(crate) fn crossed(missed: &[Missed], exponent: f64) -> Vec<Outcome> {
        let learned = [0, 1].map(|half| {
            let others = missed.iter().filter(|m| m.origin % 2 != half);
            Self::with_exponent(&others.copied().collect::<Vec<_>>(), exponent, 2)
        });
        let outcome = |m: &Missed| {
            let quantiles = learned[m.origin % 2].around(m.point, horizon_band(m.ahead));
            (quantiles, m.actual)
        };
        missed.iter().map(outcome).collect()
    }

    /// `parts`: of how many parts of all origins these are one, so that ends are as wide as served.
    fn with_exponent(missed: &[Missed], exponent: f64, parts: usize) -> Self {
        if missed.is_empty() {
            return Self::NONE;
        }
        let level = missed.iter().map(|m| m.point).sum::<f64>() / missed.len() as f64;
        let mut learned = Self {
            exponent,
            floor: above_zero(0.05 * level, 1e-6),
            ..Self::NONE
        };
        let standard = |m: &Missed| (m.actual - m.point) / learned.unit(m.point);
        let mut all: Vec<f64> = missed.iter().map(standard).collect();
        all.sort_unstable_by(f64::total_cmp);
        let mut previous = LEVELS.map(|level| quantile_of_sorted(&all, level));
        let mut bands = [[0.0; 5]; HORIZON_BANDS];
        for (band, ends) in bands.iter_mut().enumerate() {
            let in_band = || missed.iter().filter(|m| horizon_band(m.ahead) == band);
            let mut own: Vec<f64> = in_band().map(standard).collect();
            own.sort_unstable_by(f64::total_cmp);
            let (origins, alike) = alikeness(in_band().map(|m| (m.origin, standard(m))));
            let share = own.len() as f64 / (own.len() as f64 + POOLED_MISSES);
            let wider = 1.0 + FEW_ORIGINS * alike / ((parts * origins).max(2) as f64);
            for (index, end) in ends.iter_mut().enumerate() {
                let own = quantile_of_sorted(&own, LEVELS[index]);
                *end = share * own + (1.0 - share) * previous[index];
            }
            let median = ends[MEDIAN];
            previous = *ends;
            for (index, end) in ends.iter_mut().enumerate() {
                // The point stays the median: what it was missed by lately says little of what comes.
                *end = if index == MEDIAN {
                    0.0
                } else {
                    median + wider * (*end - median)
                };
            }
        }
        learned.misses = bands;
        learned
    }

    /// The unit misses are counted in at a point.
    #[must_use]
    pub fn unit(&self, point: f64) -> f64 {
        let size = point.max(0.0) + self.floor;
        match self.exponent {
            0.0 => 1.0,
            0.5 => size.sqrt(),
            1.0 => size,
            other => size.powf(other),
        }
    }

    /// Quantiles around a point: in order and not below zero.
    #[must_use]
    pub fn around(&self, point: f64, band: usize) -> [f64; 5] {
        let unit = self.unit(point);
        let mut quantiles = self.misses[band].map(|miss| (point + unit * miss).max(0.0));
        quantiles[1] = quantiles[1].min(quantiles[MEDIAN]);
        quantiles[0] = quantiles[0].min(quantiles[1]);
        quantiles[3] = quantiles[3].max(quantiles[MEDIAN]);
        quantiles[4] = quantiles[4].max(quantiles[3]);
        quantiles
    }
}

/// Number of origins, and the share of the misses' variance that lies between origins: near zero
/// when every hour is missed by chance, one when whole origins are.
fn alikeness(missed: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    let mut sums: Vec<(usize, f64, f64)> = Vec::new();
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for (origin, miss) in missed {
        match sums.last_mut() {
            Some((last, sum, count)) if *last == origin => {
                *sum += miss;
                *count += 1.0;
            }
            _ => sums.push((origin, miss, 1.0)),
        }
        sum += miss;
        squares += miss * miss;
        count += 1.0;
    }
    if count == 0.0 {
        return (0, 0.0);
    }
    let mean = sum / count;
    let total = squares / count - mean * mean;
    let between = sums
        .iter()
        .map(|(_, sum, count)| count * (sum / count - mean).powi(2))
        .sum::<f64>()
        / count;
    let share = if total > 0.0 { between / total } else { 0.0 };
    (sums.len(), share.clamp(0.0, 1.0))
}
