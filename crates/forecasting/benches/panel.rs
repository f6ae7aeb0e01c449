//! Training and native prediction speed.

use chrono::{DateTime, Duration, Utc};
use divan::counter::ItemsCount;
use foretide_forecasting::{
    CandidateKind, HourlyHistory, Origin, PanelSeries, RollingOptions, ScoringFrame, TrainOptions,
    TrainingPanel, forecast_origins, train,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() {
    divan::main();
}

const HOURS: usize = 90 * 24;

fn panel(series: usize) -> TrainingPanel {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut one = |index: usize| {
        let count = |hour: usize| {
            let season = if (8..18).contains(&(hour % 24)) {
                2.0
            } else {
                0.5
            };
            (20.0 * season * rng.random_range(0.0..2.0_f64)).round()
        };
        PanelSeries {
            id: format!("attack_volume/product=P{index}")
                .parse()
                .expect("a series id"),
            values: (0..HOURS).map(count).collect(),
        }
    };
    TrainingPanel {
        start: "2026-01-05T00:00:00Z".parse().expect("a time"),
        hour_of_week: (0..HOURS).map(|hour| (hour % 168) as u8).collect(),
        regressors: vec![],
        series: (0..series).map(&mut one).collect(),
    }
}

/// All candidates, rolling origins, weights, intervals; trees where there are several series.
#[divan::bench(args = [1, 100, 1_000], sample_count = 1, sample_size = 1)]
fn train_90_days(bencher: divan::Bencher<'_, '_>, series: usize) {
    let panel = panel(series);
    bencher.counter(ItemsCount::new(series)).bench_local(|| {
        train(
            divan::black_box(&panel),
            &TrainOptions::default(),
            &mut |_, _| {},
        )
    });
}

/// The same on two threads.
#[divan::bench(args = [10_000], sample_count = 1, sample_size = 1)]
fn train_90_days_on_two_threads(bencher: divan::Bencher<'_, '_>, series: usize) {
    let panel = panel(series);
    let options = TrainOptions {
        threads: 2,
        ..TrainOptions::default()
    };
    bencher
        .counter(ItemsCount::new(series))
        .bench_local(|| train(divan::black_box(&panel), &options, &mut |_, _| {}));
}

/// One hourly series of 960 hours: the whole ensemble fitted, 48 hours forecast.
#[divan::bench(sample_count = 20)]
fn fit_and_forecast_960_hours(bencher: divan::Bencher<'_, '_>) {
    let panel = panel(1);
    let one = &panel.series[0];
    let history = [HourlyHistory {
        id: one.id.clone(),
        start: panel.start,
        values: one.values[..960].to_vec(),
    }];
    let origin = [Origin {
        series: 0,
        known_hours: 960,
    }];
    let options = RollingOptions {
        horizon_hours: 48,
        ..RollingOptions::default()
    };
    let hour_of_week =
        |hour: DateTime<Utc>| ((hour - panel.start).num_hours().rem_euclid(168)) as u8;
    bencher.bench_local(|| {
        forecast_origins(
            divan::black_box(&history),
            &hour_of_week,
            &[],
            &origin,
            &options,
            &|_, _| {},
        )
    });
}

/// States, counts, features and native prediction, of models of all candidates and of some.
#[divan::bench(args = [&[] as &[CandidateKind], &[CandidateKind::Trees]])]
fn predict_1000_series_48_hours(bencher: divan::Bencher<'_, '_>, candidates: &[CandidateKind]) {
    let panel = panel(1_000);
    let few = TrainingPanel {
        series: panel.series[..20].to_vec(),
        ..panel.clone()
    };
    let options = TrainOptions {
        candidates: candidates.to_vec(),
        ..TrainOptions::default()
    };
    let mut model = train(&few, &options, &mut |_, _| {})
        .expect("the panel is valid")
        .model;
    model.schema.series = panel
        .series
        .iter()
        .map(|series| series.id.clone())
        .collect();
    model.series = model.series.iter().cycle().take(1_000).cloned().collect();
    let schema = &mut model.schema;
    schema.states = schema.states.iter().cycle().take(1_000).cloned().collect();
    schema.effects = vec![vec![]; 1_000];
    schema.counts = schema.counts.iter().cycle().take(1_000).cloned().collect();
    let frame = ScoringFrame {
        start: panel.start + Duration::hours(HOURS as i64),
        hour_of_week: (0..48).map(|hour| ((HOURS + hour) % 168) as u8).collect(),
        history_hour_of_week: panel.hour_of_week,
        regressors: vec![],
        series: panel.series,
    };
    bencher
        .counter(ItemsCount::new(48_000_usize))
        .bench_local(|| {
            let inputs = model
                .schema
                .inputs(divan::black_box(&frame))
                .expect("the frame fits");
            model.predict(&inputs)
        });
}
