//! What a panel model says about itself, and how fresh history becomes its inputs.
//!
//! The state step: a model holds shapes (seasons, effects, spread); where the series stands *now*
//! comes in at scoring, computed here from the fresh history: the same hour of the newest known
//! week, the means of the last week and of the last four, and the quantiles of the last week. So
//! hours that arrive between two trainings move the forecast.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use foretide_domain::{LEVELS, SeriesId};
use serde::{Deserialize, Serialize};

use crate::candidate::CandidateKind;
use crate::error::ForecastError;
use crate::panel::{PanelSeries, ScoringFrame};
use crate::risk::WindowSpread;
use crate::statistics::{mean, quantiles_of_sorted};
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
pub const SIGNATURE: &str = "foretide.panel.v1";

/// Hours of fresh history that are of use at scoring: four weeks.
pub const STATE_HOURS: usize = 4 * HOURS_OF_WEEK;

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
    /// Names of the drivers, in the order of their columns: [`RESERVED_DRIVERS`], then regressors.
    pub drivers: Vec<String>,
    /// Hours of fresh history to bring to scoring. At least a week is needed.
    pub history_hours_needed: usize,
    /// For each series, how far window sums fell from what was expected in the backtest.
    pub window_spreads: Vec<Vec<WindowSpread>>,
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
    /// Count at the same hour of the newest known week.
    pub lag_week: Vec<f64>,
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
            ("lag_week", self.lag_week.len(), 1),
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
        let numbers = [
            ("days", &self.days),
            ("issue_days", &self.issue_days),
            ("lag_week", &self.lag_week),
            ("week_level", &self.week_level),
            ("month_level", &self.month_level),
        ];
        for (column, values) in numbers {
            check_rows(column, values, |value| value.is_finite())?;
        }
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
        let horizon = frame.hour_of_week.len();
        if horizon > self.horizon_hours {
            return Err(ForecastError::HorizonTooLong {
                got: horizon,
                most: self.horizon_hours,
            });
        }
        let columns = self.regressor_columns(frame)?;
        let indices: HashMap<&SeriesId, i64> = self.series.iter().zip(0_i64..).collect();
        let issue_days = days_between(self.origin, frame.start);
        let mut inputs = PanelInputs::with_capacity(frame.series.len() * horizon, columns.len());
        for series in &frame.series {
            let index = indices.get(&series.id).copied();
            let index = index.ok_or_else(|| ForecastError::UnknownSeries(series.id.clone()))?;
            let state = SeriesState::of(series, &frame.history_hour_of_week);
            for (ahead, &hour_of_week) in frame.hour_of_week.iter().enumerate() {
                inputs.series.push(index);
                inputs.days.push(issue_days + ahead as f64 / 24.0);
                inputs.issue_days.push(issue_days);
                inputs.hour_of_week.push(i64::from(hour_of_week));
                inputs
                    .regressors
                    .extend(columns.iter().map(|values| values[ahead]));
                inputs
                    .lag_week
                    .push(state.same_hour[usize::from(hour_of_week)]);
                inputs.week_level.push(state.week_level);
                inputs.month_level.push(state.month_level);
                inputs.recent.push(state.recent);
            }
        }
        Ok(inputs)
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
            lag_week: Vec::with_capacity(rows),
            week_level: Vec::with_capacity(rows),
            month_level: Vec::with_capacity(rows),
            recent: Vec::with_capacity(rows),
        }
    }
}

/// Where a series stands when a forecast is issued.
pub(crate) struct SeriesState {
    pub(crate) same_hour: [f64; HOURS_OF_WEEK],
    pub(crate) week_level: f64,
    pub(crate) month_level: f64,
    pub(crate) recent: [f64; 5],
}

impl SeriesState {
    /// From a whole history, of which the last four weeks count.
    fn of(series: &PanelSeries, hour_of_week: &[u8]) -> Self {
        Self::at_end(&series.values, hour_of_week)
    }

    pub(crate) fn at_end(values: &[f64], hour_of_week: &[u8]) -> Self {
        let known = values.len().saturating_sub(STATE_HOURS);
        let (values, hour_of_week) = (&values[known..], &hour_of_week[known..]);
        let week = &values[values.len().saturating_sub(HOURS_OF_WEEK)..];
        let week_level = mean(week);
        let mut same_hour = [week_level; HOURS_OF_WEEK];
        for (&hour, &value) in hour_of_week.iter().zip(values) {
            same_hour[usize::from(hour)] = value;
        }
        let mut sorted = week.to_vec();
        sorted.sort_by(f64::total_cmp);
        let recent = quantiles_of_sorted(&sorted, LEVELS);
        Self {
            same_hour,
            week_level,
            month_level: mean(values),
            recent,
        }
    }
}

pub(crate) fn days_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_seconds() as f64 / 86_400.0
}
