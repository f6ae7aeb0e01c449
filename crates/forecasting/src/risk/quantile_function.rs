//! A whole distribution from five quantiles.

use foretide_domain::LEVELS;

/// Normal scores of [`LEVELS`].
const SCORES: [f64; 5] = [
    -1.959_963_984_540_054,
    -1.281_551_565_544_600_4,
    0.0,
    1.281_551_565_544_600_4,
    1.959_963_984_540_054,
];

/// Shortest tail of a count, units: the count after the highest quantile then has half of what is
/// left above it.
const SHORTEST_TAIL: f64 = 0.721_347_520_444_481_7;

/// A distribution of a count or a volume given by five quantiles.
///
/// Between them it is linear in normal scores, as a bell would be. Above the highest it falls
/// exponentially, as steeply as between the two highest: heavier than a bell's tail, since bursts
/// are what capacities are exceeded by. Below the lowest it runs straight to zero at zero: there is
/// nothing below. A distribution without width stays a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileFunction {
    values: [f64; 5],
}

impl QuantileFunction {
    /// `None` unless the quantiles are finite, not negative and in order.
    #[must_use]
    pub fn new(values: [f64; 5]) -> Option<Self> {
        let in_order = values.windows(2).all(|pair| pair[0] <= pair[1]);
        let finite = values.iter().all(|value| value.is_finite());
        (in_order && finite && values[0] >= 0.0).then_some(Self { values })
    }

    /// The quantile at a level between 0 and 1; levels outside are taken as the nearest that can be
    /// answered.
    #[must_use]
    pub fn at(&self, level: f64) -> f64 {
        let values = &self.values;
        let highest = LEVELS[4];
        if level <= LEVELS[0] {
            return values[0] * (level / LEVELS[0]).max(0.0);
        }
        if level >= highest {
            let beyond = ((1.0 - highest) / (1.0 - level).max(1e-12)).ln();
            return values[4] + beyond * self.tail_length();
        }
        let score = normal_quantile(level);
        let above = SCORES.partition_point(|known| *known < score).clamp(1, 4);
        let (low, high) = (SCORES[above - 1], SCORES[above]);
        let share = (score - low) / (high - low);
        values[above - 1] + share * (values[above] - values[above - 1])
    }

    /// P(value > threshold).
    #[must_use]
    pub fn exceedance(&self, threshold: f64) -> f64 {
        self.exceedance_by(threshold, self.tail_length())
    }

    /// P(count > threshold) of a count that is told in whole `unit`s and has this mean.
    ///
    /// A count is the whole number next to a value of this distribution, so what lies above a whole
    /// number begins half a unit later. Where no quantile is above zero, the mean says how often
    /// something happens: as often as events that come one by one would, but no more often than the
    /// highest quantile allows.
    #[must_use]
    pub fn exceedance_of_count(&self, threshold: f64, unit: f64, mean: f64) -> f64 {
        if threshold < 0.0 {
            return 1.0;
        }
        let whole = (threshold / unit).floor();
        if self.values[4] <= 0.0 {
            let mean = (mean / unit).max(0.0);
            let anything = (-(-mean).exp_m1()).min(1.0 - LEVELS[4]);
            let more = if mean > 0.0 {
                1.0 - anything / mean
            } else {
                0.0
            };
            return anything * more.clamp(0.0, 1.0).powf(whole);
        }
        let least = SHORTEST_TAIL * unit;
        self.exceedance_by((whole + 0.5) * unit, self.tail_length().max(least))
    }

    fn exceedance_by(&self, threshold: f64, tail_length: f64) -> f64 {
        let values = &self.values;
        if threshold < 0.0 {
            return 1.0;
        }
        if threshold < values[0] {
            return 1.0 - LEVELS[0] * threshold / values[0];
        }
        if threshold >= values[4] {
            let length = tail_length;
            if length <= 0.0 {
                return if threshold > values[4] {
                    0.0
                } else {
                    1.0 - LEVELS[4]
                };
            }
            return (1.0 - LEVELS[4]) * (-(threshold - values[4]) / length).exp();
        }
        let above = values.partition_point(|value| *value <= threshold);
        let (low, high) = (values[above - 1], values[above]);
        let share = (threshold - low) / (high - low);
        let score = SCORES[above - 1] + share * (SCORES[above] - SCORES[above - 1]);
        1.0 - normal_share(score)
    }

    /// How much further the tail reaches each time its chance falls by a factor of e.
    fn tail_length(&self) -> f64 {
        let fall = ((1.0 - LEVELS[3]) / (1.0 - LEVELS[4])).ln();
        (self.values[4] - self.values[3]) / fall
    }
}

/// Share of a standard normal at or below a score: Abramowitz and Stegun 7.1.26 refined by
/// Numerical Recipes' Chebyshev fit of erfc (relative error below 1.2e-7).
#[must_use]
pub fn normal_share(score: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = score.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let polynomial = FIT
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * t + coefficient);
    let tail = 0.5 * t * (-x * x + polynomial).exp();
    if score > 0.0 { 1.0 - tail } else { tail }
}

/// Score of a standard normal at a share strictly between 0 and 1 (outside, at the nearest 1e-300
/// inside): P. J. Acklam's rational approximation, relative error below 1.2e-9.
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    const NUMERATOR: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const DENOMINATOR: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const TAIL_NUMERATOR: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const TAIL_DENOMINATOR: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL: f64 = 0.024_25;
    let polynomial = |coefficients: &[f64], x: f64| {
        coefficients
            .iter()
            .fold(0.0, |sum, coefficient| sum * x + coefficient)
    };
    let in_tail = |share: f64| {
        let q = (-2.0 * share.max(1e-300).ln()).sqrt();
        polynomial(&TAIL_NUMERATOR, q) / polynomial(&TAIL_DENOMINATOR, q)
    };
    if share < TAIL {
        in_tail(share)
    } else if share > 1.0 - TAIL {
        -in_tail(1.0 - share)
    } else {
        let q = share - 0.5;
        let r = q * q;
        polynomial(&NUMERATOR, r) * q / polynomial(&DENOMINATOR, r)
    }
}

