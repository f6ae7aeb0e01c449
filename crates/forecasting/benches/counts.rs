//! Counts and staffing: what a training and a scoring of one series take.

use foretide_forecasting::counts::{CountForecaster, CountMixture, CountPrior, CountState, Shape};
use foretide_forecasting::staffing::{
    ShiftPattern, Target, Work, Workload, analysts_needed, hourly_needs, plan_shifts,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() {
    divan::main();
}

fn history(hours: usize) -> (Vec<f64>, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let count = |hour: usize| {
        let busy = if (8..18).contains(&(hour % 24)) {
            20.0
        } else {
            6.0
        };
        (busy * rng.random_range(0.0..2.0_f64)).round()
    };
    let values = (0..hours).map(count).collect();
    (
        values,
        (0..hours + 72).map(|hour| (hour % 168) as u8).collect(),
    )
}

#[divan::bench(args = [960, 2160], sample_count = 20)]
fn learn_a_series_of_hours(bencher: divan::Bencher<'_, '_>, hours: usize) {
    let (values, grid) = history(hours);
    let prior = CountPrior::default();
    bencher.bench_local(|| CountForecaster::learn(&values, &grid[..hours], &prior));
}

#[divan::bench]
fn state_step_and_72_hours(bencher: divan::Bencher<'_, '_>) {
    let (values, grid) = history(2_160);
    let (known, ahead) = grid.split_at(2_160);
    let forecaster = CountForecaster {
        shape: Shape::learn(&values, known, &CountPrior::default()),
        mixture: CountMixture::default(),
        is_whole: true,
        unit: 1.0,
    };
    bencher.bench_local(|| forecaster.forecast(&values, known, ahead));
}

#[divan::bench]
fn state_step(bencher: divan::Bencher<'_, '_>) {
    let (values, grid) = history(2_160);
    let shape = Shape::learn(&values, &grid[..2_160], &CountPrior::default());
    bencher.bench_local(|| CountState::at_end(&shape, &values, &grid[..2_160]));
}

#[divan::bench(args = [10.0, 1_000.0])]
fn analysts_for_a_load(bencher: divan::Bencher<'_, '_>, load: f64) {
    let work = Work {
        arrivals: 2.0 * load,
        handling_hours: 0.5,
        patience_hours: Some(4.0),
    };
    bencher.bench_local(|| analysts_needed(&work, &Target::default()));
}

#[divan::bench]
fn a_week_of_needs_and_shifts(bencher: divan::Bencher<'_, '_>) {
    let grid: Vec<u8> = (0..168).collect();
    let quantiles: Vec<[f64; 5]> = (0..168)
        .map(|hour| {
            let busy = if (8..18).contains(&(hour % 24)) {
                12.0
            } else {
                4.0
            };
            [0.4, 0.6, 1.0, 1.6, 2.0].map(|q| q * busy)
        })
        .collect();
    let workload = Workload {
        handling_hours: 0.5,
        patience_hours: None,
        covering: 0.8,
        backlog: 0.0,
    };
    let patterns = [6, 9, 14, 22].map(|start_hour| ShiftPattern {
        name: format!("from {start_hour}"),
        start_hour,
        hours: 8,
        days: [true; 7],
    });
    let start = "2026-01-05T00:00:00Z".parse().expect("a time");
    bencher.bench_local(|| {
        let needs = hourly_needs(&quantiles, &workload, &Target::default()).expect("valid");
        let needed: Vec<u32> = needs.iter().map(|need| need.analysts).collect();
        plan_shifts(&needed, &grid, start, &patterns)
    });
}
