//! A model version, as this service thinks of it.

use chrono::{DateTime, Utc};
use foretide_domain::{RunId, SeriesId, UseCaseId};
use foretide_forecasting::{
    CandidateKind, CandidateScore, HORIZON_BANDS, Held, SeriesReport, horizon_band,
};
use foretide_outbox::NewItem;
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// Versions of earlier releases served one candidate and have no weights.
    #[serde(default)]
    pub(crate) weights: Vec<Weight>,
    /// Earlier releases did not look at it.
    #[serde(default)]
    pub(crate) coverage_by_horizon: Vec<CoverageByHorizon>,
    /// One a weekday, Monday first; earlier releases did not look at it.
    #[serde(default)]
    pub(crate) coverage_by_weekday: Vec<Coverage>,
}

/// What a candidate weighs in what is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weight {
    pub(crate) kind: String,
    pub(crate) weight: f64,
}

/// How often the intervals held some hours ahead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct CoverageByHorizon {
    pub(crate) first_hour: u32,
    pub(crate) last_hour: u32,
    pub(crate) coverage: Coverage,
}

/// How often the intervals held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coverage {
    pub(crate) hours: u32,
    pub(crate) share_80: f64,
    pub(crate) share_95: f64,
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

impl Coverage {
    /// Both together.
    pub(crate) fn with(self, other: &Self) -> Self {
        let hours = self.hours.saturating_add(other.hours);
        let own = f64::from(self.hours) / f64::from(hours.max(1));
        let mix = |one: f64, other: f64| own * one + (1.0 - own) * other;
        Self {
            hours,
            share_80: mix(self.share_80, other.share_80),
            share_95: mix(self.share_95, other.share_95),
        }
    }
}

impl From<&Held> for Coverage {
    fn from(held: &Held) -> Self {
        Self {
            hours: u32::try_from(held.hours).unwrap_or(u32::MAX),
            share_80: held.share_80,
            share_95: held.share_95,
        }
    }
}

/// The bands of a horizon that were looked at, with their first and last hour ahead.
fn by_horizon(bands: &[Held; HORIZON_BANDS], horizon_hours: u32) -> Vec<CoverageByHorizon> {
    let hours_of = |band: usize| {
        let mut hours = (1..=horizon_hours).filter(|&hour| horizon_band(hour as usize) == band);
        let first = hours.next()?;
        Some((first, hours.next_back().unwrap_or(first)))
    };
    let seen = bands.iter().enumerate().filter(|(_, held)| held.hours > 0);
    seen.filter_map(|(band, held)| {
        let (first_hour, last_hour) = hours_of(band)?;
        Some(CoverageByHorizon {
            first_hour,
            last_hour,
            coverage: Coverage::from(held),
        })
    })
    .collect()
}

impl SeriesModel {
    /// What training found out about a series, for forecasts of so many hours.
    pub(crate) fn of(report: &SeriesReport, horizon_hours: u32) -> Self {
        let weight = |(kind, weight): &(CandidateKind, f64)| Weight {
            kind: kind.name().to_owned(),
            weight: *weight,
        };
        let by_weekday = report.coverage.by_weekday.iter();
        Self {
            series_id: report.id.clone(),
            kind: report.champion.name().to_owned(),
            scores: report.scores.iter().map(Score::from).collect(),
            note: report.note.clone(),
            learning: report.learning,
            weights: report.weights.iter().map(weight).collect(),
            coverage_by_horizon: by_horizon(&report.coverage.by_band, horizon_hours),
            coverage_by_weekday: by_weekday.map(Coverage::from).collect(),
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

/// A version that MLflow is to be told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerEntry {
    pub(crate) name: UseCaseId,
    pub(crate) version: u32,
}

impl LedgerEntry {
    /// The entry on its way. Versions of one model are told in order.
    pub(crate) fn into_item(self, run_id: RunId) -> NewItem {
        NewItem {
            key: format!("{}/{}", self.name, self.version),
            order_key: Some(self.name.to_string()),
            run_id: Some(run_id),
            payload: json!(self),
        }
    }
}

/// How far the ledger has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LedgerStatus {
    pub(crate) pending: u64,
    pub(crate) delivered: u64,
    pub(crate) last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_the_horizon_say_which_hours_they_are() {
        let held = Held {
            hours: 5,
            share_80: 0.8,
            share_95: 1.0,
        };
        let hours: Vec<_> = by_horizon(&[held; HORIZON_BANDS], 72)
            .iter()
            .map(|band| (band.first_hour, band.last_hour))
            .collect();
        assert_eq!(hours.first().map(|first| first.0), Some(1));
        assert_eq!(hours.last().map(|last| last.1), Some(72));
        assert!(
            hours.windows(2).all(|two| two[0].1 + 1 == two[1].0),
            "{hours:?}"
        );
    }

    #[test]
    fn coverage_is_pooled_by_hours() {
        let of = |hours, share| Coverage {
            hours,
            share_80: share,
            share_95: share,
        };
        let pooled = of(30, 0.9).with(&of(10, 0.5)).with(&Coverage::default());
        assert_eq!(pooled.hours, 40);
        assert!((pooled.share_80 - 0.8).abs() < 1e-12);
    }

    #[test]
    fn g3_a_version_of_an_earlier_release_is_still_read() {
        let stored = r#"{"series_id":"attack_volume/total","kind":"prophet_additive","scores":[],
            "note":"served","learning":false}"#;
        let series: SeriesModel = serde_json::from_str(stored).unwrap();
        assert!(series.weights.is_empty() && series.coverage_by_horizon.is_empty());
    }
}
