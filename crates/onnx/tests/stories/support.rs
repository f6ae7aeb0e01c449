//! A runtime for the tests, and panels to try it on.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use foretide_forecasting::counts::{CountForecaster, CountPrior};
use foretide_forecasting::trees::{TreesModel, TreesOptions, TreesSeries};
use foretide_forecasting::{
    CandidateKind, PanelModel, PanelSeries, Regressor, ScoringFrame, TrainOptions, TrainingPanel,
    train,
};
use foretide_onnx::{Runtime, library};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The shared library, fetched when it is not there yet.
pub(crate) fn shared_library() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    library::ensure(&tools).unwrap()
}

pub(crate) fn runtime() -> Runtime {
    Runtime::load(&shared_library()).unwrap()
}

pub(crate) fn monday() -> DateTime<Utc> {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

fn hours_of_week(first: usize, count: usize) -> Vec<u8> {
    (first..first + count)
        .map(|hour| (hour % 168) as u8)
        .collect()
}

fn regressors(rng: &mut ChaCha8Rng, count: usize, hours: usize) -> Vec<Regressor> {
    let mut draw = |index: usize| Regressor {
        name: format!("regressor_{index}"),
        values: (0..hours)
            .map(|_| rng.random_range(-1.0..3.0_f64).round())
            .collect(),
    };
    (0..count).map(&mut draw).collect()
}

/// Random weekly-seasonal counts of very different sizes, some of them silent.
pub(crate) fn random_panel(seed: u64, series: usize, days: usize, columns: usize) -> TrainingPanel {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let hours = days * 24;
    let mut draw = |index: usize| {
        let level = [0.0, 0.2, 3.0, 40.0, 5e4][rng.random_range(0..5)];
        let values = (0..hours).map(|hour| {
            let season = if (8..18).contains(&(hour % 24)) {
                2.0
            } else {
                0.5
            };
            (level * season * rng.random_range(0.0..2.0_f64)).round()
        });
        let id = format!("attack_volume/product=P{index}").parse().unwrap();
        PanelSeries {
            id,
            values: values.collect(),
        }
    };
    let series = (0..series).map(&mut draw).collect();
    TrainingPanel {
        start: monday(),
        hour_of_week: hours_of_week(0, hours),
        regressors: regressors(&mut rng, columns, hours),
        series,
    }
}

/// The frame `late` hours after a panel: histories with new hours, random regressors.
pub(crate) fn frame_after(panel: &TrainingPanel, late: usize, horizon: usize) -> ScoringFrame {
    let mut rng = ChaCha8Rng::seed_from_u64(late as u64);
    let hours = panel.hours() + late;
    let grown = |series: &PanelSeries| {
        let newest = series.values.iter().cycle().skip(7).take(late);
        let values = series.values.iter().chain(newest).copied().collect();
        PanelSeries {
            id: series.id.clone(),
            values,
        }
    };
    ScoringFrame {
        start: panel.start + Duration::hours(hours as i64),
        hour_of_week: hours_of_week(hours, horizon),
        history_hour_of_week: hours_of_week(0, hours),
        regressors: regressors(&mut rng, panel.regressors.len(), hours + horizon),
        series: panel.series.iter().map(grown).collect(),
    }
}

pub(crate) fn trained(panel: &TrainingPanel) -> PanelModel {
    train(panel, &TrainOptions::default(), &mut |_, _| {})
        .unwrap()
        .model
}

/// A trained model that has trees whether or not they won any weight.
pub(crate) fn trained_with_trees(panel: &TrainingPanel) -> PanelModel {
    let series: Vec<_> = panel
        .series
        .iter()
        .map(|one| TreesSeries {
            values: &one.values,
            hour_of_week: &panel.hour_of_week,
        })
        .collect();
    let mut model = trained(panel);
    model.trees = TreesModel::fit(&series, &TreesOptions::default());
    assert!(model.trees.is_some(), "the panel is long enough for trees");
    model.schema.trees = true;
    model
}

/// A trained model in which the count mixture of every series has a share, whatever it has won.
pub(crate) fn trained_with_counts(panel: &TrainingPanel, share: f64) -> PanelModel {
    let mut model = trained(panel);
    for (index, series) in panel.series.iter().enumerate() {
        let prior = CountPrior::default();
        let counts = CountForecaster::learn(&series.values, &panel.hour_of_week, &prior);
        model.schema.counts[index] = Some(counts);
        model.series[index].weights[CandidateKind::CountMixture.index()] = share;
    }
    model
}
