//! How many points a second one detector judges.

use chrono::{DateTime, TimeDelta, Utc};
use divan::counter::ItemsCount;
use foretide_anomalies::{Detector, DetectorOptions, detect};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn main() {
    divan::main();
}

fn series(points: usize) -> Vec<(DateTime<Utc>, f64)> {
    let start: DateTime<Utc> = "2026-01-05T00:00:00Z".parse().expect("a time");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut value = |index: usize| {
        let day = (index as f64 / 288.0 * std::f64::consts::TAU).sin();
        100.0 + 40.0 * day + rng.random_range(-10.0..10.0)
    };
    (0..points)
        .map(|index| (start + TimeDelta::minutes(5) * index as i32, value(index)))
        .collect()
}

/// A fortnight and eight weeks of five-minute values, from nothing.
#[divan::bench(args = [4_032, 16_128], sample_count = 10)]
fn whole_series(bencher: divan::Bencher<'_, '_>, points: usize) {
    let series = series(points);
    bencher
        .counter(ItemsCount::new(points))
        .bench_local(|| detect(series.iter().copied(), DetectorOptions::default()));
}

/// A day more, with a full history.
#[divan::bench(sample_count = 20)]
fn one_more_day(bencher: divan::Bencher<'_, '_>) {
    let series = series(10_000 + 288);
    let mut detector = Detector::new(DetectorOptions::default()).expect("the defaults are allowed");
    for (at, value) in &series[..10_000] {
        detector.observe(*at, *value);
    }
    bencher
        .counter(ItemsCount::new(288_usize))
        .with_inputs(|| detector.clone())
        .bench_local_values(|mut detector| {
            for (at, value) in &series[10_000..] {
                divan::black_box(detector.observe(*at, *value));
            }
            detector
        });
}
