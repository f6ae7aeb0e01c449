//! What the auditor speaks of.

use chrono::{DateTime, Utc};
use foretide_domain::{ForecastId, Phase, Quantiles, RunId, SeriesId, TimeSpan, UseCaseId};
use foretide_forecasting::risk::{SettledWindow, TrackRecord};
use foretide_policy::{Evidence, GateReport};
use uuid::Uuid;

/// A forecast that was issued, without its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssuedForecast {
    /// Which forecast.
    pub(crate) id: ForecastId,
    /// When it was issued.
    pub(crate) issued_at: DateTime<Utc>,
    /// The hours it is for.
    pub(crate) span: TimeSpan,
    /// Model that made it.
    pub(crate) model_name: String,
    /// And its version.
    pub(crate) model_version: u32,
    /// Its series.
    pub(crate) series: Vec<SeriesId>,
}

/// One hour of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ForecastHour {
    /// The hour's start.
    pub(crate) time: DateTime<Utc>,
    /// Quantiles of its count.
    pub(crate) quantiles: Quantiles,
}

/// Counts by hour, without gaps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HourlyCounts {
    /// First hour.
    pub(crate) start: DateTime<Utc>,
    /// One count an hour.
    pub(crate) values: Vec<f64>,
}

impl HourlyCounts {
    /// The count of the hour that begins at this moment.
    #[must_use]
    pub(crate) fn at(&self, hour: DateTime<Utc>) -> Option<f64> {
        let index = usize::try_from((hour - self.start).num_hours()).ok()?;
        self.values.get(index).copied()
    }
}

/// One series of one forecast beside what happened. Losses in the unit of the series, shares 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluation {
    /// Made of forecast and series, so that the same evaluation has the same id.
    pub(crate) id: Uuid,
    /// The run that evaluated.
    pub(crate) run_id: RunId,
    /// The forecast.
    pub(crate) forecast_id: ForecastId,
    /// Its use case.
    pub(crate) use_case: UseCaseId,
    /// The series.
    pub(crate) series_id: SeriesId,
    /// The run's moment.
    pub(crate) evaluated_at: DateTime<Utc>,
    /// Hours compared.
    pub(crate) span: TimeSpan,
    /// The measures.
    pub(crate) score: SeriesScore,
    /// Model that made the forecast.
    pub(crate) model_name: String,
    /// And its version.
    pub(crate) model_version: u32,
}

/// How far a series' forecast was from what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeriesScore {
    /// Hours compared.
    pub(crate) hours: u32,
    /// Mean absolute error of the median.
    pub(crate) mae: f64,
    /// Pinball loss, mean over hours and levels.
    pub(crate) pinball: f64,
    /// The same for seasonal naive; nothing without a week of history.
    pub(crate) naive_pinball: Option<f64>,
    /// Share of hours inside the 80% interval.
    pub(crate) coverage_80: f64,
    /// Share of hours inside the 95% interval.
    pub(crate) coverage_95: f64,
}

/// A window of a forecast as it was judged when the forecast was issued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct JudgedWindow {
    /// When.
    pub(crate) span: TimeSpan,
    /// P(load > capacity).
    pub(crate) probability: f64,
    /// What the load is compared with.
    pub(crate) capacity: f64,
    /// Whether it was raised.
    pub(crate) is_raised: bool,
    /// Whether the baseline would have raised it, where it could judge.
    pub(crate) baseline_raised: Option<bool>,
}

/// A judged window that is over, with its load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WindowOutcome {
    /// What was foreseen, and whether it came true.
    pub(crate) settled: SettledWindow,
    /// When it was over.
    pub(crate) end: DateTime<Utc>,
    /// What the load was compared with.
    pub(crate) capacity: f64,
    /// What arrived in it.
    pub(crate) load: f64,
}

/// How right a use case was, and what its gate says of that.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) use_case: UseCaseId,
    pub(crate) gate: GateReport,
    /// Days back that count.
    pub(crate) window_days: u32,
    pub(crate) settled_days: u32,
    pub(crate) settled_days_needed: u32,
    pub(crate) hours: Evidence,
    /// Nothing without a trigger.
    pub(crate) windows: Option<TrackRecord>,
}

/// How far a use case may go, since when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhaseState {
    /// Which use case.
    pub(crate) use_case: UseCaseId,
    /// How far.
    pub(crate) phase: Phase,
    /// Since when.
    pub(crate) since: DateTime<Utc>,
    /// Who changed it.
    pub(crate) changed_by: String,
    /// And why.
    pub(crate) reason: String,
}

/// What an evaluation run came to.
#[derive(Debug, Clone)]
pub(crate) struct EvaluateOutcome {
    /// Forecasts evaluated now.
    pub(crate) forecasts_evaluated: u32,
    /// Forecasts whose hours are not settled yet.
    pub(crate) forecasts_waiting: u32,
    /// What was found out now.
    pub(crate) evaluations: Vec<Evaluation>,
    /// The phase afterwards.
    pub(crate) phase: Phase,
    /// Rows of this run that the workspace has accepted, and that wait for the next try.
    pub(crate) rows_delivered: u64,
    /// See above.
    pub(crate) rows_pending: u64,
}

/// Whether the audit chain is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainReport {
    /// Records that fit.
    pub(crate) records: u64,
    /// Hash of the last of them.
    pub(crate) head_hash: String,
    /// The first one that does not fit, and why.
    pub(crate) broken: Option<(u64, String)>,
}
