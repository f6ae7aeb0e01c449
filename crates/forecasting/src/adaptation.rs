//! Intervals that follow how often they have held since the training.
//!
//! A training learns from rolling origins how wide intervals must be. When the noise changes after
//! it, that width is wrong until the next one. So each end of the intervals has a factor that grows
//! while more falls beyond it than it promises, and shrinks while less does: quantile tracking
//! (Angelopoulos, Candès and Tibshirani, "Conformal PID control for time series prediction", 2023;
//! Gibbs and Candès, "Adaptive conformal inference under distribution shift", 2021). What falls
//! beyond an end averages to what it promises, whatever the noise does.

use std::collections::BTreeMap;

use foretide_domain::{LEVELS, Quantiles};

use crate::intervals::{HORIZON_BANDS, horizon_band};

/// Ends of the two intervals: lower and upper of 95%, lower and upper of 80%.
pub const ENDS: usize = 4;

/// Places of the ends among the five quantiles.
const PLACES: [usize; ENDS] = [0, 1, 3, 4];

const MEDIAN: usize = 2;

/// How far the logarithm of a factor moves in a day in which everything falls beyond the end, or, of
/// the opposite sign and times the level, nothing. Outer ends promise less, so they hear of less.
const RATES: [f64; ENDS] = [0.3, 0.2, 0.2, 0.3];

/// Factors stay within these: beyond, a new training is what helps.
const LEAST: f64 = 0.5;
const MOST: f64 = 3.0;

/// Most days of hours that one step believes: after a long silence the world may be another.
const MOST_DAYS: f64 = 3.0;

/// Factors on the distances of the ends from the median, by [`horizon_band`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndFactors {
    factors: [[f64; ENDS]; HORIZON_BANDS],
}

impl Default for EndFactors {
    /// Ends as the training left them.
    fn default() -> Self {
        Self {
            factors: [[1.0; ENDS]; HORIZON_BANDS],
        }
    }
}

/// An hour that was forecast, and what happened in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SettledHour {
    /// Names the hour: forecasts of the same hour share it.
    pub hour: i64,
    /// How many hours ahead it was, from 1.
    pub ahead: usize,
    /// What was served.
    pub quantiles: Quantiles,
    /// What happened.
    pub actual: f64,
}

impl EndFactors {
    /// Factors by band, then in the order of the levels; none where one is not between 0.5 and 3.
    #[must_use]
    pub fn new(factors: [[f64; ENDS]; HORIZON_BANDS]) -> Option<Self> {
        let are_known = factors.iter().flatten().all(|f| (LEAST..=MOST).contains(f));
        are_known.then_some(Self { factors })
    }

    /// Factors by band, then in the order of the levels.
    #[must_use]
    pub fn values(&self) -> [[f64; ENDS]; HORIZON_BANDS] {
        self.factors
    }

    /// The quantiles of an hour so many hours ahead (from 1) with their ends moved. The median stays,
    /// nothing becomes negative, and ends do not cross.
    #[must_use]
    pub fn moved(&self, quantiles: &Quantiles, ahead: usize) -> Quantiles {
        let median = quantiles.median();
        let mut values = quantiles.values();
        for (place, factor) in PLACES.into_iter().zip(self.factors[horizon_band(ahead)]) {
            values[place] = (median + factor * (values[place] - median)).min(f64::MAX);
        }
        values[1] = values[1].min(values[MEDIAN]).max(values[0]);
        values[3] = values[3].max(values[MEDIAN]).min(values[4]);
        Quantiles::repaired(values).unwrap_or(*quantiles)
    }

    /// The factors after hours that were served with these ones. Several forecasts of an hour
    /// in a band are one observation.
    #[must_use]
    pub fn after(self, settled: &[SettledHour]) -> Self {
        let mut beyond: [BTreeMap<i64, Beyond>; HORIZON_BANDS] = Default::default();
        for hour in settled.iter().filter(|hour| hour.actual.is_finite()) {
            beyond[horizon_band(hour.ahead)]
                .entry(hour.hour)
                .or_default()
                .add(hour);
        }
        let mut moved = self;
        for (factors, hours) in moved.factors.iter_mut().zip(&beyond) {
            for (end, factor) in factors.iter_mut().enumerate() {
                let promised = LEVELS[PLACES[end]].min(1.0 - LEVELS[PLACES[end]]);
                let excess: f64 = hours.values().map(|hour| hour.share(end) - promised).sum();
                let days = (hours.len() as f64 / 24.0).max(f64::MIN_POSITIVE);
                let believed = excess / 24.0 * (MOST_DAYS / days).min(1.0);
                *factor = (*factor * (RATES[end] * believed).exp()).clamp(LEAST, MOST);
            }
        }
        moved
    }
}

/// How often an hour fell beyond each end.
#[derive(Debug, Clone, Copy, Default)]
struct Beyond {
    counts: [f64; ENDS],
    forecasts: f64,
}

