//! A model version, as this service thinks of it.

use chrono::{DateTime, Utc};
use foretide_domain::{RunId, SeriesId, UseCaseId};
use foretide_forecasting::{CandidateScore, SeriesReport};
use serde::{Deserialize, Serialize};

/// The alias of the version that is served.
pub(crate) const CHAMPION: &str = "champion";

/// The training set a version was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrainingSet {
    pub(crate) view: String,
    pub(crate) spec_hash: String,
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) rows: u64,
}

/// What was found out about one series in the backtest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeriesModel {
    pub(crate) series_id: SeriesId,
    pub(crate) kind: String,
    pub(crate) scores: Vec<Score>,
    pub(crate) note: String,
    pub(crate) learning: bool,
}

/// How one candidate did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) kind: String,
    pub(crate) pinball: f64,
    pub(crate) mae: f64,
    pub(crate) coverage_80: f64,
    pub(crate) coverage_95: f64,
}

impl SeriesModel {
    /// The score of a candidate.
    pub(crate) fn score(&self, kind: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.kind == kind)
    }
}

impl From<&CandidateScore> for Score {
    fn from(score: &CandidateScore) -> Self {
        Self {
            kind: score.kind.name().to_owned(),
            pinball: score.pinball,
            mae: score.mae,
            coverage_80: score.coverage_80,
            coverage_95: score.coverage_95,
        }
    }
}

impl From<&SeriesReport> for SeriesModel {
    fn from(report: &SeriesReport) -> Self {
        Self {
            series_id: report.id.clone(),
            kind: report.champion.name().to_owned(),
            scores: report.scores.iter().map(Score::from).collect(),
            note: report.note.clone(),
            learning: report.learning,
        }
    }
}

/// A version before it has its number.
#[derive(Debug, Clone)]
pub(crate) struct NewVersion {
    pub(crate) use_case: UseCaseId,
    pub(crate) run_id: RunId,
    pub(crate) trained_at: DateTime<Utc>,
    pub(crate) known_at: DateTime<Utc>,
    pub(crate) training_set: TrainingSet,
    pub(crate) artefact_path: String,
    pub(crate) artefact_sha256: String,
    pub(crate) onnx_max_relative_error: f64,
    pub(crate) history_hours: u32,
    pub(crate) horizon_hours: u32,
    pub(crate) series: Vec<SeriesModel>,
}

/// A registered version. The registered model is named like its use case.
#[derive(Debug, Clone)]
pub(crate) struct ModelVersion {
    pub(crate) version: u32,
    pub(crate) content: NewVersion,
    pub(crate) is_champion: bool,
    pub(crate) mlflow_run_id: Option<String>,
}

impl ModelVersion {
    pub(crate) fn name(&self) -> &str {
        self.content.use_case.as_str()
    }
}

/// How far the ledger has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LedgerStatus {
    pub(crate) pending: u64,
    pub(crate) delivered: u64,
    pub(crate) last_error: Option<String>,
}
