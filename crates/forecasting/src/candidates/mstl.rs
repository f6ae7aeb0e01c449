//! MSTL: a trend, a daily and a weekly season by repeated STL (Bandara, Hyndman and Bergmeir 2021,
//! arXiv 2107.13462; STL: Cleveland, Cleveland, McRae and Terpenning 1990), and exponential smoothing
//! without a season of what the seasons leave.
//!
//! The constants are the usual ones (R's `forecast::mstl`), without robustness rounds. Decomposed are
//! whole weeks, so that all seasons have equally many cycles and are smoothed side by side.

use serde::{Deserialize, Serialize};

use super::bank::Trial;
use super::decomposition::WINDOW;
use super::loess::{Degree, Loess, Smoother};
use super::smoothing::{Smoothed, Smoothing};
use crate::week::HOURS_OF_WEEK;

/// Weeks without which there is no weekly season.
const FEWEST_WEEKS: usize = 2;

/// Periods, and how many cycles a season's smoother sees at once.
const SEASONS: [(usize, usize); 2] = [(24, 11), (HOURS_OF_WEEK, 15)];

/// Rounds over all seasons.
const ROUNDS: usize = 2;

/// Rounds of season and trend inside each decomposition.
const INNER_ROUNDS: usize = 2;

/// A season that is kept as of the last decomposition, and the smoothing that follows the rest. Both
/// are on logarithms: on counts it missed more on all benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MstlEts {
    /// Daily and weekly season together, by local hour of the week (0 = Monday 00:00).
    pub season: Vec<f64>,
    /// How level, damped trend and error follow; seasons do not.
    pub smoothing: Smoothing,
}

impl MstlEts {
    /// The one that misses least. `phase` is the hour of the week of the trial's first hour; the season
    /// is that of the hours before its first cut. `None` where these are fewer than two weeks.
    pub(super) fn best(trial: &Trial<'_>, phase: usize) -> Option<Self> {
        let bank = Smoothing::level_and_trend();
        let fitted = Self {
            season: season(trial.known(), phase)?,
            smoothing: bank[0],
        };
        let start = fitted.start(trial.known(), phase);
        let smoothing = trial.best(&start, &bank);
        Some(Self {
            smoothing,
            ..fitted
        })
    }

    /// With the season of all of `values`, the first of which lies at hour `phase` of the week.
    pub(super) fn refitted(self, values: &[f64], phase: usize) -> Option<Self> {
        Some(Self {
            season: season(values, phase)?,
            ..self
        })
    }

    /// Where the smoothing starts on values, the first of which lies at hour `phase` of the week.
    pub(super) fn start(&self, values: &[f64], phase: usize) -> Smoothed {
        Smoothed::with_season(self.smoothing, turned(&self.season, phase), values)
    }
}

/// A season by hour of the week, from hour `phase` of the week on.
fn turned(season: &[f64], phase: usize) -> impl Iterator<Item = f64> {
    season
        .iter()
        .cycle()
        .skip(phase)
        .take(season.len())
        .copied()
}

/// The last cycle of both seasons together, by hour of the week.
fn season(values: &[f64], phase: usize) -> Option<Vec<f64>> {
    let [daily, weekly] = seasons(values)?;
    let mut season = vec![0.0; HOURS_OF_WEEK];
    for back in 1..=HOURS_OF_WEEK {
        let hour = (phase + values.len() + HOURS_OF_WEEK - back) % HOURS_OF_WEEK;
        let same_hour_of_last_day = daily.len() - 1 - (back - 1) % 24;
        season[hour] = daily[same_hour_of_last_day] + weekly[weekly.len() - back];
    }
    Some(season)
}

