//! Rolling-origin backtest inside the history: trained once a week, issued once a day, as in use.

use crate::calibration::{Calibration, Outcome};
use crate::candidate::{CandidateKind, CandidateScore};
use crate::metrics::{evaluate_values, pinball_of};
use crate::model::{RegressorRange, Row, SeriesParameters};
use crate::panel::Regressor;
use crate::schema::SeriesState;
use crate::week::HOURS_OF_WEEK;

/// Hours between two forecasts of the backtest.
const ISSUE_EVERY: usize = 24;

/// One forecast of the backtest beside what happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// Which weekly training it comes from.
    pub(crate) fold: usize,
    /// Expected counts.
    pub(crate) means: Vec<f64>,
    /// Quantiles before calibration, and what happened.
    pub(crate) outcomes: Vec<Outcome>,
}

/// What a forecast at one moment of the history may see, and what happened then.
pub(crate) struct History<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) hour_of_week: &'a [u8],
    pub(crate) regressors: &'a [Regressor],
    pub(crate) horizon: usize,
}

impl History<'_> {
    /// Issues forecasts daily for a week from `trained_to` on (the hour after the last one trained
    /// on), each seeing nothing at or after its own issue.
    pub(crate) fn paths(
        &self,
        fold: usize,
        trained_to: usize,
        parameters: &SeriesParameters,
        kind: CandidateKind,
        ranges: &[RegressorRange],
    ) -> Vec<Path> {
        let end = (trained_to + HOURS_OF_WEEK).min(self.values.len());
        let mut paths = Vec::with_capacity(HOURS_OF_WEEK / ISSUE_EVERY);
        let mut regressors = vec![0.0; self.regressors.len()];
        for issue in (trained_to..end).step_by(ISSUE_EVERY) {
            let known = SeriesState::at_end(&self.values[..issue], &self.hour_of_week[..issue]);
            let last = (issue + self.horizon).min(self.values.len());
            let mut path = Path {
                fold,
                means: Vec::with_capacity(last - issue),
                outcomes: Vec::with_capacity(last - issue),
            };
            for hour in issue..last {
                for (value, regressor) in regressors.iter_mut().zip(self.regressors) {
                    *value = regressor.values[hour];
                }
                let hour_of_week = usize::from(self.hour_of_week[hour]);
                let row = Row {
                    days: (hour - trained_to) as f64 / 24.0,
                    issue_days: (issue - trained_to) as f64 / 24.0,
                    hour_of_week,
                    regressors: &regressors,
                    lag_week: known.same_hour[hour_of_week],
                    week_level: known.week_level,
                    month_level: known.month_level,
                    recent: known.recent,
                };
                let forecast = parameters.candidate(kind, &row, ranges);
                path.means.push(forecast.mean);
                let quantiles = Calibration::NONE.apply(forecast.quantiles);
                path.outcomes.push((quantiles, self.values[hour]));
            }
            paths.push(path);
        }
        paths
    }
}

/// Mean pinball loss over all hours of the paths, before calibration.
pub(crate) fn raw_pinball(paths: &[Path]) -> f64 {
    let outcomes = || paths.iter().flat_map(|path| &path.outcomes);
    let total: f64 = outcomes().map(|(q, actual)| pinball_of(q, *actual)).sum();
    total / outcomes().count().max(1) as f64
}

/// Scores paths the way they would be served: each week calibrated on the other weeks only.
pub(crate) fn score(kind: CandidateKind, paths: &[Path]) -> CandidateScore {
    let folds = paths
        .iter()
        .map(|path| path.fold)
        .max()
        .map_or(0, |last| last + 1);
    let mut outcomes = Vec::new();
    for fold in 0..folds {
        let others = outcomes_of(paths, |path| path.fold != fold);
        let calibration = Calibration::learn(&others);
        let served = outcomes_of(paths, |path| path.fold == fold);
        outcomes.extend(
            served
                .into_iter()
                .map(|(q, actual)| (calibration.apply(q), actual)),
        );
    }
    let evaluation = evaluate_values(&outcomes);
    let of = |measure: fn(&crate::metrics::Evaluation) -> f64| {
        evaluation.as_ref().map_or(f64::NAN, measure)
    };
    CandidateScore {
        kind,
        pinball: of(|e| e.pinball),
        mae: of(|e| e.mae),
        coverage_80: of(|e| e.coverage_80),
        coverage_95: of(|e| e.coverage_95),
    }
}

/// The calibration that all weeks together teach.
pub(crate) fn calibration(paths: &[Path]) -> Calibration {
    Calibration::learn(&outcomes_of(paths, |_| true))
}

fn outcomes_of(paths: &[Path], of: impl Fn(&Path) -> bool) -> Vec<Outcome> {
    paths
        .iter()
        .filter(|path| of(path))
        .flat_map(|path| path.outcomes.clone())
        .collect()
}
