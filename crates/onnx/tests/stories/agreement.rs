//! Native and ONNX predictions of the same inputs are the same numbers.

use foretide_forecasting::{PanelModel, SeriesParameters};
use foretide_onnx::{OnnxForecaster, metadata, write};
use proptest::prelude::*;

use crate::support::{frame_after, random_panel, runtime, trained};

/// What is promised, and what is reached in practice.
const PROMISED: f64 = 1e-5;
const REACHED: f64 = 1e-9;

fn difference(model: &PanelModel, frame: &foretide_forecasting::ScoringFrame) -> f64 {
    let forecaster = OnnxForecaster::load(&runtime(), &write(model).unwrap()).unwrap();
    assert_eq!(forecaster.schema(), &model.schema);
    let inputs = model.schema.inputs(frame).unwrap();
    let native = model.predict(&inputs).unwrap();
    native.max_relative_difference(&forecaster.predict(&inputs).unwrap())
}

#[test]
fn every_candidate_alone_agrees() {
    let panel = random_panel(1, 6, 70, 3);
    let mut model = trained(&panel);
    for candidate in 0..4 {
        for parameters in &mut model.series {
            parameters.weights = [0.0; 4];
            parameters.weights[candidate] = 1.0;
        }
        let found = difference(&model, &frame_after(&panel, 50, 72));
        assert!(found <= REACHED, "candidate {candidate}: {found:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_panels_and_mixtures_agree(
        seed in any::<u64>(),
        series in 1_usize..5,
        days in 15_usize..80,
        regressors in 0_usize..4,
        late in 0_usize..400,
        horizon in 1_usize..72,
        weights in prop::array::uniform4(0.0_f64..1.0),
        keep_champions in any::<bool>(),
    ) {
        let panel = random_panel(seed, series, days, regressors);
        let mut model = trained(&panel);
        if !keep_champions {
            let sum = weights.iter().sum::<f64>().max(1e-9);
            for parameters in &mut model.series {
                parameters.weights = weights.map(|weight| weight / sum);
            }
        }
        let found = difference(&model, &frame_after(&panel, late, horizon));
        prop_assert!(found <= PROMISED, "{:e}", found);
        prop_assert!(found <= REACHED, "within the promise, but no longer as good: {:e}", found);
    }
}

#[test]
fn a_parameter_that_differs_is_seen_in_every_candidate() {
    let panel = random_panel(8, 1, 70, 1);
    let changes: [fn(&mut SeriesParameters); 5] = [
        |one| {
            one.seasonal_naive
                .0
                .iter_mut()
                .for_each(|part| part[4] += 1.0 + part[4].abs());
        },
        |one| {
            one.climatology
                .profile
                .iter_mut()
                .for_each(|value| *value *= 1.001);
        },
        |one| one.additive.level += 1.0 + one.additive.level.abs(),
        |one| {
            one.multiplicative
                .daily
                .iter_mut()
                .for_each(|value| *value += 0.01);
        },
        |one| one.calibration.shift[3] += 0.5,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut model = trained(&panel);
        model.series[0].weights = [0.25; 4];
        model.series[0].calibration.floor += 1.0;
        let written = write(&model).unwrap();
        change(&mut model.series[0]);
        let forecaster = OnnxForecaster::load(&runtime(), &written).unwrap();
        let inputs = model.schema.inputs(&frame_after(&panel, 30, 72)).unwrap();
        let (native, onnx) = (
            model.predict(&inputs).unwrap(),
            forecaster.predict(&inputs).unwrap(),
        );
        let found = native.max_relative_difference(&onnx);
        assert!(found > PROMISED, "change {index} is not seen: {found:e}");
    }
}

#[test]
fn the_same_model_is_written_as_the_same_bytes() {
    let model = trained(&random_panel(3, 2, 40, 1));
    assert_eq!(write(&model).unwrap(), write(&model).unwrap());
}

#[test]
fn the_schema_can_be_read_without_a_runtime() {
    let model = trained(&random_panel(4, 3, 70, 2));
    assert_eq!(
        metadata::read_schema(&write(&model).unwrap()).unwrap(),
        model.schema
    );
}

#[test]
fn one_forecaster_serves_several_threads() {
    let panel = random_panel(5, 3, 70, 1);
    let model = trained(&panel);
    let forecaster = OnnxForecaster::load(&runtime(), &write(&model).unwrap()).unwrap();
    let inputs = model.schema.inputs(&frame_after(&panel, 0, 48)).unwrap();
    let alone = forecaster.predict(&inputs).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(forecaster.predict(&inputs).unwrap(), alone));
        }
    });
}

#[test]
fn rows_that_do_not_fit_the_model_are_refused_before_they_run() {
    let panel = random_panel(6, 2, 40, 1);
    let model = trained(&panel);
    let forecaster = OnnxForecaster::load(&runtime(), &write(&model).unwrap()).unwrap();
    let good = model.schema.inputs(&frame_after(&panel, 0, 5)).unwrap();
    let mut unknown_series = good.clone();
    unknown_series.series[3] = 2;
    let error = forecaster.predict(&unknown_series).unwrap_err().to_string();
    assert_eq!(error, "row 3 of series does not fit the model");
    let mut short = good.clone();
    short.regressors.pop();
    let error = forecaster.predict(&short).unwrap_err().to_string();
    assert_eq!(error, "input regressors has 9 values, expected 10");
    let mut none = good;
    none.week_level[0] = f64::NAN;
    assert!(forecaster.predict(&none).is_err());
}
