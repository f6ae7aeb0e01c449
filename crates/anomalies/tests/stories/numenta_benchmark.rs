//! The score on the Numenta Anomaly Benchmark's files, where they lie beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use foretide_anomalies::{DetectorOptions, detect};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::nab_files::{self, NabFile};
use crate::nab_formula::{Earned, Labels, earn};
use crate::support::alerts;

fn benchmark() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bench/nab");
    if root.join("labels.json").exists() {
        return Some(root);
    }
    eprintln!("skipped: ../shared/bench/nab is not beside the repository");
    None
}

fn labels(root: &Path, files: &[NabFile]) -> Vec<Labels> {
    let text = std::fs::read_to_string(root.join("labels.json")).expect("readable labels");
    let all: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&text).expect("labels in JSON");
    let moment = |value: &serde_json::Value| -> DateTime<Utc> {
        let text = value.as_str().expect("a time");
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
            .expect("a time")
            .and_utc()
    };
    let label = |file: &NabFile| {
        let place = |at| file.points.partition_point(|(time, _)| *time < at);
        let windows = all[&file.name]["windows"]
            .as_array()
            .expect("windows")
            .iter();
        Labels {
            points: file.points.len(),
            windows: windows
                .map(|ends| place(moment(&ends[0]))..=place(moment(&ends[1])))
                .collect(),
        }
    };
    files.iter().map(label).collect()
}

fn alerts_of(file: &NabFile, options: &DetectorOptions) -> Vec<usize> {
    let points = file.points.iter().copied();
    alerts(&detect(points, options.clone()).expect("allowed options"))
}

/// What an experiment with one rate of alerts earned, by file.
struct Trial {
    alert_rate: f64,
    earned: Vec<Earned>,
}

impl Trial {
    fn total(&self, is_in: impl Fn(usize) -> bool) -> Earned {
        let kept = (0..self.earned.len()).filter(|file| is_in(*file));
        kept.fold(Earned::default(), |sum, file| sum.and(self.earned[file]))
    }
}

fn trials(files: &[NabFile], labels: &[Labels]) -> Vec<Trial> {
    let run = |alert_rate: f64| {
        let options = DetectorOptions {
            alert_rate,
            ..DetectorOptions::default()
        };
        let earned = |(file, labels)| earn(labels, &alerts_of(file, &options));
        Trial {
            alert_rate,
            earned: files.iter().zip(labels).map(earned).collect(),
        }
    };
    [0.01, 0.007, 0.005, 0.004, 0.003, 0.002, 0.0014]
        .map(run)
        .into()
}

/// The trial that earned most on some files.
fn best(trials: &[Trial], is_in: impl Fn(usize) -> bool) -> &Trial {
    let sum = |trial: &Trial| trial.total(&is_in).sum;
    let ahead = |one: &&Trial, other: &&Trial| sum(one).total_cmp(&sum(other));
    trials.iter().max_by(ahead).expect("there are trials")
}

/// What each file earns with the rate that is best on all others.
fn one_out(trials: &[Trial], files: usize) -> f64 {
    let earned = (0..files).fold(Earned::default(), |sum, file| {
        let chosen = best(trials, |other| other != file);
        sum.and(chosen.earned[file])
    });
    earned.score()
}

/// What each half of the files earns with the rate that is best on the other half: mean score of
/// two hundred ways to halve them.
fn halves(trials: &[Trial], files: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut sum = 0.0;
    for _ in 0..200 {
        let mut order: Vec<usize> = (0..files).collect();
        order.shuffle(&mut rng);
        let first = &order[..files / 2];
        let by_second = best(trials, |file| !first.contains(&file));
        let by_first = best(trials, |file| first.contains(&file));
        let earned = by_second
            .total(|file| first.contains(&file))
            .and(by_first.total(|file| !first.contains(&file)));
        sum += earned.score() / 200.0;
    }
    sum
}

/// As many alerts a file as the detector raised, at random: mean score of twenty draws.
fn at_random(files: &[NabFile], labels: &[Labels]) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut sum = 0.0;
    let raised: Vec<usize> = files
        .iter()
        .map(|file| alerts_of(file, &DetectorOptions::default()).len())
        .collect();
    for _ in 0..20 {
        let mut earned = Earned::default();
        for (labels, raised) in labels.iter().zip(&raised) {
            let mut draw = || rng.random_range(0..labels.points);
            let alerts: Vec<usize> = (0..*raised).map(|_| draw()).collect();
            earned = earned.and(earn(labels, &alerts));
        }
        sum += earned.score() / 20.0;
    }
    sum
}

#[test]
fn the_numenta_benchmark_is_passed_with_a_threshold_from_other_files() {
    let Some(root) = benchmark() else { return };
    let files = nab_files::read(&root).expect("readable files");
    let labels = labels(&root, &files);
    let trials = trials(&files, &labels);
    for trial in &trials {
        let all = trial.total(|_| true);
        eprintln!("rate {}: {:.2} {all:?}", trial.alert_rate, all.score());
    }
    let one_out = one_out(&trials, files.len());
    let halves = halves(&trials, files.len());
    let random = at_random(&files, &labels);
    eprintln!("threshold from all other files: {one_out:.2}");
    eprintln!("threshold from the other half: {halves:.2}");
    eprintln!("as many alerts at random: {random:.2}");
    assert!(one_out > 66.0, "{one_out}");
    assert!(halves > 62.0, "{halves}");

    let usual = DetectorOptions::default().alert_rate;
    let usual = trials.iter().find(|trial| trial.alert_rate == usual);
    let usual = usual.expect("the default is tried").total(|_| true);
    assert!(usual.score() > 66.0, "{usual:?}");
    assert!(usual.score() > random + 40.0, "{random}");
}
