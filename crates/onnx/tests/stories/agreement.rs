//! Native and ONNX predictions of the same inputs are the same numbers.

use foretide_forecasting::trees::ROW_WIDTH;
use foretide_forecasting::{CandidateKind, HORIZON_BANDS, PanelModel};
use foretide_onnx::{OnnxForecaster, metadata, write};
use proptest::prelude::*;

use crate::support::{
    frame_after, random_panel, runtime, trained, trained_with_counts, trained_with_trees,
};

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

const CANDIDATES: usize = CandidateKind::ALL.len();

/// Lets one candidate serve all series.
fn served_by(model: &mut PanelModel, candidate: CandidateKind) {
    for parameters in &mut model.series {
        parameters.weights = [0.0; CANDIDATES];
        parameters.weights[candidate.index()] = 1.0;
    }
}

#[test]
fn f8_every_candidate_alone_agrees() {
    let panel = random_panel(1, 6, 70, 3);
    let mut model = trained_with_trees(&panel);
    for candidate in CandidateKind::ALL {
        served_by(&mut model, candidate);
        let found = difference(&model, &frame_after(&panel, 50, 72));
        assert!(found <= REACHED, "{candidate}: {found:e}");
    }
}

#[test]
fn f8_every_horizon_band_and_share_of_climatology_agrees() {
    let panel = random_panel(2, 5, 70, 1);
    let mut model = trained(&panel);
    model.schema.horizon_hours = 336;
    for (share, exponent) in [(0.0, 0.0), (0.3, 0.5), (1.0, 1.0)] {
        for parameters in &mut model.series {
            parameters.climatology_share = share;
            parameters.intervals.exponent = exponent;
            for (band, misses) in parameters.intervals.misses.iter_mut().enumerate() {
                *misses = [-2.0, -1.0, 0.1, 1.5, 3.0].map(|miss| miss * (1.0 + band as f64));
            }
        }
        let found = difference(&model, &frame_after(&panel, 3, 336));
        assert!(
            found <= REACHED,
            "share {share}, exponent {exponent}: {found:e}"
        );
    }
}

#[test]
fn f8_ends_that_cross_are_repaired_alike() {
    let panel = random_panel(9, 2, 70, 0);
    let mut model = trained(&panel);
    for parameters in &mut model.series {
        parameters.climatology_share = 0.5;
        parameters.intervals.misses = [[3.0, -1.0, 2.0, -4.0, 1.0]; HORIZON_BANDS];
        parameters.calibration.shift = [-2.0, 1.5, 0.0, -3.0, 0.5];
    }
    let frame = frame_after(&panel, 20, 72);
    assert!(difference(&model, &frame) <= REACHED);
    let inputs = model.schema.inputs(&frame).unwrap();
    for quantiles in model.predict(&inputs).unwrap().quantiles {
        assert!(
            quantiles[0] >= 0.0 && quantiles.is_sorted(),
            "{quantiles:?}"
        );
    }
}

#[test]
fn f8_any_share_of_the_count_mixture_agrees() {
    for (seed, share) in [(12, 0.0), (13, 0.25), (14, 1.0)] {
        let panel = random_panel(seed, 4, 70, 2);
        let model = trained_with_counts(&panel, share);
        let found = difference(&model, &frame_after(&panel, 30, 72));
        assert!(found <= REACHED, "share {share}: {found:e}");
    }
}

#[test]
fn a_share_of_the_count_mixture_that_differs_is_seen() {
    let panel = random_panel(12, 3, 70, 1);
    let mut model = trained_with_counts(&panel, 0.5);
    let forecaster = OnnxForecaster::load(&runtime(), &write(&model).unwrap()).unwrap();
    let inputs = model.schema.inputs(&frame_after(&panel, 30, 72)).unwrap();
    let onnx = forecaster.predict(&inputs).unwrap();
    for parameters in &mut model.series {
        parameters.weights[CandidateKind::CountMixture.index()] = 0.6;
    }
    let native = model.predict(&inputs).unwrap();
    assert!(native.max_relative_difference(&onnx) > PROMISED);
}

