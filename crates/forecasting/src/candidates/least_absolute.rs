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
        if round == 0 {
            unweighted(values, lags, &mut products, &mut right);
        } else {
            for first in 0..width {
                for ((slot, value), weight) in weighted.iter_mut().zip(column(first)).zip(&weights)
                {
                    *slot = value * weight;
                }
                right[first] = dot(&weighted, target);
                for second in 0..=first {
                    products[first * width + second] = dot(&weighted, column(second));
                }
            }
        }
        for at in 0..width {
            products[at * width + at] += if at < lags.len() { ridge } else { 1e-6 };
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

/// Products of the columns where all weights are one. Those of two lags depend on how far they lie
/// apart and, at both ends of the history, on where they lie: one sum for each distance is enough.
fn unweighted(values: &[f64], lags: &[usize], products: &mut [f64], right: &mut [f64]) {
    let width = right.len();
    let most = lags.iter().copied().max().unwrap_or(0);
    let rows = values.len() - most;
    // By distance: the place of the earlier column's first value, and the sum from there.
    let mut sums: Vec<Option<(usize, f64)>> = vec![None; most + 1];
    let mut product = |lag: usize, other: usize| {
        let (start, apart) = (most - lag.max(other), lag.abs_diff(other));
        let terms =
            |from: usize, to: usize| dot(&values[from..to], &values[from + apart..][..to - from]);
        let sum = match sums[apart] {
            None => terms(start, start + rows),
            Some((known, sum)) if known < start => {
                sum - terms(known, start) + terms(known + rows, start + rows)
            }
            Some((known, sum)) => sum + terms(start, known) - terms(start + rows, known + rows),
        };
        sums[apart] = Some((start, sum));
        sum
    };
    for (first, &lag) in lags.iter().enumerate() {
        right[first] = product(lag, 0);
        for (second, &other) in lags[..=first].iter().enumerate() {
            products[first * width + second] = product(lag, other);
        }
    }
    let ones = vec![1.0; rows];
    for (second, &lag) in lags.iter().enumerate() {
        products[lags.len() * width + second] = dot(&ones, &values[most - lag..][..rows]);
    }
    products[lags.len() * width + lags.len()] = rows as f64;
    right[lags.len()] = dot(&ones, &values[most..]);
}

/// Sum of products in eight lanes, always in the same order.
pub(super) fn dot(first: &[f64], second: &[f64]) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unweighted_products_are_those_of_the_columns() {
        let values: Vec<f64> = (0..400)
            .map(|hour| f64::from(hour * hour % 37) / 10.0 - 1.7)
            .collect();
        let lags = [1, 2, 3, 24, 25, 100, 48];
        let (most, width) = (100, lags.len() + 1);
        let (mut products, mut right) = (vec![0.0; width * width], vec![0.0; width]);
        unweighted(&values, &lags, &mut products, &mut right);
        let column = |index: usize, row: usize| match lags.get(index) {
            Some(lag) => values[most + row - lag],
            None => 1.0,
        };
        let sum = |term: &dyn Fn(usize) -> f64| (0..values.len() - most).map(term).sum::<f64>();
        for first in 0..width {
            let expected = sum(&|row| column(first, row) * values[most + row]);
            assert!((right[first] - expected).abs() < 1e-9);
            for second in 0..=first {
                let expected = sum(&|row| column(first, row) * column(second, row));
                assert!((products[first * width + second] - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn an_autoregression_is_found_again_among_outliers() {
        let mut values = vec![1.0, -1.0];
        for hour in 2..600 {
            let noise = f64::from(hour * 7919 % 101) / 101.0 - 0.5;
            let burst = if hour % 97 == 0 { 30.0 } else { 0.0 };
            let next = 0.3 + 0.6 * values[hour as usize - 1] - 0.2 * values[hour as usize - 2];
            values.push(next + noise + burst);
        }
        let found = fit(&values, &[1, 2], 0.1).unwrap();
        assert!((found[0] - 0.6).abs() < 0.05, "{found:?}");
        assert!((found[1] + 0.2).abs() < 0.05, "{found:?}");
    }
}
