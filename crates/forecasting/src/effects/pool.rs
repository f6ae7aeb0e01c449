//! The series of a panel share what they know about an event.
//!
//! A series has seen few events of a kind, a panel more. Effects of one regressor are drawn from a
//! common distribution whose mean and variance all series tell (random effects: DerSimonian and
//! Laird, "Meta-analysis in clinical trials", 1986); what chance alone may have made is taken off
//! (the positive part of James and Stein's shrinkage, 1961).

use super::RegressorRange;
use crate::structural::EventEffect;

/// Deviation of the mean effect of a regressor over its range, before anything is seen.
const PRIOR_DEVIATION: f64 = 1.0;

/// Series differ at least by this deviation in what an event does to them.
const SMALLEST_DIFFERENCE: f64 = 0.05;

/// Held-out log-likelihood below which a series contradicts the panel.
const VETO: f64 = -2.0;

/// Effects per unit of each regressor, series by series, from what each series shows by itself.
pub(crate) fn pool(seen: &[Vec<EventEffect>], ranges: &[Vec<RegressorRange>]) -> Vec<Vec<f64>> {
    let regressors = seen.first().map_or(0, Vec::len);
    let mut effects = vec![vec![0.0; regressors]; seen.len()];
    for regressor in 0..regressors {
        let known: Vec<Known> = seen
            .iter()
            .zip(ranges)
            .enumerate()
            .filter_map(|(series, (seen, ranges))| {
                Known::new(series, &seen[regressor], ranges[regressor].width())
            })
            .collect();
        let evidence: f64 = known.iter().filter_map(|one| one.held_out).sum();
        let is_contradicted = evidence <= 0.0 && known.iter().any(|one| one.held_out.is_some());
        if known.is_empty() || is_contradicted {
            continue;
        }
        let common = Common::of(&known);
        for one in &known {
            if one.held_out.is_none_or(|gain| gain > VETO) {
                effects[one.series][regressor] = common.shrunk(one) / one.width;
            }
        }
    }
    effects
}

/// What one series shows, over the range of the regressor.
struct Known {
    series: usize,
    width: f64,
    effect: f64,
    variance: f64,
    held_out: Option<f64>,
}

impl Known {
    fn new(series: usize, seen: &EventEffect, width: f64) -> Option<Self> {
        let is_known = seen.variance.is_finite() && seen.variance > 0.0 && width > 0.0;
        is_known.then_some(Self {
            series,
            width,
            effect: seen.per_unit * width,
            variance: seen.variance * width * width,
            held_out: seen.held_out,
        })
    }
}

/// What the series have in common.
struct Common {
    mean: f64,
    /// Of the mean and of the series around it.
    variance: f64,
}

impl Common {
    fn of(known: &[Known]) -> Self {
        let weights = |between: f64| known.iter().map(move |one| 1.0 / (one.variance + between));
        let sum: f64 = weights(0.0).sum();
        let mean_of = |between: f64, prior: f64| -> (f64, f64) {
            let certainty = weights(between).sum::<f64>() + prior;
            let total: f64 = weights(between)
                .zip(known)
                .map(|(weight, one)| weight * one.effect)
                .sum();
            (total / certainty, 1.0 / certainty)
        };
        let (plain, _) = mean_of(0.0, 0.0);
        let spread: f64 = weights(0.0)
            .zip(known)
            .map(|(weight, one)| weight * (one.effect - plain).powi(2))
            .sum();
        let freedom = sum - weights(0.0).map(|weight| weight * weight).sum::<f64>() / sum;
        let between = if freedom > 0.0 {
            ((spread - (known.len() - 1) as f64) / freedom).max(0.0)
        } else {
            0.0
        };
        let between = between.max(SMALLEST_DIFFERENCE * SMALLEST_DIFFERENCE);
        let (mean, variance) = if known.len() > 1 {
            mean_of(between, PRIOR_DEVIATION.powi(-2))
        } else {
            (0.0, PRIOR_DEVIATION.powi(2))
        };
        let between = if known.len() > 1 { between } else { 0.0 };
        Self {
            mean,
            variance: variance + between,
        }
    }

    /// The effect on one series, less what chance may have made.
    fn shrunk(&self, one: &Known) -> f64 {
        let certainty = 1.0 / one.variance + 1.0 / self.variance;
        let effect = (one.effect / one.variance + self.mean / self.variance) / certainty;
        let chance = 1.0 / (certainty * effect * effect).max(f64::MIN_POSITIVE);
        effect * (1.0 - chance).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: RegressorRange = RegressorRange {
        centre: 0.0,
        low: 0.0,
        high: 1.0,
    };

    fn pooled(seen: &[(f64, f64, Option<f64>)]) -> Vec<f64> {
        let one = |&(per_unit, deviation, held_out): &(f64, f64, Option<f64>)| {
            vec![EventEffect {
                per_unit,
                variance: deviation * deviation,
                held_out,
            }]
        };
        let seen: Vec<_> = seen.iter().map(one).collect();
        let ranges = vec![vec![FLAG]; seen.len()];
        pool(&seen, &ranges).into_iter().flatten().collect()
    }

    #[test]
    fn a_clear_effect_stays_and_chance_goes() {
        let clear = pooled(&[(0.9, 0.05, Some(30.0))])[0];
        assert!((0.88..0.9).contains(&clear), "{clear}");
        assert_eq!(pooled(&[(0.05, 0.06, Some(0.1))])[0], 0.0);
        assert_eq!(pooled(&[(0.9, 0.05, Some(-1.0))])[0], 0.0);
    }

    #[test]
    fn a_quiet_series_learns_from_the_others() {
        let effects = pooled(&[
            (0.9, 0.05, Some(30.0)),
            (1.0, 0.06, Some(25.0)),
            (-0.3, 1.5, Some(-0.2)),
        ]);
        assert!((0.6..1.0).contains(&effects[2]), "{effects:?}");
    }

    #[test]
    fn a_series_that_contradicts_the_panel_is_left_alone() {
        let effects = pooled(&[(0.9, 0.05, Some(30.0)), (0.8, 0.3, Some(-5.0))]);
        assert!(effects[0] > 0.8);
        assert_eq!(effects[1], 0.0);
    }
}
