//! Forecasts at many moments of many histories, as a backtest or a command line asks for them.
//!
//! Every series has its own start and length. An [`Origin`] names a series and how many of its hours
//! are known; nothing after them is looked at.

mod check;
mod grove;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use foretide_domain::{HOUR, SeriesId};

use crate::candidate::CandidateKind;
use crate::contest::TreesAsOf;
use crate::error::ForecastError;
use crate::model::{PanelModel, served_weights};
use crate::panel::{PanelSeries, Regressor, ScoringFrame, TrainingPanel};
use crate::schema::STATE_HOURS;
use crate::train::{Given, TrainOptions, train_with};
use check::check;
use grove::{Grove, trees_hours};

/// One series with its own clock: no gaps, one finite non-negative value an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct HourlyHistory {
    /// Its name.
    pub id: SeriesId,
    /// Its first hour.
    pub start: DateTime<Utc>,
    /// One value an hour, oldest first.
    pub values: Vec<f64>,
}

/// A quantity known for past and future hours alike, shared by all series. It must cover every
/// history in use and the horizon after every origin.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressorTrack {
    /// Its name, which is also the name of its driver.
    pub name: String,
    /// Its first hour.
    pub start: DateTime<Utc>,
    /// One finite value an hour.
    pub values: Vec<f64>,
}

/// A moment at which a forecast is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index of the series in the list of histories.
    pub series: usize,
    /// How many of its hours are known; the forecast begins with the next one.
    pub known_hours: usize,
}

/// How to forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingOptions {
    /// Hours ahead: 1 to 336.
    pub horizon_hours: usize,
    /// Threads, at least 1. The result does not depend on it.
    pub threads: usize,
    /// Hours for which fitted parameters are kept while new hours only move the state. `None`
    /// fits at each origin.
    pub refit_every_hours: Option<usize>,
    /// The candidates that may take part; empty: all. For ablations.
    pub candidates: Vec<CandidateKind>,
}

impl Default for RollingOptions {
    fn default() -> Self {
        Self {
            horizon_hours: 72,
            threads: 1,
            refit_every_hours: None,
            candidates: Vec::new(),
        }
    }
}

/// What is foreseen from one origin.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginForecast {
    /// Index of the series in the list of histories.
    pub series: usize,
    /// How many of its hours were known.
    pub known_hours: usize,
    /// First hour foreseen.
    pub start: DateTime<Utc>,
    /// Expected values, one an hour.
    pub mean: Vec<f64>,
    /// Quantiles at [`foretide_domain::LEVELS`]: never negative, never crossing.
    pub quantiles: Vec<[f64; 5]>,
    /// Additive parts of the mean, hour by hour in the order of `driver_names`. In every hour they
    /// sum to the mean.
    pub drivers: Vec<f64>,
    /// Names of the drivers.
    pub driver_names: Vec<String>,
    /// What each candidate weighs; the weights sum to one.
    pub weights: Vec<(CandidateKind, f64)>,
    /// Plain words for the reader.
    pub note: String,
    /// Whether there is too little history to promise anything.
    pub learning: bool,
}

/// Forecasts from every origin, in the order of `origins`.
///
/// `hour_of_week` gives the local hour of the week (0 = Monday 00:00) that an hour lies in.
/// `progress` hears (origins done, origins in all), from any thread.
///
/// # Errors
/// When a history, a regressor, an origin or an option is malformed, or too short.
pub fn forecast_origins(
    histories: &[HourlyHistory],
    hour_of_week: &(dyn Fn(DateTime<Utc>) -> u8 + Sync),
    regressors: &[RegressorTrack],
    origins: &[Origin],
    options: &RollingOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<OriginForecast>, ForecastError> {
    check(histories, regressors, origins, options)?;
    let work = Work {
        histories,
        hour_of_week,
        regressors,
        options,
    };
    let batches = batches(origins, options);
    let firsts: Vec<Origin> = batches.iter().map(|batch| origins[batch[0]]).collect();
    let grove = work.grove(&firsts);
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(origins.len()));
    std::thread::scope(|scope| {
        let run = || {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let forecasts = work.forecast_batch(&grove, origins, batch);
                let finished = done.fetch_add(batch.len(), Ordering::Relaxed) + batch.len();
                progress(finished, origins.len());
                let mut results = results.lock().expect("no thread panics while it holds it");
                results.push((batch[0], forecasts));
            }
        };
        for _ in 1..options.threads.min(batches.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut results = results
        .into_inner()
        .expect("no thread panics while it holds it");
    // The first error in the order of the origins, however the threads ran.
    results.sort_by_key(|(first, _)| *first);
    let mut forecasts = Vec::with_capacity(origins.len());
    for (_, batch) in results {
        forecasts.extend(batch?);
    }
    forecasts.sort_by_key(|(position, _)| *position);
    Ok(forecasts
        .into_iter()
        .map(|(_, forecast)| forecast)
        .collect())
}

/// Positions of origins that share one fit: same series, within the hours a fit is kept.
fn batches(origins: &[Origin], options: &RollingOptions) -> Vec<Vec<usize>> {
    let mut by_series: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, origin) in origins.iter().enumerate() {
        by_series.entry(origin.series).or_default().push(position);
    }
    let kept_for = options.refit_every_hours.unwrap_or(1);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for mut positions in by_series.into_values() {
        positions.sort_by_key(|&position| origins[position].known_hours);
        let mut fitted_at = None;
        for position in positions {
            let known = origins[position].known_hours;
            match (fitted_at, batches.last_mut()) {
                (Some(at), Some(batch)) if known - at < kept_for => batch.push(position),
                _ => {
                    fitted_at = Some(known);
                    batches.push(vec![position]);
                }
            }
        }
    }
    batches
}
struct Work<'a> {
    histories: &'a [HourlyHistory],
    hour_of_week: &'a (dyn Fn(DateTime<Utc>) -> u8 + Sync),
    regressors: &'a [RegressorTrack],
    options: &'a RollingOptions,
}

