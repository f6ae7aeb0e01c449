//! What each candidate weighs in a series' ensemble.
//!
//! Weights fall with a power of the error in rolling forecasts inside the history, newest origins
//! first: as good as stacking here, without its variance (Timmermann, "Forecast combinations", 2006;
//! the M4 competition's combinations: Pawlikowski and Chorowska 2020).

/// Power of the error that a weight falls with.
const POWER: f64 = 6.0;

/// Days after which an origin counts half.
const HALF_LIFE_DAYS: f64 = 3.0;

/// A smaller share is not worth its arithmetic.
const SMALLEST: f64 = 0.01;

/// Weight of the errors of an origin that lies so many days back.
pub(crate) fn recency(days_back: usize) -> f64 {
    0.5_f64.powf(days_back as f64 / HALF_LIFE_DAYS)
}

/// Weights that sum to one from weighted absolute errors. `None`: the candidate does not take part.
/// Someone must.
pub(crate) fn by_error(errors: &[Option<f64>]) -> Vec<f64> {
    let least = errors
        .iter()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let weight = |error: &Option<f64>| match *error {
        Some(error) if least <= 0.0 => f64::from(u8::from(error <= 0.0)),
        Some(error) => (least / error).powf(POWER),
        None => 0.0,
    };
    let raw = normalised(errors.iter().map(weight).collect());
    normalised(
        raw.into_iter()
            .map(|weight| if weight < SMALLEST { 0.0 } else { weight })
            .collect(),
    )
}

fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_weighs_more_and_the_hopeless_nothing() {
        let weights = by_error(&[Some(1.0), Some(1.1), None, Some(9.0)]);
        assert!(weights[0] > weights[1] && weights[1] > 0.3);
        assert_eq!(weights[2..], [0.0, 0.0]);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn those_who_never_err_share() {
        assert_eq!(
            by_error(&[Some(0.0), Some(0.0), Some(1.0)]),
            [0.5, 0.5, 0.0]
        );
    }
}
