//! What a panel model says about itself, and how fresh history becomes its inputs.
//!
//! Past events are taken out of the history first: counts are divided by what the regressors of
//! their hour are known to do (`PanelSchema::effects`).
//!
//! The state step: a model holds shapes (seasons, effects, spread); where the series stands *now*
//! comes in at scoring, computed here from the fresh history: the means of the last week and of the
//! last four, the quantiles of the last week, what every state candidate ([`StateStep`]) says when
//! it has run over the newest hours, and what the count mixture ([`CountForecaster`]) does. So hours
//! that arrive between two trainings move the forecast.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use foretide_domain::{LEVELS, SeriesId};
use serde::{Deserialize, Serialize};

use crate::candidate::CandidateKind;
use crate::candidates::{Horizon, LocalHistory, Parts, STATE_CANDIDATES, StateStep};
use crate::counts::{CountForecast, CountForecaster};
use crate::effects::{Effects, RegressorRange};
use crate::error::ForecastError;
use crate::intervals::{HORIZON_BANDS, horizon_band};
use crate::panel::ScoringFrame;
use crate::risk::WindowSpread;
use crate::statistics::{mean, quantiles_of_sorted};
use crate::trees::{self, TreesHistory, TreesSeries};
use crate::vetting::Vetting;
use crate::week::HOURS_OF_WEEK;

/// Names of the drivers every model has, in the order in which they stand; the regressors follow.
pub const RESERVED_DRIVERS: [&str; 6] = [
    "level",
    "trend",
    "daily_season",
    "weekly_season",
    "recent_level",
    "bounds",
];

/// Version of the input and output signature. A model with another one is refused.
pub const SIGNATURE: &str = "foretide.panel.v6";

/// Hours of fresh history that are of use at scoring: eight weeks.
pub const STATE_HOURS: usize = 8 * HOURS_OF_WEEK;

/// Hours that the level of a month is the mean of: four weeks.
const MONTH_HOURS: usize = 4 * HOURS_OF_WEEK;

/// What a panel model says about itself. Travels with the ONNX artefact as metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PanelSchema {
    /// Signature of inputs and outputs: [`SIGNATURE`].
    pub signature: String,
    /// The series, in the order of their indices.
    pub series: Vec<SeriesId>,
    /// The champion of each series.
    pub kinds: Vec<CandidateKind>,
    /// Plain words about each series for the reader.
    pub notes: Vec<String>,
    /// Whether a series has too little history to promise anything.
    pub learning: Vec<bool>,
    /// The hour after the last one trained on. Time is counted in days from here.
    pub origin: DateTime<Utc>,
    /// Most hours ahead the model was calibrated for.
    pub horizon_hours: usize,
    /// Names of the regressors, in the order of their columns.
    pub regressors: Vec<String>,
    /// Ranges of the regressors in training.
    pub regressor_ranges: Vec<RegressorRange>,
    /// For each series, the logarithm of the factor of one unit of each regressor.
    pub effects: Vec<Vec<f64>>,
    /// Names of the drivers, in the order of their columns: [`RESERVED_DRIVERS`], then regressors.
    pub drivers: Vec<String>,
    /// Hours of fresh history to bring to scoring. At least a week is needed.
    pub history_hours_needed: usize,
    /// Parameters of the state step of each series.
    pub states: Vec<StateStep>,
    /// The count mixture of each series that it has a share in.
    pub counts: Vec<Option<CountForecaster>>,
    /// Whether the model has trees, so that its rows need features.
    pub trees: bool,
    /// For each series, how far window sums fell from what was expected in the backtest.
    pub window_spreads: Vec<Vec<WindowSpread>>,
    /// What is believed of the history of each series.
    pub vettings: Vec<Vetting>,
}

/// Rows for a panel model: one for each series of a frame and each hour ahead, series by series.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelInputs {
    /// Index of the series in the schema.
    pub series: Vec<i64>,
    /// Days from the schema's origin to the hour forecast.
    pub days: Vec<f64>,
    /// Days from the schema's origin to the start of the frame.
    pub issue_days: Vec<f64>,
    /// Local hour of the week of the hour forecast.
    pub hour_of_week: Vec<i64>,
    /// Regressor values, row by row.
    pub regressors: Vec<f64>,
    /// [`crate::horizon_band`] of the hour forecast.
    pub band: Vec<i64>,
    /// Parts of the point of each of [`STATE_CANDIDATES`], row by row, candidate by candidate:
    /// level, trend, daily season, weekly season.
    pub state_parts: Vec<Parts>,
    /// What the count mixture says of the hour, nothing for a series that it has no share in; empty
    /// for a model where it has none at all.
    pub counts: Vec<CountForecast>,
    /// Rows of [`crate::trees::ROW_WIDTH`] columns; empty for a model without trees.
    pub features: Vec<f64>,
    /// Mean of the last 168 known hours.
    pub week_level: Vec<f64>,
    /// Mean of the last four known weeks.
    pub month_level: Vec<f64>,
    /// Quantiles of the last 168 known hours at the five levels.
    pub recent: Vec<[f64; 5]>,
}