/// Daily and weekly season of the newest whole weeks. `None` where these are too few.
fn seasons(values: &[f64]) -> Option<[Vec<f64>; SEASONS.len()]> {
    let weeks = values.len().min(WINDOW) / HOURS_OF_WEEK;
    if weeks < FEWEST_WEEKS {
        return None;
    }
    let hours = weeks * HOURS_OF_WEEK;
    let mut rest = values[values.len() - hours..].to_vec();
    let decompositions = SEASONS.map(|(period, span)| Stl::new(hours, period, span));
    let mut seasons = SEASONS.map(|_| vec![0.0; hours]);
    for _ in 0..ROUNDS {
        for (stl, season) in decompositions.iter().zip(&mut seasons) {
            add(&mut rest, season);
            *season = stl.season(&rest);
            rest = difference(&rest, season);
        }
    }
    Some(seasons)
}

/// The smoothers of one season.
struct Stl {
    period: usize,
    cycles: Loess,
    low_pass: Smoother,
    trend: Smoother,
}

impl Stl {
    /// Spans as Cleveland et al. recommend.
    fn new(hours: usize, period: usize, span: usize) -> Self {
        let cycles = hours / period;
        let trend = 1.5 * period as f64 / (1.0 - 1.5 / span as f64);
        let odd = |span: usize| span + usize::from(span.is_multiple_of(2));
        Self {
            period,
            // Each season reaches a cycle beyond both ends.
            cycles: Loess::new(cycles, span, Degree::Mean, -1..=cycles as i64),
            low_pass: Smoother::new(hours, odd(period)),
            trend: Smoother::new(hours, odd(trend.ceil() as usize)),
        }
    }

    fn season(&self, values: &[f64]) -> Vec<f64> {
        let mut season = self.of_detrended(values);
        for _ in 1..INNER_ROUNDS {
            let trend = self.trend.smooth(&difference(values, &season));
            season = self.of_detrended(&difference(values, &trend));
        }
        season
    }

    /// Smoothed cycles, less what is slower than they.
    fn of_detrended(&self, values: &[f64]) -> Vec<f64> {
        let cycles = self.cycles.smooth_rows(values, self.period);
        let mut low = moving_means(&cycles, self.period);
        for length in [self.period, 3] {
            low = moving_means(&low, length);
        }
        difference(&cycles[self.period..], &self.low_pass.smooth(&low))
    }
}

fn add(values: &mut [f64], others: &[f64]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value += other;
    }
}

fn difference(values: &[f64], others: &[f64]) -> Vec<f64> {
    let pairs = values.iter().zip(others);
    pairs.map(|(value, other)| value - other).collect()
}

