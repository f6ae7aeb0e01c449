//! Quantiles of whole numbers.

use std::f64::consts::TAU;

/// Quantile above which counts are dense enough to be taken as continuous.
const DENSE: f64 = 30.0;

/// Times a quantile is pulled, and how hard: at one, what lies right beside a whole number would
/// end on it, and cover a count that it did not.
const PULLS: usize = 2;
const STRENGTH: f64 = 0.98;

/// Whether a history holds whole numbers only, as counts do.
#[must_use]
pub fn are_whole(values: &[f64]) -> bool {
    values.iter().all(|value| value.fract() == 0.0)
}

/// Pulls quantiles of whole numbers towards the nearest one, where the pinball loss has its
/// corners: a quantile of a discrete distribution is one of its values. The pull `q - 0.98 sin(2
/// pi q) / (2 pi)` is smooth (so that single and double precision agree), rises with `q` (quantiles never
/// cross) and passes no whole number (coverage does not change).
#[must_use]
pub fn toward_whole(quantiles: [f64; 5]) -> [f64; 5] {
    quantiles.map(|quantile| {
        if quantile >= DENSE {
            return quantile;
        }
        (0..PULLS).fold(quantile, |q, _| q - STRENGTH * (TAU * q).sin() / TAU)
    })
}

#[cfg(test)]
mod tests {
    use super::{are_whole, toward_whole};
    use proptest::prelude::*;

    #[test]
    fn halves_stay_and_the_rest_is_pulled() {
        assert_eq!(toward_whole([0.0, 1.0, 2.0, 3.0, 40.3])[4], 40.3);
        let pulled = toward_whole([0.1, 1.3, 2.5, 2.9, 5.0]);
        assert!(pulled[0] < 0.01 && (1.0..1.1).contains(&pulled[1]));
        assert!((pulled[2] - 2.5).abs() < 1e-9 && pulled[3] > 2.99);
    }

    #[test]
    fn whole_numbers_are_told_from_measures() {
        assert!(are_whole(&[0.0, 3.0, 7e14]) && !are_whole(&[1.0, 2.5]));
    }

    proptest! {
        #[test]
        fn order_and_covered_counts_stay(mut q in proptest::array::uniform5(0.0..50.0_f64)) {
            q.sort_by(f64::total_cmp);
            let pulled = toward_whole(q);
            for (before, after) in q.into_iter().zip(pulled) {
                prop_assert!((before - after).abs() <= 0.5);
                if (before - before.round()).abs() > 1e-9 {
                    prop_assert_eq!(before.floor(), after.floor());
                }
            }
            prop_assert!(pulled.windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }
}
