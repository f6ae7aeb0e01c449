//! Linear regression on lags of one series by least absolute deviations.

use crate::structural::solve;

/// Rounds of reweighting after least squares. Two take most of the way to the median.
const ROUNDS: usize = 2;

/// Smallest residual, in standard deviations, that a weight is taken from.
const SMALLEST_RESIDUAL: f64 = 0.05;

/// Coefficients of `lags` and an intercept for standardised values: iteratively reweighted least
/// squares with a ridge, so that the fit follows the median hour and not the outliers. `None` when
/// there is too little to fit.
pub(crate) fn fit(values: &[f64], lags: &[usize], ridge: f64) -> Option<Vec<f64>> {
    let most = *lags.iter().max()?;
    let rows = values.len().checked_sub(most)?;
    if rows < 2 * lags.len() {
        return None;
    }
    let width = lags.len() + 1;
    let ones = vec![1.0; rows];
    let target = &values[most..];
    let column = |index: usize| match lags.get(index) {
        Some(lag) => &values[most - lag..values.len() - lag],
        None => &ones,
    };
    let mut weights = ones.clone();
    let mut weighted = vec![0.0; rows];
    let mut coefficients = vec![];
    for round in 0..=ROUNDS {
        let mut products = vec![0.0; width * width];
        let mut right = vec![0.0; width];
        for first in 0..width {
            for ((slot, value), weight) in weighted.iter_mut().zip(column(first)).zip(&weights) {
                *slot = value * weight;
            }
            right[first] = dot(&weighted, target);
            for second in 0..=first {
                products[first * width + second] = dot(&weighted, column(second));
            }
            let penalty = if first < lags.len() { ridge } else { 1e-6 };
            products[first * width + first] += penalty;
        }
        coefficients = solve(&mut products, &right)?;
        if round == ROUNDS {
            break;
        }
        weighted.copy_from_slice(target);
        for (index, coefficient) in coefficients.iter().enumerate() {
            for (residual, value) in weighted.iter_mut().zip(column(index)) {
                *residual -= coefficient * value;
            }
        }
        for (weight, residual) in weights.iter_mut().zip(&weighted) {
            *weight = 1.0 / residual.abs().max(SMALLEST_RESIDUAL);
        }
        let mean = weights.iter().sum::<f64>() / rows as f64;
        weights.iter_mut().for_each(|weight| *weight /= mean);
    }
    Some(coefficients)
}

/// Sum of products in eight lanes, always in the same order.
fn dot(first: &[f64], second: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (first, first_rest) = first.as_chunks::<LANES>();
    let (second, second_rest) = second.as_chunks::<LANES>();
    for (a, b) in first.iter().zip(second) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = first_rest.iter().zip(second_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}
