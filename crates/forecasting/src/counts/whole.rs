//! Quantiles of whole numbers.

use std::borrow::Cow;
use std::f64::consts::TAU;

/// Quantile above which counts are dense enough to be taken as continuous.
const DENSE: f64 = 30.0;

/// Times a quantile is pulled, and how hard: at one, what lies right beside a whole number would
/// end on it, and cover a count that it did not.
const PULLS: usize = 2;
const STRENGTH: f64 = 0.98;

/// Digits that a number is believed to have: beyond them a double's own grain is in the way.
const MOST_DIGITS: i32 = 12;

/// The largest power of ten that every value is a whole multiple of, as counts are in whatever unit
/// they are told. `None` of measures, and where all is zero.
#[must_use]
pub fn unit_of(values: &[f64]) -> Option<f64> {
    let highest = values.iter().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        return None;
    }
    let top = highest.log10().floor() as i32;
    let are_multiples = |unit: &f64| {
        values.iter().all(|value| {
            let multiple = value / unit;
            (multiple - multiple.round()).abs() <= 8.0 * f64::EPSILON * multiple
        })
    };
    let mut units = (top - MOST_DIGITS..=top)
        .rev()
        .map(|power| 10_f64.powi(power));
    let are_whole = || values.iter().all(|value| value.fract() == 0.0);
    units
        .find(are_multiples)
        .or_else(|| are_whole().then_some(1.0))
}

/// Values in a unit.
pub(super) fn in_units(values: &[f64], unit: f64) -> Cow<'_, [f64]> {
    if unit == 1.0 {
        Cow::Borrowed(values)
    } else {
        Cow::Owned(values.iter().map(|value| value / unit).collect())
    }
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
    use super::{toward_whole, unit_of};
    use proptest::prelude::*;

    #[test]
    fn halves_stay_and_the_rest_is_pulled() {
        assert_eq!(toward_whole([0.0, 1.0, 2.0, 3.0, 40.3])[4], 40.3);
        let pulled = toward_whole([0.1, 1.3, 2.5, 2.9, 5.0]);
        assert!(pulled[0] < 0.01 && (1.0..1.1).contains(&pulled[1]));
        assert!((pulled[2] - 2.5).abs() < 1e-9 && pulled[3] > 2.99);
    }

    #[test]
    fn the_unit_of_counts_is_found_and_measures_have_none() {
        assert_eq!(unit_of(&[0.0, 3.0, 7e14]), Some(1.0));
        assert_eq!(unit_of(&[1.0, 2.5]), Some(0.1));
        for unit in [1e-12, 1e-6, 1.0, 1e6] {
            let found = unit_of(&[0.0, 3.0 * unit, 12.0 * unit, 1301.0 * unit]).unwrap();
            assert!((found / unit - 1.0).abs() < 1e-12, "{unit}: {found}");
        }
        assert_eq!(unit_of(&[1.0, 2.0_f64.sqrt(), 3.0_f64.sqrt()]), None);
        assert_eq!(unit_of(&[0.0]), None);
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
