//! The global trees: they learn what a seasonal rule misses, peek at nothing, and repeat themselves.

use foretide_forecasting::trees::{
    ROW_HEAD, ROW_WIDTH, TreesHistory, TreesModel, TreesOptions, TreesSeries,
};
use proptest::prelude::*;

use crate::support::{business_week, draw, hours_of_week};

const HORIZON: usize = 48;

fn options() -> TreesOptions {
    TreesOptions {
        horizon_hours: HORIZON,
        ..TreesOptions::default()
    }
}

fn views<'a>(counts: &'a [Vec<f64>], clock: &'a [u8]) -> Vec<TreesSeries<'a>> {
    let view = |values: &'a Vec<f64>| TreesSeries {
        values,
        hour_of_week: clock,
    };
    counts.iter().map(view).collect()
}

/// Series of a business week whose level wanders from day to day.
fn wandering(seed: u64, hours: usize) -> Vec<f64> {
    let level = move |hour: usize| {
        let day = (hour / 24) as f64 + seed as f64;
        (0.5 * (day / 9.0).sin() + 0.3 * (day / 23.0).cos()).exp()
    };
    draw(seed, hours, |hour| business_week(hour, 60.0 * level(hour)))
}

fn foresee(
    model: &TreesModel,
    series: &TreesSeries<'_>,
    origin: usize,
    horizon: usize,
) -> Vec<f64> {
    let rows = TreesHistory::new(series).rows(origin, horizon);
    rows.chunks_exact(ROW_WIDTH)
        .map(|row| model.predict(row))
        .collect()
}

#[test]
fn f2_a_wandering_week_is_foreseen_better_than_by_the_week_before() {
    let clock = hours_of_week(0, 1200);
    let counts: Vec<_> = (0..12).map(|seed| wandering(seed, 1200)).collect();
    let known: Vec<_> = counts
        .iter()
        .map(|one| one[..1200 - HORIZON].to_vec())
        .collect();
    let model = TreesModel::fit(&views(&known, &clock), &options()).unwrap();
    let (mut model_miss, mut naive_miss) = (0.0, 0.0);
    for (one, series) in counts.iter().zip(views(&known, &clock)) {
        let origin = series.values.len();
        for (ahead, foreseen) in foresee(&model, &series, origin, HORIZON).iter().enumerate() {
            let actual = one[origin + ahead];
            model_miss += (foreseen - actual).abs();
            naive_miss += (one[origin + ahead - 168] - actual).abs();
        }
    }
    assert!(
        model_miss < 0.85 * naive_miss,
        "{model_miss:.0} against {naive_miss:.0}"
    );
}

#[test]
fn a_series_of_another_size_is_foreseen_alike() {
    let clock = hours_of_week(0, 1200);
    let counts: Vec<_> = (0..4).map(|seed| wandering(seed, 1000)).collect();
    let model = TreesModel::fit(&views(&counts, &clock), &options()).unwrap();
    let small = wandering(77, 1000);
    let large: Vec<f64> = small.iter().map(|value| value * 4096.0).collect();
    let both = [small, large];
    let series = views(&both, &clock);
    let foreseen = series.iter().map(|one| foresee(&model, one, 1000, HORIZON));
    let [small, large]: [Vec<f64>; 2] = foreseen.collect::<Vec<_>>().try_into().unwrap();
    for (small, large) in small.iter().zip(large) {
        // Units have a floor of a billionth, so sizes matter that little.
        assert!(
            (small * 4096.0 - large).abs() < 1e-6 * large.abs(),
            "{small} {large}"
        );
    }
}

#[test]
fn f7_the_parts_of_a_forecast_sum_to_it() {
    let clock = hours_of_week(0, 1000);
    let counts: Vec<_> = (0..3).map(|seed| wandering(seed, 900)).collect();
    let series = views(&counts, &clock);
    let model = TreesModel::fit(&series, &options()).unwrap();
    for row in TreesHistory::new(&series[1])
        .rows(700, HORIZON)
        .chunks_exact(ROW_WIDTH)
    {
        let sum: f64 = model.parts(row, 35.5).iter().sum();
        let count = model.predict(row).max(0.0);
        assert!((sum - count).abs() < 1e-9 * (1.0 + count), "{sum} {count}");
    }
}

#[test]
fn the_same_series_give_the_same_model() {
    let clock = hours_of_week(0, 1000);
    let counts: Vec<_> = (0..5).map(|seed| wandering(seed, 900)).collect();
    let fit = || TreesModel::fit(&views(&counts, &clock), &options()).unwrap();
    assert_eq!(fit(), fit());
}

#[test]
fn too_little_history_gives_no_model() {
    let clock = hours_of_week(0, 1000);
    assert_eq!(TreesModel::fit(&[], &options()), None);
    let short = [vec![1.0; 300]];
    assert_eq!(TreesModel::fit(&views(&short, &clock), &options()), None);
}

#[test]
fn silence_and_monotony_are_foreseen_as_they_were() {
    let clock = hours_of_week(0, 1000);
    let counts = [vec![0.0; 900], vec![7.0; 900]];
    let series = views(&counts, &clock);
    let model = TreesModel::fit(&series, &options()).unwrap();
    for (one, level) in series.iter().zip([0.0, 7.0]) {
        for foreseen in foresee(&model, one, 900, HORIZON) {
            assert!((foreseen - level).abs() < 1e-6 + 0.01 * level, "{foreseen}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_row_sees_nothing_at_or_after_its_origin(
        seed in any::<u64>(),
        origin in 1_usize..900,
        ahead in 1_usize..336,
        noise in 0.0_f64..1e12,
    ) {
        let clock = hours_of_week(0, 1300);
        let counts = draw(seed, 1000, |hour| business_week(hour, 20.0));
        let changed: Vec<f64> = counts
            .iter()
            .enumerate()
            .map(|(hour, &value)| if hour < origin { value } else { value + noise })
            .collect();
        let all = [counts[..origin].to_vec(), counts, changed];
        let rows: Vec<_> = views(&all, &clock)
            .iter()
            .map(|series| {
                let mut row = Vec::new();
                TreesHistory::new(series).row(origin, ahead, &mut row);
                row
            })
            .collect();
        prop_assert_eq!(rows[0].len(), ROW_WIDTH);
        prop_assert!(rows[0].iter().all(|value| value.is_finite()));
        prop_assert!(rows[0][1] > 0.0, "the unit is above zero");
        prop_assert_eq!(&rows[0], &rows[1]);
        prop_assert_eq!(&rows[0], &rows[2]);
    }

    #[test]
    fn any_counts_give_finite_forecasts(
        seed in any::<u64>(),
        hours in 336_usize..800,
        size in prop::sample::select(vec![0.0, 1e-9, 0.01, 1.0, 1e6, 1e12]),
        spike in prop::sample::select(vec![0.0, 1.0, 1e12]),
    ) {
        let clock = hours_of_week(0, 1300);
        let mut counts: Vec<f64> = draw(seed, hours, |_| 2.0).iter().map(|value| value * size).collect();
        counts[hours - 30] += spike;
        let all = [counts];
        let series = views(&all, &clock);
        let quick = TreesOptions { trees: 5, ..options() };
        let model = TreesModel::fit(&series, &quick).unwrap();
        for foreseen in foresee(&model, &series[0], hours, 336) {
            prop_assert!(foreseen.is_finite());
            prop_assert!(foreseen.abs() <= 1e15, "{}", foreseen);
        }
        prop_assert_eq!(ROW_HEAD, 2);
    }
}