impl Work<'_> {
    fn forecast_batch(
        &self,
        grove: &Grove,
        origins: &[Origin],
        batch: &[usize],
    ) -> Result<Vec<(usize, OriginForecast)>, ForecastError> {
        let first = origins[batch[0]];
        let model = self.fit(grove, first)?;
        batch
            .iter()
            .map(|&position| Ok((position, self.forecast(&model, origins[position])?)))
            .collect()
    }

    fn hours_of_week(&self, start: DateTime<Utc>, hours: usize) -> Vec<u8> {
        (0..hours)
            .map(|hour| (self.hour_of_week)(start + HOUR * hour as i32))
            .collect()
    }

    fn regressors_over(&self, start: DateTime<Utc>, hours: usize) -> Vec<Regressor> {
        let cut = |track: &RegressorTrack| {
            let from = (start - track.start).num_hours() as usize;
            Regressor {
                name: track.name.clone(),
                values: track.values[from..from + hours].to_vec(),
            }
        };
        self.regressors.iter().map(cut).collect()
    }

    fn fit(&self, grove: &Grove, origin: Origin) -> Result<PanelModel, ForecastError> {
        let history = &self.histories[origin.series];
        let panel = TrainingPanel {
            start: history.start,
            hour_of_week: self.hours_of_week(history.start, origin.known_hours),
            regressors: self.regressors_over(history.start, origin.known_hours),
            series: vec![PanelSeries {
                id: history.id.clone(),
                values: history.values[..origin.known_hours].to_vec(),
            }],
        };
        let options = TrainOptions {
            horizon_hours: self.options.horizon_hours,
            trees: false,
            candidates: self.options.candidates.clone(),
            ..TrainOptions::default()
        };
        let moment = |hours: usize| history.start + HOUR * hours as i32;
        let (early, late) = self.learning_ends(origin);
        let trees_for = |&hours: &usize| {
            let model = grove.trees_as_of(moment(hours))?;
            Some(TreesAsOf { hours, model })
        };
        let trees: Vec<TreesAsOf<'_>> = trees_hours(origin).iter().filter_map(trees_for).collect();
        let given = Given {
            early: &trees,
            late: grove.trees_as_of(late),
            early_counts: grove.counts_as_of(early),
            late_counts: grove.counts_as_of(late),
        };
        Ok(train_with(&panel, &options, Some(given), &mut |_, _| {})?.model)
    }

    fn forecast(
        &self,
        model: &PanelModel,
        origin: Origin,
    ) -> Result<OriginForecast, ForecastError> {
        let history = &self.histories[origin.series];
        let known = origin.known_hours.saturating_sub(STATE_HOURS);
        let start = history.start + HOUR * origin.known_hours as i32;
        let first = history.start + HOUR * known as i32;
        let hours = origin.known_hours - known + self.options.horizon_hours;
        let frame = ScoringFrame {
            start,
            hour_of_week: self.hours_of_week(start, self.options.horizon_hours),
            history_hour_of_week: self.hours_of_week(first, origin.known_hours - known),
            regressors: self.regressors_over(first, hours),
            series: vec![PanelSeries {
                id: history.id.clone(),
                values: history.values[known..origin.known_hours].to_vec(),
            }],
        };
        let prediction = model.predict(&model.schema.inputs(&frame)?)?;
        Ok(OriginForecast {
            series: origin.series,
            known_hours: origin.known_hours,
            start,
            mean: prediction.mean,
            quantiles: prediction.quantiles,
            drivers: prediction.drivers,
            driver_names: model.schema.drivers.clone(),
            weights: served_weights(&model.series[0].weights),
            note: model.schema.notes[0].clone(),
            learning: model.schema.learning[0],
        })
    }
}