impl Beyond {
    fn add(&mut self, hour: &SettledHour) {
        let values = hour.quantiles.values();
        self.forecasts += 1.0;
        for (count, place) in self.counts.iter_mut().zip(PLACES) {
            let (inner, outer) = if place < MEDIAN {
                (values[place], hour.actual)
            } else {
                (hour.actual, values[place])
            };
            // Counts often lie on an end: then half of such hours would be beyond it.
            *count += match inner.total_cmp(&outer) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }

    fn share(&self, end: usize) -> f64 {
        self.counts[end] / self.forecasts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::risk::normal_quantile;

    const LEVEL: f64 = 60.0;
    const TRAINED_SD: f64 = 6.0;
    const HORIZON: usize = 48;

    /// Deterministic bell-shaped noise.
    fn noise(hour: i64) -> f64 {
        let mixed = (hour as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        normal_quantile(((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64)
    }

    fn trained() -> Quantiles {
        Quantiles::new(LEVELS.map(|level| LEVEL + TRAINED_SD * normal_quantile(level))).unwrap()
    }

    /// Forecasts once a day for `days` days of noise of this size; shares of the last half of the
    /// hours inside 80% and 95%, and the mean pinball loss there.
    fn served(days: i64, sd: f64, adapts: bool) -> (f64, f64, f64) {
        let actual = |hour: i64| (LEVEL + sd * noise(hour)).max(0.0);
        let mut factors = EndFactors::default();
        let mut issued: Vec<(i64, EndFactors)> = Vec::new();
        let (mut inside, mut loss, mut hours) = ([0.0; 2], 0.0, 0.0);
        for start in (0..days).map(|day| day * 24) {
            if adapts && start > 0 {
                let known = (start - 24..start).flat_map(|hour| {
                    issued
                        .iter()
                        .rev()
                        .take(2)
                        .filter_map(move |(first, used)| {
                            let ahead = usize::try_from(hour - first).ok()? + 1;
                            (ahead <= HORIZON).then(|| SettledHour {
                                hour,
                                ahead,
                                quantiles: used.moved(&trained(), ahead),
                                actual: actual(hour),
                            })
                        })
                });
                factors = factors.after(&known.collect::<Vec<_>>());
            }
            issued.push((start, factors));
            if start < days * 12 {
                continue;
            }
            for ahead in 1..=HORIZON {
                let quantiles = factors.moved(&trained(), ahead);
                let happened = actual(start + ahead as i64 - 1);
                let within =
                    |(low, high): (f64, f64)| f64::from(u8::from((low..=high).contains(&happened)));
                inside[0] += within(quantiles.interval_80());
                inside[1] += within(quantiles.interval_95());
                loss += crate::metrics::pinball_of(&quantiles.values(), happened);
                hours += 1.0;
            }
        }
        (inside[0] / hours, inside[1] / hours, loss / hours)
    }

    #[test]
    fn f1_noise_that_doubles_after_the_training_is_followed() {
        let (inside_80, inside_95, loss) = served(120, 2.0 * TRAINED_SD, false);
        assert!(
            inside_80 < 0.55 && inside_95 < 0.72,
            "{inside_80} {inside_95}"
        );
        let (now_80, now_95, less) = served(120, 2.0 * TRAINED_SD, true);
        assert!((now_80 - 0.8).abs() < 0.03, "{now_80}");
        assert!((now_95 - 0.95).abs() < 0.02, "{now_95}");
        assert!(less < 0.95 * loss, "{less} {loss}");
    }

    #[test]
    fn f1_noise_that_halves_is_followed_too_if_slowly() {
        let (inside_80, _, loss) = served(120, 0.5 * TRAINED_SD, false);
        assert!(inside_80 > 0.97, "{inside_80}");
        let (now_80, _, less) = served(120, 0.5 * TRAINED_SD, true);
        assert!((now_80 - 0.8).abs() < 0.05, "{now_80}");
        assert!(less < 0.9 * loss, "{less} {loss}");
    }

    #[test]
    fn where_nothing_changes_following_costs_next_to_nothing() {
        let (_, _, loss) = served(120, TRAINED_SD, false);
        let (now_80, now_95, followed) = served(120, TRAINED_SD, true);
        assert!(
            (now_80 - 0.8).abs() < 0.02 && (now_95 - 0.95).abs() < 0.015,
            "{now_80} {now_95}"
        );
        assert!(followed < 1.01 * loss, "{followed} {loss}");
    }

    #[test]
    fn nothing_settled_moves_nothing_and_a_long_silence_not_much() {
        let factors = EndFactors::default();
        assert_eq!(factors.after(&[]), factors);
        let year = |hour| SettledHour {
            hour,
            ahead: 12,
            quantiles: trained(),
            actual: 1e9,
        };
        let moved = factors.after(&(0..8_760).map(year).collect::<Vec<_>>());
        let highest = moved.values()[horizon_band(12)][3];
        assert!(highest > 1.5 && highest < MOST, "{highest}");
        assert_eq!(moved.values()[horizon_band(60)], [1.0; ENDS]);
    }

    #[test]
    fn factors_that_nobody_could_have_made_are_refused() {
        for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            let mut factors = EndFactors::default().values();
            factors[1][2] = bad;
            assert_eq!(EndFactors::new(factors), None);
        }
    }

    proptest! {
        #[test]
        fn moved_ends_never_cross_nor_go_below_zero(
            values in prop::array::uniform5(0.0..1e12_f64),
            factors in prop::array::uniform5(prop::array::uniform4(LEAST..=MOST)),
            ahead in 1..400_usize,
        ) {
            let quantiles = Quantiles::repaired(values).unwrap();
            let moved = EndFactors::new(factors).unwrap().moved(&quantiles, ahead);
            prop_assert!(Quantiles::new(moved.values()).is_ok());
            prop_assert_eq!(moved.median(), quantiles.median());
        }

        #[test]
        fn factors_stay_where_they_can_be_kept(
            hours in prop::collection::vec((0..50_i64, 1..100_usize, any::<f64>()), 0..200),
        ) {
            let settled: Vec<_> = hours
                .into_iter()
                .map(|(hour, ahead, actual)| SettledHour { hour, ahead, quantiles: trained(), actual })
                .collect();
            prop_assert!(EndFactors::new(EndFactors::default().after(&settled).values()).is_some());
        }
    }
}