/// The mean of each `length` values in a row.
fn moving_means(values: &[f64], length: usize) -> Vec<f64> {
    let share = 1.0 / length as f64;
    let mut sum: f64 = values[..length].iter().sum();
    let mut means = Vec::with_capacity(values.len() + 1 - length);
    means.push(share * sum);
    for (new, old) in values[length..].iter().zip(values) {
        sum += new - old;
        means.push(share * sum);
    }
    means
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::candidates::point;
    use crate::candidates::scale::Scale;

    /// By stlrs 0.4.0 (`Mstl`, `seasonal_jump` 1): hour, daily and weekly season.
    const BY_STLRS: [(usize, f64, f64); 7] = [
        (0, -6.162117931566653, -9.451842616320214),
        (100, -3.366032544837683, 3.1469261891528735),
        (419, -2.638350921527918, -0.07422501419191273),
        (672, -6.141686483965116, -9.428410886015904),
        (700, -3.2551570195279753, -6.1708083402276905),
        (838, -3.4726665730358923, 9.28767753157514),
        (839, 2.2786797664812615, 9.513887763460183),
    ];

    fn a_few_weeks(hours: u32) -> Vec<f64> {
        let value = |hour: u32| {
            let daily = f64::from((hour % 24) * (hour % 24) % 13);
            let weekly = f64::from(hour / 24 % 7 * 3);
            let noise = f64::from(hour * hour % 31) / 10.0;
            20.0 + daily + weekly + f64::from(hour) / 100.0 + noise
        };
        (0..hours).map(value).collect()
    }

    fn trial<'a>(values: &'a [f64], counts: &'a [f64], cuts: &'a [(usize, f64)]) -> Trial<'a> {
        Trial {
            scale: Scale::logarithm(1.0),
            values,
            counts,
            cuts,
            ahead: 48,
        }
    }

    #[test]
    fn seasons_are_those_of_another_implementation() {
        let [daily, weekly] = seasons(&a_few_weeks(840)).unwrap();
        for (hour, of_day, of_week) in BY_STLRS {
            let (day, week) = (daily[hour], weekly[hour]);
            assert!((day - of_day).abs() < 1e-9, "{hour}: {day}");
            assert!((week - of_week).abs() < 1e-9, "{hour}: {week}");
        }
    }

    #[test]
    fn counts_as_large_as_they_get_are_taken_apart_as_small_ones() {
        let small = a_few_weeks(1000);
        let large: Vec<f64> = small.iter().map(|value| value * 1e10).collect();
        let pairs = seasons(&small).unwrap().concat();
        for (small, large) in pairs.iter().zip(seasons(&large).unwrap().concat()) {
            assert!(
                (small * 1e10 - large).abs() < 1e-9 * 1e10,
                "{small} {large}"
            );
        }
    }

    #[test]
    fn a_season_stands_at_the_local_hour_of_the_week() {
        let values = a_few_weeks(840 + 100);
        let from_monday = season(&values, 0).unwrap();
        let from_later = season(&values[100..], 100).unwrap();
        for (hour, (early, late)) in from_monday.iter().zip(&from_later).enumerate() {
            assert!((early - late).abs() < 1e-9, "{hour}: {early} {late}");
        }
    }

    #[test]
    fn under_two_weeks_before_the_first_cut_there_is_none() {
        let values = a_few_weeks(500);
        assert!(MstlEts::best(&trial(&values, &values, &[(335, 1.0)]), 0).is_none());
        assert!(MstlEts::best(&trial(&values, &values, &[(336, 1.0)]), 0).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_trend_and_seasons_are_carried_on(
            level in -2.0..20.0_f64,
            slope in -0.001..0.001_f64,
            daily in prop::array::uniform24(-1.0..1.0_f64),
            days in prop::array::uniform7(-1.0..1.0_f64),
            weeks in 3..9_usize,
            phase in 0..HOURS_OF_WEEK,
        ) {
            let truth = |hour: usize| {
                let hour_of_week = (phase + hour) % HOURS_OF_WEEK;
                let seasons = daily[hour_of_week % 24] + days[hour_of_week / 24];
                level + slope * hour as f64 + seasons
            };
            let hours = weeks * HOURS_OF_WEEK + 5;
            let values: Vec<f64> = (0..hours).map(truth).collect();
            let counts: Vec<f64> = values.iter().map(|value| value.exp()).collect();
            let cuts = [(hours - 120, 0.5), (hours - 96, 1.0)];
            let fitted = MstlEts::best(&trial(&values, &counts, &cuts), phase).unwrap();
            let fitted = fitted.refitted(&values, phase).unwrap();
            let mut state = fitted.start(&values, phase);
            state.follow(&values);
            state.project(48, |step, parts| {
                let missed = point(&parts) - truth(hours + step);
                assert!(missed.abs() < 0.25, "{step}: {missed}");
            });
        }

        #[test]
        fn whatever_is_taken_apart_gives_numbers(
            values in prop::collection::vec(
                prop_oneof![4 => 0.0..100.0_f64, 2 => Just(0.0), 1 => 0.0..1e10_f64],
                336..800,
            ),
            phase in 0..HOURS_OF_WEEK,
        ) {
            let logarithms = Scale::logarithm(1.0).of(&values);
            let cuts = [(336, 1.0)];
            let fitted = MstlEts::best(&trial(&logarithms, &values, &cuts), phase).unwrap();
            prop_assert!(fitted.season.iter().all(|value| value.is_finite()));
            let mut state = fitted.start(&logarithms, phase);
            state.follow(&logarithms);
            state.project(336, |_, parts| {
                let count = Scale::logarithm(1.0).count(point(&parts));
                assert!(count.is_finite() && count >= 0.0, "{parts:?}");
            });
        }
    }
}
