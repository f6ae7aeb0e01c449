//! Whatever counts come in, what comes out is a forecast; whatever is no count is named.

use foretide_domain::Quantiles;
use foretide_forecasting::metrics::{pinball, widened};
use foretide_forecasting::{
    ForecastError, MAX_COUNT, PanelModel, PanelPrediction, Regressor, TrainOptions, train,
};
use proptest::prelude::*;

use crate::support::{frame_after, panel_of, random_days};

const HOURS: usize = 40 * 24;

/// Counts of all kinds: silent, constant, sparse, small, large, and as large as they get.
fn counts() -> impl Strategy<Value = Vec<f64>> {
    let repeated = |value: f64| vec![value; HOURS];
    prop_oneof![
        Just(repeated(0.0)),
        (0.0..1e6_f64).prop_map(repeated),
        Just(repeated(MAX_COUNT)),
        prop::collection::vec(prop_oneof![60 => Just(0.0), 1 => 1.0..5.0_f64], HOURS),
        prop::collection::vec((0_u32..6).prop_map(f64::from), HOURS),
        prop::collection::vec(0.0..1e4_f64, HOURS),
        prop::collection::vec(prop_oneof![Just(0.0), Just(1e-300), Just(MAX_COUNT)], HOURS),
        (0..HOURS).prop_map(|at| (0..HOURS)
            .map(|hour| f64::from(u8::from(hour == at)))
            .collect()),
    ]
}