impl PanelInputs {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.series.len()
    }

    /// The parts of all state candidates in a row.
    pub(crate) fn state_parts(&self, row: usize) -> &[Parts] {
        let width = STATE_CANDIDATES.len();
        &self.state_parts[row * width..(row + 1) * width]
    }

    /// Checks that every row fits a model of this schema.
    ///
    /// # Errors
    /// Names the column and row that does not.
    pub fn check(&self, schema: &PanelSchema) -> Result<(), ForecastError> {
        let rows = self.rows();
        let columns = [
            ("days", self.days.len(), 1),
            ("issue_days", self.issue_days.len(), 1),
            ("hour_of_week", self.hour_of_week.len(), 1),
            ("regressors", self.regressors.len(), schema.regressors.len()),
            ("band", self.band.len(), 1),
            (
                "state_parts",
                self.state_parts.len(),
                STATE_CANDIDATES.len(),
            ),
            (
                "counts",
                self.counts.len(),
                usize::from(schema.has_counts()),
            ),
            ("features", self.features.len(), schema.feature_width()),
            ("week_level", self.week_level.len(), 1),
            ("month_level", self.month_level.len(), 1),
            ("recent", self.recent.len(), 1),
        ];
        for (column, got, width) in columns {
            if got != rows * width {
                let what = format!("input {column}");
                return Err(ForecastError::LengthMismatch {
                    what,
                    expected: rows * width,
                    got,
                });
            }
        }
        let series = i64::try_from(schema.series.len()).unwrap_or(i64::MAX);
        check_rows("series", &self.series, |index| (0..series).contains(index))?;
        check_rows("hour_of_week", &self.hour_of_week, |hour| {
            (0..168).contains(hour)
        })?;
        let bands = HORIZON_BANDS as i64;
        check_rows("band", &self.band, |band| (0..bands).contains(band))?;
        let is_finite = |parts: &Parts| parts.iter().all(|value| value.is_finite());
        check_rows("state_parts", &self.state_parts, is_finite)?;
        check_rows("counts", &self.counts, |hour| {
            let mut all = hour.parts.iter().chain(&hour.quantiles);
            all.all(|value| value.is_finite())
        })?;
        let numbers = [
            ("days", &self.days),
            ("issue_days", &self.issue_days),
            ("week_level", &self.week_level),
            ("month_level", &self.month_level),
        ];
        for (column, values) in numbers {
            check_rows(column, values, |value| value.is_finite())?;
        }
        check_rows("features", &self.features, |value| value.is_finite())?;
        check_rows("recent", &self.recent, |row| {
            row.iter().all(|value| value.is_finite())
        })?;
        check_rows("regressors", &self.regressors, |value| value.is_finite())
    }
}

fn check_rows<T>(
    column: &'static str,
    values: &[T],
    fits: impl Fn(&T) -> bool,
) -> Result<(), ForecastError> {
    let wrong = values.iter().position(|value| !fits(value));
    wrong.map_or(Ok(()), |row| Err(ForecastError::BadRow { column, row }))
}

impl PanelSchema {
    /// Turns a frame into rows: the state step of the module's story. A frame may hold any subset
    /// of the model's series.
    ///
    /// # Errors
    /// When the frame is malformed, holds a series or lacks a regressor the model does not know,
    /// or looks further ahead than the model was calibrated for.
    pub fn inputs(&self, frame: &ScoringFrame) -> Result<PanelInputs, ForecastError> {
        frame.validate()?;
        let (known, horizon) = (frame.history_hour_of_week.len(), frame.hour_of_week.len());
        if horizon > self.horizon_hours {
            return Err(ForecastError::HorizonTooLong {
                got: horizon,
                most: self.horizon_hours,
            });
        }
        let columns = self.regressor_columns(frame)?;
        let indices: HashMap<&SeriesId, i64> = self.series.iter().zip(0_i64..).collect();
        let issue_days = days_between(self.origin, frame.start);
        let since_training = (frame.start - self.origin).num_hours();
        let mut inputs = PanelInputs::with_capacity(frame.series.len() * horizon, columns.len());
        for series in &frame.series {
            let index = indices.get(&series.id).copied();
            let index = index.ok_or_else(|| ForecastError::UnknownSeries(series.id.clone()))?;
            let effects = self.effects_on(index as usize);
            let quiet = effects.without_events(&series.values, &columns);
            let (first, live) = self.vettings[index as usize].believed(&quiet, since_training);
            let live = Live {
                values: &live,
                hours: &frame.history_hour_of_week[first..],
                ahead: &frame.hour_of_week,
            };
            let recent = SeriesState::at_end(live.values);
            let paths = self.state_paths(index as usize, live);
            inputs.features.extend(self.features(live));
            inputs.counts.extend(self.count_path(index as usize, live));
            for (ahead, &hour_of_week) in frame.hour_of_week.iter().enumerate() {
                inputs.series.push(index);
                inputs.days.push(issue_days + ahead as f64 / 24.0);
                inputs.issue_days.push(issue_days);
                inputs.hour_of_week.push(i64::from(hour_of_week));
                inputs
                    .regressors
                    .extend(columns.iter().map(|values| values[known + ahead]));
                inputs.band.push(horizon_band(ahead + 1) as i64);
                inputs
                    .state_parts
                    .extend(paths.iter().map(|path| path[ahead]));
                inputs.week_level.push(recent.week_level);
                inputs.month_level.push(recent.month_level);
                inputs.recent.push(recent.recent);
            }
        }
        Ok(inputs)
    }

