//! Coverage on real attack counts (AWS honeypots, 2013), trained every week, issued every two days.
//! Skipped when the benchmark folder is not beside the repository.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, Timelike, Utc};
use foretide_forecasting::metrics::{evaluate, pinball};
use foretide_forecasting::{
    PanelModel, PanelSeries, ScoringFrame, TrainOptions, TrainedPanel, TrainingPanel, train,
};

use foretide_domain::Quantiles;

const HORIZON: usize = 24;

/// Hours from the start of the data to the first forecast: 60 days, as in the benchmark.
const FIRST_ISSUE: usize = 60 * 24;

struct Real {
    start: DateTime<Utc>,
    series: BTreeMap<String, Vec<f64>>,
}

fn read_real_counts() -> Option<Real> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/bench/security/hourly.csv.gz");
    let file = std::fs::File::open(&path).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    let mut series: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut start = None;
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        if start.is_none() {
            let first = NaiveDateTime::parse_from_str(fields[1], "%Y-%m-%d %H:%M:%S").unwrap();
            start = Some(first.and_utc());
        }
        series
            .entry(fields[0].to_owned())
            .or_default()
            .push(fields[2].parse().unwrap());
    }
    Some(Real {
        start: start.unwrap(),
        series,
    })
}

fn hours_of_week(start: DateTime<Utc>, first: usize, count: usize) -> Vec<u8> {
    let hour_of_week = |hour: usize| {
        let moment = start + Duration::hours(hour as i64);
        (moment.weekday().num_days_from_monday() * 24 + moment.hour()) as u8
    };
    (first..first + count).map(hour_of_week).collect()
}

fn panel(real: &Real, name: &str, hours: usize) -> TrainingPanel {
    let id = format!("attack_volume/product={name}").parse().unwrap();
    TrainingPanel {
        start: real.start,
        hour_of_week: hours_of_week(real.start, 0, hours),
        regressors: vec![],
        series: vec![PanelSeries {
            id,
            values: real.series[name][..hours].to_vec(),
        }],
    }
}

fn forecast(real: &Real, name: &str, model: &PanelModel, issue: usize) -> Vec<[f64; 5]> {
    let known = panel(real, name, issue);
    let frame = ScoringFrame {
        start: real.start + Duration::hours(issue as i64),
        hour_of_week: hours_of_week(real.start, issue, HORIZON),
        history_hour_of_week: known.hour_of_week,
        regressors: vec![],
        series: known.series,
    };
    model
        .predict(&model.schema.inputs(&frame).unwrap())
        .unwrap()
        .quantiles
}

fn outcomes_of(real: &Real, name: &str) -> (Vec<(Quantiles, f64)>, String) {
    let actual = &real.series[name];
    let mut outcomes = Vec::new();
    let mut trained: Option<(usize, TrainedPanel)> = None;
    for issue in (FIRST_ISSUE..actual.len() - HORIZON).step_by(48) {
        let is_stale = trained
            .as_ref()
            .is_none_or(|(since, _)| issue - since >= 168);
        if is_stale {
            let options = TrainOptions {
                horizon_hours: HORIZON,
                ..TrainOptions::default()
            };
            let panel = panel(real, name, issue);
            trained = Some((issue, train(&panel, &options, &mut |_, _| {}).unwrap()));
        }
        let (_, model) = trained.as_ref().unwrap();
        let quantiles = forecast(real, name, &model.model, issue);
        let happened = &actual[issue..issue + HORIZON];
        outcomes.extend(
            quantiles
                .iter()
                .zip(happened)
                .map(|(q, y)| (Quantiles::new(*q).unwrap(), *y)),
        );
    }
    (outcomes, trained.unwrap().1.reports[0].note.clone())
}

#[test]
fn intervals_hold_on_real_attack_counts() {
    let Some(real) = read_real_counts() else {
        eprintln!("skipped: ../shared/bench/security is not beside the repository");
        return;
    };
    let (mut inside_80, mut inside_95, mut weighted_loss) = (0.0, 0.0, 0.0);
    for name in real.series.keys() {
        let (outcomes, note) = outcomes_of(&real, name);
        let evaluation = evaluate(&outcomes).unwrap();
        let total: f64 = outcomes.iter().map(|(_, actual)| actual).sum();
        let loss: f64 = outcomes.iter().map(|(q, actual)| pinball(q, *actual)).sum();
        let wql = 2.0 * loss / total;
        eprintln!(
            "{name}: coverage 80% {:.3}, 95% {:.3}, MAE {:.2}, WQL {wql:.3}; at the end: {note}",
            evaluation.coverage_80, evaluation.coverage_95, evaluation.mae
        );
        inside_80 += evaluation.coverage_80;
        inside_95 += evaluation.coverage_95;
        weighted_loss += wql;
    }
    let count = real.series.len() as f64;
    let (inside_80, inside_95) = (inside_80 / count, inside_95 / count);
    eprintln!(
        "all: 80% {inside_80:.3}, 95% {inside_95:.3}, WQL {:.4}",
        weighted_loss / count
    );
    assert!((inside_80 - 0.80).abs() < 0.03 && (inside_95 - 0.95).abs() < 0.03);
    assert!(
        weighted_loss / count < 0.30,
        "worse than Prophet (0.316) would be a bug"
    );
}