fn assert_is_forecast(model: &PanelModel, prediction: &PanelPrediction) {
    let width = model.schema.drivers.len();
    for (row, (quantiles, &mean)) in prediction
        .quantiles
        .iter()
        .zip(&prediction.mean)
        .enumerate()
    {
        Quantiles::new(*quantiles).unwrap();
        assert!(mean.is_finite() && mean >= 0.0, "row {row}: {mean}");
        let drivers = &prediction.drivers[row * width..(row + 1) * width];
        let sum: f64 = drivers.iter().sum();
        let size = drivers
            .iter()
            .fold(mean, |size, driver| size.max(driver.abs()));
        assert!(
            (sum - mean).abs() <= 1e-9 * size.max(1e-9),
            "row {row}: {sum} != {mean}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_counts_give_valid_quantiles_and_drivers_that_sum(
        trained_on in counts(),
        seen_later in counts(),
        campaign in any::<u64>(),
        mixture in prop::array::uniform24(0.0_f64..1.0),
        mixed in any::<bool>(),
        far_regressor in -1e12_f64..1e12,
    ) {
        let panel = panel_of(vec![("A", trained_on)], vec![random_days(campaign, HOURS)]);
        let mut model = train(&panel, &TrainOptions::default(), &mut |_, _| {}).unwrap().model;
        if mixed {
            model.series[0].weights = mixture;
        }
        let later = panel_of(vec![("A", seen_later)], vec![random_days(campaign, HOURS)]);
        let mut frame = frame_after(&later, 72);
        frame.regressors[0].values[HOURS + 3] = far_regressor;
        let prediction = model.predict(&model.schema.inputs(&frame).unwrap()).unwrap();
        assert_is_forecast(&model, &prediction);
    }

    #[test]
    fn a_value_that_is_no_count_is_named_with_its_place(
        position in 0..HOURS,
        value in prop_oneof![
            Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(-1e-12), Just(2.0 * MAX_COUNT)
        ],
    ) {
        let mut values = vec![1.0; HOURS];
        values[position] = value;
        let panel = panel_of(vec![("Good", vec![1.0; HOURS]), ("Bad", values)], vec![]);
        let error = train(&panel, &TrainOptions::default(), &mut |_, _| {}).unwrap_err();
        let words = error.to_string();
        prop_assert!(words.contains("product=Bad") && words.contains(&format!("hour {position}:")), "{}", words);
    }

    #[test]
    fn widened_intervals_hold_the_old_ones(
        parts in prop::array::uniform5(0.0_f64..50.0),
        factor in 1.0_f64..10.0,
    ) {
        let mut sum = 0.0;
        let quantiles = Quantiles::new(parts.map(|part| { sum += part; sum })).unwrap();
        let wide = widened(&quantiles, factor);
        prop_assert!(wide.interval_95().0 <= quantiles.interval_95().0);
        prop_assert!(wide.interval_95().1 >= quantiles.interval_95().1);
        prop_assert_eq!(wide.median(), quantiles.median());
    }
}

#[test]
fn pinball_of_a_certain_forecast_is_its_scaled_error() {
    let quantiles = Quantiles::new([4.0; 5]).unwrap();
    assert_eq!(pinball(&quantiles, 4.0), 0.0);
    assert!(
        (pinball(&quantiles, 6.0) - 2.0 * (0.025 + 0.1 + 0.5 + 0.9 + 0.975) / 5.0).abs() < 1e-12
    );
}

#[test]
fn malformed_panels_and_frames_are_named() {
    let good = panel_of(vec![("A", vec![1.0; HOURS])], vec![random_days(1, HOURS)]);
    let refusal = |change: &dyn Fn(&mut foretide_forecasting::TrainingPanel)| {
        let mut panel = good.clone();
        change(&mut panel);
        train(&panel, &TrainOptions::default(), &mut |_, _| {})
            .unwrap_err()
            .to_string()
    };
    let short_series = refusal(&|panel| {
        panel.series[0].values.pop();
    });
    assert_eq!(
        short_series,
        "series attack_volume/product=A has 959 values, expected 960"
    );
    let short_regressor = refusal(&|panel| panel.regressors[0].values.clear());
    assert_eq!(
        short_regressor,
        "regressor \"campaign\" has 0 values, expected 960"
    );
    let bad_regressor = refusal(&|panel| panel.regressors[0].values[7] = f64::NAN);
    assert!(
        bad_regressor.contains("\"campaign\" has NaN at hour 7"),
        "{bad_regressor}"
    );
    let bad_hour = refusal(&|panel| panel.hour_of_week[9] = 168);
    assert!(bad_hour.contains("is 168 at hour 9"), "{bad_hour}");
    let twice = refusal(&|panel| {
        let first = panel.series[0].clone();
        panel.series.push(first);
    });
    assert!(twice.contains("product=A\" is used twice"), "{twice}");
    let reserved = refusal(&|panel| panel.regressors[0].name = "level".to_owned());
    assert!(reserved.contains("\"level\""), "{reserved}");
    assert!(refusal(&|panel| panel.series.clear()).contains("nothing to forecast"));
}

#[test]
fn options_out_of_bounds_are_named() {
    let panel = panel_of(vec![("A", vec![1.0; HOURS])], vec![]);
    let default = TrainOptions::default;
    for (options, field) in [
        (
            TrainOptions {
                horizon_hours: 0,
                ..default()
            },
            "horizon_hours",
        ),
        (
            TrainOptions {
                horizon_hours: 337,
                ..default()
            },
            "horizon_hours",
        ),
        (
            TrainOptions {
                margin: f64::NAN,
                ..default()
            },
            "margin",
        ),
        (
            TrainOptions {
                threads: 0,
                ..default()
            },
            "threads",
        ),
    ] {
        let error = train(&panel, &options, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

#[test]
fn frames_a_model_cannot_answer_are_refused() {
    let panel = panel_of(vec![("A", vec![1.0; HOURS])], vec![random_days(1, HOURS)]);
    let model = train(&panel, &TrainOptions::default(), &mut |_, _| {})
        .unwrap()
        .model;
    let frame = frame_after(&panel, 24);
    let mut other = frame.clone();
    other.series[0].id = "attack_volume/product=B".parse().unwrap();
    assert!(matches!(
        model.schema.inputs(&other),
        Err(ForecastError::UnknownSeries(_))
    ));
    let mut without = frame.clone();
    without.regressors.clear();
    assert!(matches!(
        model.schema.inputs(&without),
        Err(ForecastError::MissingRegressor(_))
    ));
    let mut more = frame.clone();
    more.regressors.push(Regressor {
        name: "unused".to_owned(),
        values: vec![0.0; HOURS + 24],
    });
    assert!(
        model.schema.inputs(&more).is_ok(),
        "a frame may know more than the model needs"
    );
    let far = frame_after(&panel, 73);
    let error = model.schema.inputs(&far).unwrap_err();
    assert_eq!(error, ForecastError::HorizonTooLong { got: 73, most: 72 });
    let mut short = frame;
    short.history_hour_of_week.truncate(100);
    short.series[0].values.truncate(100);
    short.regressors[0].values.truncate(124);
    let error = model.schema.inputs(&short).unwrap_err();
    assert_eq!(
        error,
        ForecastError::TooShort {
            hours: 100,
            needed: 168
        }
    );
}
