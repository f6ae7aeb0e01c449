//! How good a forecast was, and how likely it says a count is to exceed something.

use foretide_domain::{LEVELS, Quantiles};

use crate::calibration::Outcome;

/// Mean pinball loss of five quantiles against what happened, in counts. Lower is better.
#[must_use]
pub fn pinball(quantiles: &Quantiles, actual: f64) -> f64 {
    pinball_of(&quantiles.values(), actual)
}

pub(crate) fn pinball_of(quantiles: &[f64; 5], actual: f64) -> f64 {
    let loss = |(quantile, level): (&f64, f64)| {
        let miss = actual - quantile;
        (level * miss).max((level - 1.0) * miss)
    };
    quantiles.iter().zip(LEVELS).map(loss).sum::<f64>() / LEVELS.len() as f64
}

/// Absolute error of the median, in counts.
#[must_use]
pub fn absolute_error(quantiles: &Quantiles, actual: f64) -> f64 {
    (quantiles.median() - actual).abs()
}

/// Whether what happened lies inside an interval, ends included.
#[must_use]
pub fn is_covered((low, high): (f64, f64), actual: f64) -> bool {
    low <= actual && actual <= high
}

/// Means over many forecasts of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Number of (forecast, actual) pairs.
    pub hours: usize,
    /// Mean pinball loss, counts.
    pub pinball: f64,
    /// Mean absolute error of the median, counts.
    pub mae: f64,
    /// Share inside the 80% interval.
    pub coverage_80: f64,
    /// Share inside the 95% interval.
    pub coverage_95: f64,
}

/// Evaluates (forecast, actual) pairs; nothing when there are none.
#[must_use]
pub fn evaluate(outcomes: &[(Quantiles, f64)]) -> Option<Evaluation> {
    let values: Vec<_> = outcomes
        .iter()
        .map(|(q, actual)| (q.values(), *actual))
        .collect();
    evaluate_values(&values)
}

pub(crate) fn evaluate_values(outcomes: &[Outcome]) -> Option<Evaluation> {
    if outcomes.is_empty() {
        return None;
    }
    let mean = |measure: &dyn Fn(&Outcome) -> f64| {
        outcomes.iter().map(measure).sum::<f64>() / outcomes.len() as f64
    };
    let share = |inside: bool| if inside { 1.0 } else { 0.0 };
    Some(Evaluation {
        hours: outcomes.len(),
        pinball: mean(&|(q, actual)| pinball_of(q, *actual)),
        mae: mean(&|(q, actual)| (q[2] - actual).abs()),
        coverage_80: mean(&|(q, actual)| share(is_covered((q[1], q[3]), *actual))),
        coverage_95: mean(&|(q, actual)| share(is_covered((q[0], q[4]), *actual))),
    })
}

/// P(value <= threshold) for a threshold at or above the first of the sorted `values` at `levels`.
/// The tail above is exponential.
pub(crate) fn share_at_or_below(values: &[f64], levels: &[f64], threshold: f64) -> f64 {
    let last = values.len() - 1;
    if threshold >= values[last] {
        let width = values[last] - values[last - 1];
        let tail = 1.0 - levels[last];
        if threshold == values[last] || width <= 0.0 {
            return if threshold > values[last] {
                1.0
            } else {
                levels[last]
            };
        }
        let rate = ((1.0 - levels[last - 1]) / tail).ln() / width;
        return 1.0 - tail * (-(threshold - values[last]) * rate).exp();
    }
    let above = values.partition_point(|value| *value <= threshold);
    let (low, high) = (values[above - 1], values[above]);
    let share = (threshold - low) / (high - low);
    levels[above - 1] + share * (levels[above] - levels[above - 1])
}

/// Widens intervals around the median, for forecasts from incomplete inputs.
///
/// `factor` is at least one; distances from the median are multiplied by it, and the lower ends
/// stop at zero.
///
/// # Panics
/// Never: moving ends outward keeps quantiles valid.
#[must_use]
pub fn widened(quantiles: &Quantiles, factor: f64) -> Quantiles {
    let factor = if factor.is_finite() {
        factor.max(1.0)
    } else {
        1.0
    };
    let median = quantiles.median();
    let values = quantiles
        .values()
        .map(|value| (median + factor * (value - median)).min(f64::MAX));
    Quantiles::repaired(values).expect("finite values stay finite")
}
