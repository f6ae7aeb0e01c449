//! Count forecasts: valid for any history, sure of a season that is there, honest when young.

use foretide_forecasting::counts::{
    CountForecast, CountForecaster, CountMixture, CountPrior, CountState, Shape,
};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{business_week, count, draw, hours_of_week};

const HORIZON: usize = 72;

fn forecaster(values: &[f64], prior: &CountPrior) -> CountForecaster {
    CountForecaster::learn(values, &hours_of_week(0, values.len()), prior)
}

fn ahead_of(forecaster: &CountForecaster, values: &[f64]) -> Vec<CountForecast> {
    let (hours, ahead) = (
        hours_of_week(0, values.len()),
        hours_of_week(values.len(), HORIZON),
    );
    forecaster.forecast(values, &hours, &ahead)
}

fn pinball(quantiles: &[f64; 5], actual: f64) -> f64 {
    let loss = |(quantile, level): (&f64, f64)| {
        let miss = actual - quantile;
        (level * miss).max((level - 1.0) * miss)
    };
    quantiles
        .iter()
        .zip(foretide_domain::LEVELS)
        .map(loss)
        .sum::<f64>()
        / 5.0
}

/// A panel of one use case: the same business week at other levels, 20 weeks each.
fn older_series(seed: u64) -> Vec<Vec<f64>> {
    let levels = [3.0, 5.0, 8.0, 13.0, 20.0, 40.0];
    let series = levels.iter().zip(0..);
    series
        .map(|(&level, index)| draw(seed + index, 20 * 168, |hour| business_week(hour, level)))
        .collect()
}

fn prior_of(older: &[Vec<f64>]) -> CountPrior {
    let hours = hours_of_week(0, older[0].len());
    let others: Vec<_> = older
        .iter()
        .map(|y| (y.as_slice(), hours.as_slice()))
        .collect();
    let mixtures: Vec<CountMixture> = older
        .iter()
        .map(|y| CountMixture::learn(y, &hours, &CountPrior::default()))
        .collect();
    CountPrior::learn(&others).with_mixtures(&mixtures)
}

struct Coverage {
    inside_80: f64,
    inside_95: f64,
    loss: f64,
}

/// Forecasts of many young series of so many days, each of a level of its own.
fn young_coverage(days: usize, prior: &CountPrior, runs: u64) -> Coverage {
    let (mut inside_80, mut inside_95, mut loss, mut hours) = (0.0, 0.0, 0.0, 0.0);
    for run in 0..runs {
        let level = 4.0 + 3.0 * (run % 7) as f64;
        // Each begins at another hour of the week, so that its last days differ.
        let shift = 24 * (run as usize % 7);
        let mut rng = ChaCha8Rng::seed_from_u64(1_000 + run);
        let all: Vec<f64> = (shift..shift + days * 24 + HORIZON)
            .map(|hour| count(&mut rng, business_week(hour, level), 12.0))
            .collect();
        let known = &all[..days * 24];
        let grid = hours_of_week(shift, all.len());
        let forecaster = CountForecaster::learn(known, &grid[..known.len()], prior);
        let forecast = forecaster.forecast(known, &grid[..known.len()], &grid[known.len()..]);
        for (hour, actual) in forecast.iter().zip(&all[known.len()..]) {
            let [low_95, low_80, _, high_80, high_95] = hour.quantiles;
            inside_80 += f64::from(u8::from((low_80..=high_80).contains(actual)));
            inside_95 += f64::from(u8::from((low_95..=high_95).contains(actual)));
            loss += pinball(&hour.quantiles, *actual) / level;
            hours += 1.0;
        }
    }
    Coverage {
        inside_80: inside_80 / hours,
        inside_95: inside_95 / hours,
        loss: loss / hours,
    }
}

/// F6: the width of a young series is honest. Whole numbers make closed intervals cover a little
/// more than their level; less than the level is what must not happen.
#[test]
fn f6_young_series_are_as_wide_as_they_should_be() {
    let prior = prior_of(&older_series(50));
    for (days, tolerance) in [(14, 0.05), (30, 0.04), (60, 0.04)] {
        let got = young_coverage(days, &prior, 42);
        eprintln!(
            "{days} days: 80% {:.3}, 95% {:.3}, loss {:.4}",
            got.inside_80, got.inside_95, got.loss
        );
        assert!(
            (0.80 - tolerance..0.80 + tolerance + 0.05).contains(&got.inside_80),
            "{days}: {}",
            got.inside_80
        );
        assert!(
            (0.95 - tolerance..=1.0).contains(&got.inside_95),
            "{days}: {}",
            got.inside_95
        );
    }
}

#[test]
fn f6_the_other_series_of_a_use_case_help_a_young_one() {
    let prior = prior_of(&older_series(60));
    let alone = young_coverage(14, &CountPrior::default(), 21).loss;
    let helped = young_coverage(14, &prior, 21).loss;
    eprintln!("14 days: loss alone {alone:.4}, with the panel's prior {helped:.4}");
    assert!(helped < 0.95 * alone, "{helped} {alone}");
}

#[test]
fn a_season_is_followed_and_its_parts_add_up() {
    let values = draw(5, 12 * 168, |hour| business_week(hour, 10.0));
    let forecast = ahead_of(&forecaster(&values, &CountPrior::default()), &values);
    // The history is whole weeks, so hours ahead count from Monday 00:00.
    assert!(forecast[12].mean() > 2.5 * forecast[3].mean());
    // Daily factors are smoothed over neighbours, so the hours beside a step lie between.
    let is_step = |hour: usize| [7, 8, 17, 18].contains(&(hour % 24));
    for (hour, forecast) in forecast
        .iter()
        .enumerate()
        .filter(|(hour, _)| !is_step(*hour))
    {
        let expected = business_week(hour, 10.0);
        assert!(
            (forecast.mean() / expected - 1.0).abs() < 0.5,
            "{hour}: {forecast:?}"
        );
    }
    let level = forecast[0].parts[0];
    assert!(level > 4.0 && forecast[12].parts[2] > 0.0 && forecast[3].parts[2] < 0.0);
}

