//! Means and quantiles.

/// Arithmetic mean; zero of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
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

/// Quantile of values in any order; zero of nothing.
pub(crate) fn quantile(values: &mut [f64], level: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(values, level)
}

/// Split-conformal quantile: the smallest score that covers `level` of exchangeable new ones.
/// The largest score when there are too few to promise the level; zero of nothing.
pub(crate) fn conformal_quantile(scores: &mut [f64], level: f64) -> f64 {
    let Some(last) = scores.len().checked_sub(1) else {
        return 0.0;
    };
    scores.sort_unstable_by(f64::total_cmp);
    let rank = ((scores.len() + 1) as f64 * level).ceil() as usize;
    scores[rank.saturating_sub(1).min(last)]
}