    /// What events do to a series.
    pub(crate) fn effects_on(&self, series: usize) -> Effects<'_> {
        Effects {
            per_unit: &self.effects[series],
            ranges: &self.regressor_ranges,
        }
    }

    /// Columns of features in a row.
    pub(crate) fn feature_width(&self) -> usize {
        if self.trees { trees::ROW_WIDTH } else { 0 }
    }

    /// Rows of features of the hours ahead.
    fn features(&self, live: Live<'_>) -> Vec<f64> {
        if !self.trees {
            return vec![];
        }
        let hours = [live.hours, live.ahead].concat();
        let history = TreesHistory::new(&TreesSeries {
            values: live.values,
            hour_of_week: &hours,
        });
        history.rows(live.values.len(), live.ahead.len())
    }

    /// What the state candidates of a series say about the hours ahead, candidate by candidate.
    fn state_paths(&self, index: usize, live: Live<'_>) -> Vec<Vec<Parts>> {
        let Live { values, hours, .. } = live;
        let first = hours.len().saturating_sub(STATE_HOURS);
        let local = LocalHistory::new(&values[first..], &hours[first..]);
        let horizon = Horizon::new(hours[hours.len() - 1], live.ahead);
        let paths = self.states[index].paths(&local, horizon.length);
        paths.iter().map(|path| horizon.pick(path)).collect()
    }

    /// Whether any series has a share of the count mixture.
    #[must_use]
    pub fn has_counts(&self) -> bool {
        self.counts.iter().any(Option::is_some)
    }

    /// What the count mixture of a series says about the hours ahead.
    fn count_path(&self, index: usize, live: Live<'_>) -> Vec<CountForecast> {
        if !self.has_counts() {
            return vec![];
        }
        let none = || vec![CountForecast::default(); live.ahead.len()];
        self.counts[index].as_ref().map_or_else(none, |counts| {
            counts.forecast(live.values, live.hours, live.ahead)
        })
    }

    fn regressor_columns<'a>(
        &self,
        frame: &'a ScoringFrame,
    ) -> Result<Vec<&'a [f64]>, ForecastError> {
        let find = |name: &String| {
            let found = frame
                .regressors
                .iter()
                .find(|regressor| regressor.name == *name);
            found
                .map(|regressor| regressor.values.as_slice())
                .ok_or_else(|| ForecastError::MissingRegressor(name.clone()))
        };
        self.regressors.iter().map(find).collect()
    }
}

impl PanelInputs {
    fn with_capacity(rows: usize, regressors: usize) -> Self {
        Self {
            series: Vec::with_capacity(rows),
            days: Vec::with_capacity(rows),
            issue_days: Vec::with_capacity(rows),
            hour_of_week: Vec::with_capacity(rows),
            regressors: Vec::with_capacity(rows * regressors),
            band: Vec::with_capacity(rows),
            counts: Vec::new(),
            features: Vec::new(),
            state_parts: Vec::with_capacity(rows * STATE_CANDIDATES.len()),
            week_level: Vec::with_capacity(rows),
            month_level: Vec::with_capacity(rows),
            recent: Vec::with_capacity(rows),
        }
    }
}

/// The hours of a fresh history that are believed, with those of the week they and the hours ahead
/// lie in.
#[derive(Clone, Copy)]
struct Live<'a> {
    values: &'a [f64],
    hours: &'a [u8],
    ahead: &'a [u8],
}

/// Where a series stands when a forecast is issued.
pub(crate) struct SeriesState {
    pub(crate) week_level: f64,
    pub(crate) month_level: f64,
    pub(crate) recent: [f64; 5],
}

impl SeriesState {
    /// From a whole history, of which the last four weeks count.
    pub(crate) fn at_end(values: &[f64]) -> Self {
        let values = &values[values.len().saturating_sub(MONTH_HOURS)..];
        let week = &values[values.len().saturating_sub(HOURS_OF_WEEK)..];
        let mut sorted = week.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            week_level: mean(week),
            month_level: mean(values),
            recent: quantiles_of_sorted(&sorted, LEVELS),
        }
    }
}

pub(crate) fn days_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_seconds() as f64 / 86_400.0
}