#[test]
fn new_hours_move_the_forecast_without_a_training() {
    let mut values = draw(6, 10 * 168, |_| 6.0);
    let learned = forecaster(&values, &CountPrior::default());
    let before = ahead_of(&learned, &values)[30].quantiles[2];
    values.extend(draw(7, 72, |_| 18.0));
    let after = ahead_of(&learned, &values)[30].quantiles[2];
    assert!(after > 1.3 * before, "{before} {after}");
}

#[test]
fn many_origins_at_once_are_what_each_is_by_itself() {
    let values = draw(8, 10 * 168, |hour| business_week(hour, 8.0));
    let hours = hours_of_week(0, values.len());
    let learned = forecaster(&values[..8 * 168], &CountPrior::default());
    let origins = [8 * 168, 8 * 168 + 24, 9 * 168 + 5];
    let together = learned.forecast_origins(&values, &hours, &origins, 24);
    for (known, forecast) in origins.into_iter().zip(together) {
        let alone = learned.forecast(&values[..known], &hours[..known], &hours[known..known + 24]);
        for (a, b) in forecast.iter().zip(&alone) {
            // Together, levels remember a little of what lies before a state's eight weeks.
            let is_close = |a: f64, b: f64| (a - b).abs() < 0.005 * b;
            assert!(is_close(a.mean(), b.mean()) && is_close(a.quantiles[3], b.quantiles[3]));
        }
    }
}

#[test]
fn nothing_after_an_origin_is_looked_at() {
    let values = draw(9, 10 * 168, |hour| business_week(hour, 8.0));
    let mut changed = values.clone();
    changed[9 * 168..].fill(1e6);
    let hours = hours_of_week(0, values.len());
    let learned = forecaster(&values[..8 * 168], &CountPrior::default());
    let forecast = |values: &[f64]| learned.forecast_origins(values, &hours, &[9 * 168], 24);
    assert_eq!(forecast(&values), forecast(&changed));
}

#[test]
fn silence_is_forecast_as_silence_and_one_burst_does_not_become_the_rule() {
    let silent = vec![0.0; 60 * 24];
    for hour in ahead_of(&forecaster(&silent, &CountPrior::default()), &silent) {
        assert_eq!((hour.mean(), hour.quantiles), (0.0, [0.0; 5]));
    }
    let mut burst = draw(10, 60 * 24, |_| 4.0);
    burst[40 * 24] = 11_122.0;
    for hour in ahead_of(&forecaster(&burst, &CountPrior::default()), &burst) {
        assert!(
            hour.quantiles[2] < 7.0 && hour.quantiles[4] < 30.0,
            "{hour:?}"
        );
    }
}

#[test]
fn what_was_learned_survives_being_written_down() {
    let values = draw(11, 30 * 24, |hour| business_week(hour, 5.0));
    let learned = forecaster(&values, &CountPrior::default());
    let hours = hours_of_week(0, values.len());
    let state = CountState::at_end(&learned.shape, &values, &hours);
    assert_eq!(
        state,
        CountState::at_end(&learned.shape.clone(), &values, &hours)
    );
    assert_eq!(
        CountState::at_end(&learned.shape, &[], &[]),
        CountState::default()
    );
    let sums = learned
        .mixture
        .weights
        .map(|weights| weights.iter().sum::<f64>());
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-9));
    assert_eq!(CountMixture::mean(&[]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_gives_quantiles_in_order_and_finite(
        seed in 0..u64::MAX,
        length in 1..900_usize,
        zeros in 0.0..1.0_f64,
        size in 0..16_i32,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let most = 10.0_f64.powi(size).min(9e15);
        let values: Vec<f64> = (0..length)
            .map(|_| if rng.random_bool(zeros) { 0.0 } else { rng.random_range(0.0..most) })
            .collect();
        for hour in ahead_of(&forecaster(&values, &CountPrior::default()), &values) {
            prop_assert!(hour.quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{hour:?}");
            prop_assert!(hour.quantiles[0] >= 0.0 && hour.quantiles[4].is_finite());
            prop_assert!(hour.mean().is_finite() && hour.mean() >= -1e-9 * most);
        }
    }

    #[test]
    fn twice_the_counts_are_twice_the_level(seed in 0..1_000_u64) {
        let values = draw(seed, 5 * 168, |hour| business_week(hour, 30.0));
        let doubled: Vec<f64> = values.iter().map(|value| 2.0 * value).collect();
        let hours = hours_of_week(0, values.len());
        let shape = |values: &[f64]| Shape::learn(values, &hours, &CountPrior::default());
        let (once, twice) = (shape(&values), shape(&doubled));
        for hour in 0..168 {
            prop_assert!((once.profile.factor(hour) - twice.profile.factor(hour)).abs() < 0.02);
        }
        let mean = |forecast: &[CountForecast]| forecast.iter().map(CountForecast::mean).sum::<f64>();
        let (once, twice) = (
            mean(&ahead_of(&forecaster(&values, &CountPrior::default()), &values)),
            mean(&ahead_of(&forecaster(&doubled, &CountPrior::default()), &doubled)),
        );
        prop_assert!((twice / once - 2.0).abs() < 0.1, "{once} {twice}");
    }
}
