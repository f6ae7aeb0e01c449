//! What known events do to a series: one factor an hour, learned once and known to every candidate.
//!
//! A campaign, a holiday, a change of one's own is a regressor: known for hours past and ahead. Its
//! effect is a factor on the count, `exp(sum of effect x distance from the usual value)`. Counts are
//! divided by the factor of their hour before any candidate sees them, so no lag, level or season
//! is coloured by a past event, and what the candidates foresee is multiplied by the factor of the
//! hour ahead. How effects are estimated: [`crate::structural::event_effects`]; how the series of a
//! panel share what they know about them: [`pool`].

mod learn;
mod pool;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::counts::unit_of;
use crate::structural::logarithmic_mean;
pub(crate) use learn::PanelEvents;

/// All events of an hour together move a count by at most exp of this, up or down.
pub const EFFECT_LIMIT: f64 = 3.0;

const MEDIAN: usize = 2;

/// Range and centre of a regressor in training. Values outside the range are taken as its end: a
/// model does not extrapolate an effect it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegressorRange {
    /// Value without effect: the median in training.
    pub centre: f64,
    /// Smallest value in training.
    pub low: f64,
    /// Largest value in training.
    pub high: f64,
}

impl RegressorRange {
    /// Distance from the centre, kept within what training has seen.
    pub(crate) fn distance(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high) - self.centre
    }

    pub(crate) fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// The effects of one series beside the ranges of the regressors.
#[derive(Clone, Copy)]
pub(crate) struct Effects<'a> {
    /// Logarithm of the factor of one unit of each regressor.
    pub(crate) per_unit: &'a [f64],
    pub(crate) ranges: &'a [RegressorRange],
}

impl Effects<'_> {
    /// Whether no event does anything.
    pub(crate) fn are_none(&self) -> bool {
        self.per_unit.iter().all(|&effect| effect == 0.0)
    }

    /// What each regressor does to an hour with these values, as logarithms.
    fn each(&self, values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
        let units = self.per_unit.iter().zip(self.ranges).zip(values);
        units.map(|((effect, range), value)| effect * range.distance(value))
    }

    /// Logarithm of the factor of an hour in which the regressors have these values.
    pub(crate) fn logarithm(&self, values: impl Iterator<Item = f64>) -> f64 {
        let sum: f64 = self.each(values).sum();
        sum.clamp(-EFFECT_LIMIT, EFFECT_LIMIT)
    }

    /// Factors of the first hours of columns with one value an hour.
    pub(crate) fn factors(&self, columns: &[&[f64]], hours: usize) -> Vec<f64> {
        if self.are_none() {
            return vec![1.0; hours];
        }
        let at = |hour: usize| columns.iter().map(move |column| column[hour]);
        (0..hours)
            .map(|hour| self.logarithm(at(hour)).exp())
            .collect()
    }

    /// The counts there would have been without events; the columns start with the values.
    pub(crate) fn without_events<'v>(
        &self,
        values: &'v [f64],
        columns: &[&[f64]],
    ) -> Cow<'v, [f64]> {
        if self.are_none() {
            return Cow::Borrowed(values);
        }
        let factors = self.factors(columns, values.len());
        let quiet = values.iter().zip(factors);
        Cow::Owned(quiet.map(|(value, factor)| value / factor).collect())
    }

    /// Adds to the drivers what each regressor does to a mean without events; gives the logarithm
    /// of the factor and the mean with events.
    pub(crate) fn apply(&self, mean: f64, values: &[f64], drivers: &mut [f64]) -> (f64, f64) {
        let each = || self.each(values.iter().copied());
        let logarithm = self.logarithm(values.iter().copied());
        let all: f64 = each().sum();
        // Effects beyond the limit share what the limit leaves.
        let kept = if all == 0.0 { 1.0 } else { logarithm / all };
        let worth = kept * logarithmic_mean(mean, logarithm);
        let mut moved = mean;
        for (driver, effect) in drivers.iter_mut().zip(each()) {
            *driver += worth * effect;
            moved += worth * effect;
        }
        (logarithm, moved)
    }
}

/// Quantiles of an hour whose events have this factor, from those without events. The spread grows
/// with the factor; it shrinks only with its root, as that of counts does.
pub(crate) fn with_events(quantiles: [f64; 5], factor: f64) -> [f64; 5] {
    if factor == 1.0 {
        return quantiles;
    }
    let median = quantiles[MEDIAN];
    let spread = factor.max(factor.sqrt());
    quantiles.map(|quantile| (factor * median + spread * (quantile - median)).max(0.0))
}

/// Counts without events, in whole numbers as they were: taking events out leaves fractions.
pub(crate) fn whole_again(values: &[f64], quiet: &[f64]) -> Vec<f64> {
    let unit = unit_of(values).unwrap_or(1.0);
    let whole = |(value, quiet): (&f64, &f64)| {
        if value == quiet {
            *value
        } else {
            (quiet / unit).round() * unit
        }
    };
    values.iter().zip(quiet).map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: RegressorRange = RegressorRange {
        centre: 0.0,
        low: 0.0,
        high: 1.0,
    };

    #[test]
    fn what_is_taken_out_is_put_in_again() {
        let per_unit = [2.5_f64.ln(), 0.4_f64.ln()];
        let effects = Effects {
            per_unit: &per_unit,
            ranges: &[FLAG, FLAG],
        };
        let columns: [&[f64]; 2] = [&[0.0, 1.0, 0.0, 1.0], &[0.0, 0.0, 1.0, 1.0]];
        let quiet = effects.without_events(&[8.0, 20.0, 3.2, 8.0], &columns);
        assert!(
            quiet.iter().all(|value| (value - 8.0).abs() < 1e-12),
            "{quiet:?}"
        );
        for (hour, expected) in [8.0, 20.0, 3.2, 8.0].into_iter().enumerate() {
            let mut drivers = [0.0; 2];
            let values = [columns[0][hour], columns[1][hour]];
            let (_, mean) = effects.apply(8.0, &values, &mut drivers);
            assert!((mean - expected).abs() < 1e-9);
            assert!((8.0 + drivers.iter().sum::<f64>() - mean).abs() < 1e-12);
        }
    }

    #[test]
    fn values_never_seen_do_no_more_than_the_furthest_seen() {
        let effects = Effects {
            per_unit: &[1.0],
            ranges: &[FLAG],
        };
        assert_eq!(effects.logarithm([50.0].into_iter()), 1.0);
        assert_eq!(effects.logarithm([-50.0].into_iter()), 0.0);
    }

    #[test]
    fn ends_stay_in_order_and_above_zero_whatever_the_factor() {
        for factor in [0.05, 0.5, 1.0, 2.0, 20.0] {
            let moved = with_events([0.0, 1.0, 4.0, 9.0, 14.0], factor);
            assert!(moved[0] >= 0.0 && moved.is_sorted(), "{moved:?}");
            assert!((moved[2] - factor * 4.0).abs() < 1e-12);
        }
    }
}
