//! Forecasts and risk windows, as this service thinks of them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{
    CapacityKind, ForecastId, RiskWindowId, RunId, SeriesId, TimeSpan, UseCaseId,
};
use uuid::Uuid;

use crate::points::Points;

/// How far a forecast can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Valid,
    /// Inputs were incomplete: intervals are widened, actions blocked.
    Degraded,
    /// Too little history to promise anything.
    Learning,
}

impl Validity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Degraded => "degraded",
            Self::Learning => "learning",
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Validity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Valid, Self::Degraded, Self::Learning]
            .into_iter()
            .find(|validity| validity.name() == text)
            .ok_or_else(|| format!("unknown validity {text:?}"))
    }
}

/// One forecast: all series of a use case, issued at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) id: ForecastId,
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) start: DateTime<Utc>,
    pub(crate) horizon_hours: u32,
    pub(crate) model_name: String,
    pub(crate) model_version: u32,
    pub(crate) completeness: f64,
    pub(crate) validity: Validity,
    pub(crate) valid_until: DateTime<Utc>,
    /// Names of the drivers, in the order in which points hold them.
    pub(crate) drivers: Vec<String>,
}

impl Forecast {
    /// The hour of a point.
    pub(crate) fn hour(&self, ahead: usize) -> DateTime<Utc> {
        self.start + TimeDelta::hours(i64::try_from(ahead).unwrap_or(i64::MAX / 3_600_000))
    }

    /// How far one of its series can be trusted.
    pub(crate) fn validity_of(&self, series: &SeriesForecast) -> Validity {
        match self.validity {
            Validity::Degraded => Validity::Degraded,
            _ if series.learning => Validity::Learning,
            _ => Validity::Valid,
        }
    }
}

/// One series of a forecast.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesForecast {
    pub(crate) series_id: SeriesId,
    pub(crate) model_kind: String,
    pub(crate) note: String,
    pub(crate) learning: bool,
    pub(crate) points: Points,
}

/// A period in which the load is foreseen to exceed the capacity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RiskWindow {
    pub(crate) id: RiskWindowId,
    pub(crate) forecast_id: ForecastId,
    pub(crate) run_id: RunId,
    pub(crate) use_case: UseCaseId,
    pub(crate) series_id: SeriesId,
    pub(crate) span: TimeSpan,
    pub(crate) probability: f64,
    pub(crate) expected: f64,
    pub(crate) capacity: f64,
    /// Not told of windows from before it was kept.
    pub(crate) capacity_kind: Option<CapacityKind>,
    /// Name of the rule that raised it.
    pub(crate) rule: String,
    /// False for a baseline that is recorded for comparison only.
    pub(crate) acts: bool,
    pub(crate) drivers: Vec<(String, f64)>,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) validity: Validity,
}

/// A window as the rule that acts judged it, raised or not: what the warnings are judged by once it
/// is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JudgedWindow {
    pub(crate) span: TimeSpan,
    pub(crate) probability: f64,
    pub(crate) expected: f64,
    pub(crate) capacity: f64,
    pub(crate) capacity_kind: CapacityKind,
    pub(crate) is_raised: bool,
    /// Whether the baseline would have raised it; nothing where its history is too short.
    pub(crate) baseline_raised: Option<bool>,
}

/// Everything one scoring makes.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) forecast: Forecast,
    pub(crate) series: Vec<SeriesForecast>,
    pub(crate) windows: Vec<RiskWindow>,
    /// Windows of its total, in order of time; none without a trigger.
    pub(crate) judged: Vec<JudgedWindow>,
}

/// What a scoring did, in numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub(crate) forecast_id: ForecastId,
    pub(crate) model_name: String,
    pub(crate) model_version: u32,
    pub(crate) series: u32,
    pub(crate) rows: u64,
    pub(crate) risk_windows: u32,
    pub(crate) rows_delivered: u64,
    pub(crate) rows_pending: u64,
}

/// Namespace of the ids below: they are derived, so that the same run makes the same ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f1c_62b4_5a0e_4d27_9a3e_64c0_71e2_15d9);

/// The forecast a run makes of a use case.
pub(crate) fn forecast_id(run_id: RunId, use_case: &UseCaseId) -> ForecastId {
    derived(NAMESPACE, &format!("forecast/{run_id}/{use_case}")).into()
}

/// A risk window of a forecast.
pub(crate) fn risk_window_id(
    forecast: ForecastId,
    rule: &str,
    series: &SeriesId,
    start: DateTime<Utc>,
) -> RiskWindowId {
    derived(
        forecast.as_uuid(),
        &format!("window/{rule}/{}/{series}", start.timestamp()),
    )
    .into()
}

/// The audit event of a forecast's issue.
pub(crate) fn issued_event_id(forecast: ForecastId) -> Uuid {
    derived(forecast.as_uuid(), "audit/forecast.issued")
}

/// The audit event of a forecast's withdrawal.
pub(crate) fn withdrawn_event_id(forecast: ForecastId) -> Uuid {
    derived(forecast.as_uuid(), "audit/forecast.withdrawn")
}

/// The key of one row in the workspace: the same hour of the same series of the same forecast.
pub(crate) fn row_key(forecast: ForecastId, series: &SeriesId, hour: DateTime<Utc>) -> Uuid {
    derived(
        forecast.as_uuid(),
        &format!("row/{}/{series}", hour.timestamp()),
    )
}

fn derived(namespace: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&namespace, name.as_bytes())
}
