//! Means and quantiles.

/// Arithmetic mean; zero of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// A value above zero as it is, another in place of zero.
pub(crate) fn above_zero(value: f64, otherwise: f64) -> f64 {
    if value > 0.0 { value } else { otherwise }
}

/// Population variance around the mean; zero of nothing.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: Vec<f64> = values
        .iter()
        .map(|value| (value - centre).powi(2))
        .collect();
    mean(&squares)
}

/// Quantile of sorted values, interpolated linearly between order statistics; zero of nothing.
pub(crate) fn quantile_of_sorted(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = level * last as f64;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let share = position - below as f64;
    sorted[below] * (1.0 - share) + sorted[above] * share
}

/// Several quantiles of sorted values.
pub(crate) fn quantiles_of_sorted<const N: usize>(sorted: &[f64], levels: [f64; N]) -> [f64; N] {
    levels.map(|level| quantile_of_sorted(sorted, level))
}

/// Quantile of values in any order, which is changed; zero of nothing. The same as that of the
/// sorted values, in linear time.
pub(crate) fn quantile(values: &mut [f64], level: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let below = ((level * last as f64).floor() as usize).min(last);
    let (_, _, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    if !above.is_empty() {
        above.select_nth_unstable_by(0, f64::total_cmp);
    }
    quantile_of_sorted(values, level)
}

/// Split-conformal quantile: the smallest score that covers `level` of exchangeable new ones.
/// The largest score when there are too few to promise the level; zero of nothing.
pub(crate) fn conformal_quantile(scores: &mut [f64], level: f64) -> f64 {
    let Some(last) = scores.len().checked_sub(1) else {
        return 0.0;
    };
    let rank = ((scores.len() + 1) as f64 * level).ceil() as usize;
    let place = rank.saturating_sub(1).min(last);
    *scores.select_nth_unstable_by(place, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_that_of_the_sorted_values() {
        let mut values: Vec<f64> = (0..37).map(|at| f64::from(at * 17 % 23)).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for level in [0.0, 0.1, 0.5, 0.97, 1.0] {
            assert_eq!(
                quantile(&mut values, level),
                quantile_of_sorted(&sorted, level)
            );
        }
        values.sort_by(f64::total_cmp);
        assert_eq!(values, sorted);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
        assert_eq!(quantile(&mut [4.0], 0.9), 4.0);
        assert_eq!(conformal_quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(conformal_quantile(&mut [3.0, 1.0, 2.0], 0.99), 3.0);
    }
}