#[cfg(test)]
mod tests {
    use super::{QuantileFunction, normal_quantile, normal_share};
    use foretide_domain::LEVELS;
    use proptest::prelude::*;

    #[test]
    fn normal_scores_are_the_textbook_ones() {
        for (share, score) in [
            (0.975, 1.959_964),
            (0.9, 1.281_552),
            (0.5, 0.0),
            (0.001, -3.090_232),
        ] {
            assert!((normal_quantile(share) - score).abs() < 1e-6);
            assert!((normal_share(score) - share).abs() < 1e-6);
        }
    }

    #[test]
    fn the_known_quantiles_are_kept() {
        let known = [1.0, 3.0, 8.0, 15.0, 22.0];
        let function = QuantileFunction::new(known).unwrap();
        for (level, value) in LEVELS.into_iter().zip(known) {
            assert!((function.at(level) - value).abs() < 1e-6);
            assert!((function.exceedance(value) - (1.0 - level)).abs() < 1e-6);
        }
    }

    #[test]
    fn malformed_quantiles_are_refused() {
        assert_eq!(QuantileFunction::new([0.0, 2.0, 1.0, 3.0, 4.0]), None);
        assert_eq!(QuantileFunction::new([-1.0, 0.0, 1.0, 3.0, 4.0]), None);
        assert_eq!(QuantileFunction::new([0.0, 0.0, 1.0, 3.0, f64::NAN]), None);
        assert_eq!(
            QuantileFunction::new([0.0, 0.0, 1.0, 3.0, f64::INFINITY]),
            None
        );
    }

    #[test]
    fn a_certain_value_is_a_step() {
        let function = QuantileFunction::new([5.0; 5]).unwrap();
        assert_eq!(
            (function.exceedance(4.9), function.exceedance(5.1)),
            (1.0 - 0.025 * 4.9 / 5.0, 0.0)
        );
        assert_eq!(function.at(0.999), 5.0);
        let nothing = QuantileFunction::new([0.0; 5]).unwrap();
        assert_eq!(
            (nothing.exceedance(-1.0), nothing.exceedance(0.5)),
            (1.0, 0.0)
        );
    }

    #[test]
    fn f9_counts_are_whole_and_what_lies_above_one_begins_half_a_unit_later() {
        let function = QuantileFunction::new([0.0, 0.0, 0.0, 1.0, 2.0]).unwrap();
        let p = |threshold| function.exceedance_of_count(threshold, 1.0, 0.4);
        assert!((p(0.0) - 0.2607).abs() < 1e-3, "{}", p(0.0));
        assert_eq!(p(0.0), p(0.9), "nothing lies between whole numbers");
        assert!((0.025..0.1).contains(&p(1.0)));
        assert!(p(2.0) > 0.0 && p(2.0) < 0.025);
        assert_eq!(p(-1.0), 1.0);
        // in another unit the same
        let thousands = QuantileFunction::new([0.0, 0.0, 0.0, 1e3, 2e3]).unwrap();
        assert!((thousands.exceedance_of_count(1e3, 1e3, 400.0) - p(1.0)).abs() < 1e-12);
    }

    #[test]
    fn f9_a_rare_count_happens_as_often_as_its_mean_says() {
        let never_seen = QuantileFunction::new([0.0; 5]).unwrap();
        let p = |threshold, mean| never_seen.exceedance_of_count(threshold, 1.0, mean);
        assert!((p(0.0, 0.01) - 0.00995).abs() < 1e-5);
        assert!(
            (p(0.0, 0.5) - 0.025).abs() < 1e-12,
            "the highest quantile is 0"
        );
        assert!(p(1.0, 0.01) < 1e-4 && p(1.0, 0.5) > 0.02);
        assert_eq!(p(0.0, 0.0), 0.0);
        let certain = QuantileFunction::new([150.0; 5]).unwrap();
        assert!((certain.exceedance_of_count(150.0, 1.0, 150.0) - 0.0125).abs() < 1e-9);
        assert!(certain.exceedance_of_count(149.0, 1.0, 150.0) > 0.97);
    }

    proptest! {
        #[test]
        fn exceedance_of_counts_falls(
            steps in proptest::array::uniform5(0_u8..5),
            mean in 0.0..20.0_f64,
            (a, b) in (0.0..40.0_f64, 0.0..40.0_f64),
        ) {
            let mut sum = 0.0;
            let values = steps.map(|step| { sum += f64::from(step); sum });
            let function = QuantileFunction::new(values).unwrap();
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let p = |threshold| function.exceedance_of_count(threshold, 1.0, mean);
            prop_assert!(p(low) >= p(high) - 1e-12);
            prop_assert!((0.0..=1.0).contains(&p(a)));
        }

        #[test]
        fn exceedance_falls_and_undoes_the_quantile(
            steps in proptest::array::uniform5(0.01..50.0_f64),
            level in 0.001..0.999_f64,
            (a, b) in (0.0..300.0_f64, 0.0..300.0_f64),
        ) {
            let mut sum = 0.0;
            let values = steps.map(|step| { sum += step; sum });
            let function = QuantileFunction::new(values).unwrap();
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(function.exceedance(low) >= function.exceedance(high) - 1e-12);
            prop_assert!((0.0..=1.0).contains(&function.exceedance(a)));
            prop_assert!((function.exceedance(function.at(level)) - (1.0 - level)).abs() < 1e-5);
        }
    }
}