#[test]
fn f8_extreme_rows_agree() {
    let panel = random_panel(11, 4, 70, 2);
    let mut model = trained_with_trees(&panel);
    for parameters in &mut model.series {
        parameters.weights = [1.0 / CANDIDATES as f64; CANDIDATES];
    }
    model.schema.effects = vec![vec![0.7, -0.4]; 4];
    let forecaster = OnnxForecaster::load(&runtime(), &write(&model).unwrap()).unwrap();
    let ordinary = model.schema.inputs(&frame_after(&panel, 9, 72)).unwrap();
    for size in [0.0, 1e-12, -1e6, 1e9, 1e12] {
        let mut rows = ordinary.clone();
        for (index, parts) in rows.state_parts.iter_mut().enumerate() {
            *parts =
                [size, -size / 3.0, size / 7.0, -0.5 * size].map(|part| part * (index % 5) as f64);
        }
        // What candidates say may be below zero, what was counted may not.
        let count = size.abs();
        rows.week_level.fill(count);
        rows.month_level.fill(count / 2.0);
        rows.recent
            .fill([0.0, count / 9.0, count / 3.0, count, 2.0 * count]);
        rows.days.fill(-1e4);
        rows.issue_days.fill(1e4);
        rows.regressors.fill(1e12);
        // The features themselves are limited; the anchor and the unit before them are not.
        for row in rows.features.chunks_exact_mut(ROW_WIDTH) {
            (row[0], row[1]) = (count, count / 10.0 + 1e-9);
        }
        let native = model.predict(&rows).unwrap();
        let found = native.max_relative_difference(&forecaster.predict(&rows).unwrap());
        assert!(found <= PROMISED, "size {size:e}: {found:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn f8_random_panels_and_mixtures_agree(
        seed in any::<u64>(),
        series in 1_usize..5,
        days in 15_usize..80,
        regressors in 0_usize..4,
        late in 0_usize..400,
        horizon in 1_usize..72,
        weights in prop::collection::vec(0.0_f64..1.0, CANDIDATES),
        share in prop::sample::select(vec![0.0, 0.4, 1.0]),
        as_trained in any::<bool>(),
    ) {
        let panel = random_panel(seed, series, days, regressors);
        let mut model = trained(&panel);
        if !as_trained {
            if days >= 40 {
                model = trained_with_trees(&panel);
            }
            let sum = weights.iter().sum::<f64>().max(1e-9);
            for parameters in &mut model.series {
                parameters.climatology_share = share;
                parameters.weights = std::array::from_fn(|index| weights[index] / sum);
            }
            for effects in &mut model.schema.effects {
                for (effect, weight) in effects.iter_mut().zip(&weights) {
                    *effect = 3.0 * weight - 1.0;
                }
            }
        }
        let found = difference(&model, &frame_after(&panel, late, horizon));
        prop_assert!(found <= PROMISED, "{:e}", found);
        prop_assert!(found <= REACHED, "within the promise, but no longer as good: {:e}", found);
    }
}

#[test]
fn a_parameter_that_differs_is_seen_wherever_it_stands() {
    let panel = random_panel(8, 1, 70, 1);
    let changes: [fn(&mut PanelModel); 8] = [
        |model| model.series[0].weights[CandidateKind::Theta.index()] += 0.1,
        |model| {
            let profile = &mut model.series[0].climatology.profile;
            profile.iter_mut().for_each(|value| *value *= 1.001);
        },
        |model| {
            let level = &mut model.series[0].additive.level;
            *level += 1.0 + level.abs();
        },
        |model| {
            let daily = &mut model.series[0].multiplicative.daily;
            daily.iter_mut().for_each(|value| *value += 0.01);
        },
        |model| model.series[0].intervals.misses[2][4] += 1.0,
        |model| model.series[0].intervals.floor *= 1.5,
        |model| model.series[0].calibration.shift[3] += 0.5,
        |model| {
            let trees = model.trees.as_mut().expect("there are trees");
            trees.linear.intercept += 0.01;
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut model = trained_with_trees(&panel);
        let one = &mut model.series[0];
        one.weights = [1.0 / CANDIDATES as f64; CANDIDATES];
        one.climatology_share = 0.5;
        one.calibration.floor += 1.0;
        one.intervals.exponent = 0.5;
        one.intervals.misses = [[-2.0, -1.0, 0.0, 1.0, 2.0]; HORIZON_BANDS];
        let written = write(&model).unwrap();
        change(&mut model);
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
    let mut unknown_band = good.clone();
    unknown_band.band[1] = HORIZON_BANDS as i64;
    let error = forecaster.predict(&unknown_band).unwrap_err().to_string();
    assert_eq!(error, "row 1 of band does not fit the model");
    let mut fewer_parts = good.clone();
    fewer_parts.state_parts.pop();
    let error = forecaster.predict(&fewer_parts).unwrap_err().to_string();
    assert!(error.starts_with("input state_parts has"), "{error}");
    let mut none = good.clone();
    none.week_level[0] = f64::NAN;
    assert!(forecaster.predict(&none).is_err());
    let mut endless = good;
    endless.state_parts[7][2] = f64::INFINITY;
    assert!(forecaster.predict(&endless).is_err());
}
