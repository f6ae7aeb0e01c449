//! Scoring speed of an artefact: 1,000 series x 48 hours on one core.

use std::path::Path;

use chrono::Duration;
use divan::counter::ItemsCount;
use foretide_forecasting::{
    CandidateKind, PanelInputs, PanelModel, PanelSeries, ScoringFrame, TrainOptions, TrainingPanel,
    train,
};
use foretide_onnx::{OnnxForecaster, Runtime, library, write};

fn main() {
    divan::main();
}

const SERIES: usize = 1_000;
const HORIZON: usize = 48;
const HOURS: usize = 70 * 24;

fn panel() -> TrainingPanel {
    let count = |series: usize, hour: usize| {
        let season = if (8..18).contains(&(hour % 24)) {
            3.0
        } else {
            1.0
        };
        (season * ((series * 31 + hour * 17) % 23) as f64).round()
    };
    let series = (0..20).map(|index| PanelSeries {
        id: format!("attack_volume/product=P{index}")
            .parse()
            .expect("a series id"),
        values: (0..HOURS).map(|hour| count(index, hour)).collect(),
    });
    TrainingPanel {
        start: "2026-01-05T00:00:00Z".parse().expect("a time"),
        hour_of_week: (0..HOURS).map(|hour| (hour % 168) as u8).collect(),
        regressors: vec![],
        series: series.collect(),
    }
}

/// Twenty trained series, repeated under new names, all served by their own ensembles or by one
/// candidate alone.
fn model_and_inputs(alone: Option<CandidateKind>) -> (PanelModel, PanelInputs) {
    let panel = panel();
    let options = TrainOptions::default();
    let mut model = train(&panel, &options, &mut |_, _| {})
        .expect("the panel is valid")
        .model;
    let name = |index: usize| {
        format!("attack_volume/product=P{index}")
            .parse()
            .expect("an id")
    };
    let schema = model.schema.clone();
    model.schema.series = (0..SERIES).map(name).collect();
    let again = |index: usize| index % panel.series.len();
    model.schema.kinds = (0..SERIES)
        .map(|index| schema.kinds[again(index)])
        .collect();
    model.schema.notes = (0..SERIES)
        .map(|index| schema.notes[again(index)].clone())
        .collect();
    model.schema.states = (0..SERIES)
        .map(|index| schema.states[again(index)].clone())
        .collect();
    model.schema.counts = (0..SERIES)
        .map(|index| schema.counts[again(index)].clone())
        .collect();
    model.schema.learning = vec![false; SERIES];
    model.schema.effects = vec![vec![]; SERIES];
    model.schema.vettings = (0..SERIES)
        .map(|index| schema.vettings[again(index)])
        .collect();
    model.schema.window_spreads = (0..SERIES)
        .map(|index| schema.window_spreads[again(index)].clone())
        .collect();
    let parameters = model.series.clone();
    model.series = (0..SERIES)
        .map(|index| parameters[again(index)].clone())
        .collect();
    if let Some(candidate) = alone {
        for parameters in &mut model.series {
            parameters.weights = [0.0; CandidateKind::ALL.len()];
            parameters.weights[candidate.index()] = 1.0;
        }
    }
    let frame = ScoringFrame {
        start: panel.start + Duration::hours(HOURS as i64),
        hour_of_week: (0..HORIZON)
            .map(|hour| ((HOURS + hour) % 168) as u8)
            .collect(),
        history_hour_of_week: panel.hour_of_week.clone(),
        regressors: vec![],
        series: model
            .schema
            .series
            .iter()
            .zip(panel.series.iter().cycle())
            .map(|(id, series)| PanelSeries {
                id: id.clone(),
                values: series.values.clone(),
            })
            .collect(),
    };
    let inputs = model.schema.inputs(&frame).expect("the frame fits");
    (model, inputs)
}

fn runtime() -> Runtime {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    let library = library::ensure(&tools).expect("ONNX Runtime can be set up");
    Runtime::load(&library).expect("ONNX Runtime can be loaded")
}

/// Whole ensembles, and candidates alone for comparison.
const SERVED: [Option<CandidateKind>; 3] = [
    None,
    Some(CandidateKind::Climatology),
    Some(CandidateKind::Trees),
];

#[divan::bench(args = [0, 1, 2])]
fn onnx_1000_series_48_hours(bencher: divan::Bencher<'_, '_>, served: usize) {
    let (model, inputs) = model_and_inputs(SERVED[served]);
    let artefact = write(&model).expect("the model is consistent");
    let forecaster = OnnxForecaster::load(&runtime(), &artefact).expect("our own artefact");
    bencher
        .counter(ItemsCount::new(SERIES * HORIZON))
        .bench_local(|| forecaster.predict(divan::black_box(&inputs)));
}

#[divan::bench(args = [0, 1, 2])]
fn native_1000_series_48_hours(bencher: divan::Bencher<'_, '_>, served: usize) {
    let (model, inputs) = model_and_inputs(SERVED[served]);
    bencher
        .counter(ItemsCount::new(SERIES * HORIZON))
        .bench_local(|| model.predict(divan::black_box(&inputs)));
}

#[divan::bench]
fn write_1000_series(bencher: divan::Bencher<'_, '_>) {
    let (model, _) = model_and_inputs(None);
    bencher.bench_local(|| write(divan::black_box(&model)));
}

#[divan::bench]
fn load_1000_series(bencher: divan::Bencher<'_, '_>) {
    let (model, _) = model_and_inputs(None);
    let artefact = write(&model).expect("the model is consistent");
    let runtime = runtime();
    bencher.bench_local(|| OnnxForecaster::load(&runtime, divan::black_box(&artefact)));
}
