//! The score on the Numenta Anomaly Benchmark's files, where they lie beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use foretide_anomalies::{DetectorOptions, detect};

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

fn earned_by(file: &NabFile, labels: &Labels, options: &DetectorOptions) -> Earned {
    let judged = detect(file.points.iter().copied(), options.clone()).expect("allowed options");
    earn(labels, &alerts(&judged))
}

/// What an experiment with one rate of alerts earned, by file.
struct Trial {
    alert_rate: f64,
    earned: Vec<Earned>,
}

fn trials(files: &[NabFile], labels: &[Labels]) -> Vec<Trial> {
    let rates = [
        0.01, 0.007, 0.005, 0.0045, 0.004, 0.0035, 0.003, 0.0025, 0.002, 0.0014,
    ];
    let run = |alert_rate: f64| {
        let options = DetectorOptions {
            alert_rate,
            ..DetectorOptions::default()
        };
        let pairs = files.iter().zip(labels);
        Trial {
            alert_rate,
            earned: pairs
                .map(|(file, labels)| earned_by(file, labels, &options))
                .collect(),
        }
    };
    rates.map(run).into()
}

fn total(trial: &Trial, is_in: impl Fn(usize) -> bool) -> Earned {
    let kept = (0..trial.earned.len()).filter(|file| is_in(*file));
    kept.fold(Earned::default(), |sum, file| sum.and(trial.earned[file]))
}

fn best(trials: &[Trial], is_in: impl Fn(usize) -> bool) -> &Trial {
    trials
        .iter()
        .max_by(|one, other| {
            let sum = |trial| total(trial, &is_in).sum;
            sum(one).total_cmp(&sum(other))
        })
        .expect("there are trials")
}

#[test]
fn the_numenta_benchmark_is_passed_with_a_threshold_from_other_files() {
    let Some(root) = benchmark() else { return };
    let files = nab_files::read(&root).unwrap();
    let labels = labels(&root, &files);
    let trials = trials(&files, &labels);

    for trial in &trials {
        let all = total(trial, |_| true);
        eprintln!("rate {}: {:.2} {all:?}", trial.alert_rate, all.score());
    }
    let mut held_out = Earned::default();
    for file in 0..files.len() {
        let chosen = best(&trials, |other| other != file);
        held_out = held_out.and(chosen.earned[file]);
    }
    eprintln!("threshold from the other files: {:.2}", held_out.score());
    assert!(held_out.score() > 60.0, "{held_out:?}");

    let usual = DetectorOptions::default().alert_rate;
    let default = trials.iter().find(|trial| trial.alert_rate == usual);
    let default = total(default.expect("the default is tried"), |_| true);
    assert!(default.score() > 62.0, "{default:?}");
}
