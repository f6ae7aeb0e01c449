//! Trains a panel: every candidate of every series, a backtest, a champion, its calibration.

use foretide_domain::SeriesId;

use crate::backtest::{self, History};
use crate::calibration::Calibration;
use crate::candidate::{CandidateKind, CandidateScore};
use crate::climatology::Climatology;
use crate::error::ForecastError;
use crate::model::{PanelModel, SeriesParameters};
use crate::panel::{PanelSeries, TrainingPanel};
use crate::risk::WindowSpread;
use crate::schema::{PanelSchema, RESERVED_DRIVERS, SIGNATURE, STATE_HOURS};
use crate::seasonal_naive;
use crate::spread::PartSpread;
use crate::structural::{Design, Link, SeasonBasis, Structural, fit};
use crate::trial::{Training, Trial, is_prophet};
use crate::week::HOURS_OF_WEEK;

/// Hours of history without which nothing is promised at all: 14 days.
pub const FEWEST_HOURS: usize = 14 * 24;

/// Days of history until which a series is said to be learning.
pub const LEARNING_DAYS: usize = 60;

pub(crate) const LONGEST_HORIZON: usize = 336;

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Hours ahead the model is backtested and calibrated for: 1 to 336.
    pub horizon_hours: usize,
    /// Weekly trainings of the backtest: 1 to 12.
    pub folds: usize,
    /// Share by which a model must beat the better of seasonal naive and climatology: 0 to 0.5.
    pub margin: f64,
    /// Threads to train on, at least 1. The result does not depend on it.
    pub threads: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            horizon_hours: 72,
            folds: 4,
            margin: 0.02,
            threads: 1,
        }
    }
}

impl TrainOptions {
    fn check(&self) -> Result<(), ForecastError> {
        let refuse = |field, allowed, got: String| {
            Err(ForecastError::BadOption {
                field,
                allowed,
                got,
            })
        };
        if !(1..=LONGEST_HORIZON).contains(&self.horizon_hours) {
            return refuse(
                "horizon_hours",
                "from 1 to 336",
                self.horizon_hours.to_string(),
            );
        }
        if !(1..=12).contains(&self.folds) {
            return refuse("folds", "from 1 to 12", self.folds.to_string());
        }
        if !(0.0..=0.5).contains(&self.margin) {
            return refuse("margin", "from 0 to 0.5", self.margin.to_string());
        }
        if self.threads == 0 {
            return refuse("threads", "at least 1", "0".to_owned());
        }
        Ok(())
    }
}

/// What training found out about one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesReport {
    /// Which series.
    pub id: SeriesId,
    /// The candidate that is served.
    pub champion: CandidateKind,
    /// Backtest scores of the candidates that had enough history, calibrated as they would be
    /// served.
    pub scores: Vec<CandidateScore>,
    /// Plain words for the reader.
    pub note: String,
    /// Whether there is too little history to promise anything.
    pub learning: bool,
}

/// A trained panel and what was found out on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedPanel {
    /// The model.
    pub model: PanelModel,
    /// One report a series, in the panel's order.
    pub reports: Vec<SeriesReport>,
}

/// Trains all series of a panel. `progress` hears (series done, series in all) as they finish.
///
/// The same panel and options give the same model, bit for bit.
///
/// # Errors
/// When the panel is malformed or shorter than [`FEWEST_HOURS`], or an option is out of bounds.
pub fn train(
    panel: &TrainingPanel,
    options: &TrainOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TrainedPanel, ForecastError> {
    options.check()?;
    panel.validate()?;
    if panel.hours() < FEWEST_HOURS {
        return Err(ForecastError::TooShort {
            hours: panel.hours(),
            needed: FEWEST_HOURS,
        });
    }
    let basis = SeasonBasis::new();
    let course = Course::new(panel, options, &basis);
    let total = panel.series.len();
    let mut trained = Vec::with_capacity(total);
    for batch in panel.series.chunks(options.threads) {
        trained.extend(course.train_batch(batch));
        progress(trained.len(), total);
    }
    Ok(course.assemble(trained))
}

/// What all series of a panel share: the designs of the backtest's trainings and of the last one.
struct Course<'a> {
    panel: &'a TrainingPanel,
    options: &'a TrainOptions,
    /// One for each fold, newest first, then all hours at the end of the list.
    folds: Vec<Design<'a>>,
    all: Design<'a>,
}

struct TrainedSeries {
    parameters: SeriesParameters,
    report: SeriesReport,
    spreads: Vec<WindowSpread>,
}

impl<'a> Course<'a> {
    fn new(panel: &'a TrainingPanel, options: &'a TrainOptions, basis: &'a SeasonBasis) -> Self {
        let hours = panel.hours();
        let design = |hours| Design::new(basis, &panel.hour_of_week, &panel.regressors, hours);
        // A series that began late may spare more trainings than the panel as a whole.
        let most = (hours / HOURS_OF_WEEK - 1).min(options.folds);
        let folds = (1..=most)
            .map(|weeks_back| design(hours - weeks_back * HOURS_OF_WEEK))
            .collect();
        Self {
            panel,
            options,
            folds,
            all: design(hours),
        }
    }

    fn train_batch(&self, batch: &[PanelSeries]) -> Vec<TrainedSeries> {
        match batch {
            [single] => vec![self.train_series(single)],
            several => std::thread::scope(|scope| {
                let handles: Vec<_> = several
                    .iter()
                    .map(|series| scope.spawn(|| self.train_series(series)))
                    .collect();
                let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
                    handle
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                handles.into_iter().map(join).collect()
            }),
        }
    }

    fn train_series(&self, series: &PanelSeries) -> TrainedSeries {
        let onset = onset(&series.values);
        let trainings = self.trainings(&series.values, onset);
        let trials = self.trials(&series.values, &trainings);
        let champion = self.champion(&trials);
        let mut parameters = self.fit(&self.all, &series.values, onset).parameters;
        for trial in &trials {
            trial.variant.apply(&mut parameters);
        }
        parameters.weights[champion.score.kind.index()] = 1.0;
        parameters.calibration = backtest::calibration(&champion.paths);
        let active_days = (series.values.len() - onset).div_ceil(24);
        let report = SeriesReport {
            id: series.id.clone(),
            champion: champion.score.kind,
            note: self.note(&series.values, active_days, champion, &trials, &parameters),
            learning: active_days < LEARNING_DAYS,
            scores: trials.iter().map(|trial| trial.score.clone()).collect(),
        };
        let spreads = WindowSpread::learn(&champion.paths);
        TrainedSeries {
            parameters,
            report,
            spreads,
        }
    }

    /// The weekly trainings that the backtest of a series can use, newest first.
    fn trainings(&self, values: &[f64], onset: usize) -> Vec<Training> {
        let count = fold_count(values.len() - onset, self.options.folds);
        self.folds[..count]
            .iter()
            .map(|design| self.fit(design, values, onset))
            .collect()
    }

    fn fit(&self, design: &Design<'_>, values: &[f64], onset: usize) -> Training {
        let hour_of_week = &self.panel.hour_of_week;
        let (counts, hours) = (
            &values[onset..design.hours],
            &hour_of_week[onset..design.hours],
        );
        let naive = seasonal_naive::learn(counts, hours);
        let structural = |link| {
            let is_long = counts.len() >= STATE_HOURS;
            is_long
                .then(|| fit(link, design, values, hour_of_week, onset))
                .flatten()
        };
        let (additive, multiplicative) = (structural(Link::Identity), structural(Link::Log));
        let fitted = [
            naive.is_some(),
            true,
            additive.is_some(),
            multiplicative.is_some(),
        ];
        let absent = |link| Structural::absent(link, self.panel.regressors.len());
        let parameters = SeriesParameters {
            weights: [0.0; 4],
            seasonal_naive: naive.unwrap_or(PartSpread::NO_RESIDUALS),
            climatology: Climatology::learn(counts, hours),
            additive: additive.unwrap_or_else(|| absent(Link::Identity)),
            multiplicative: multiplicative.unwrap_or_else(|| absent(Link::Log)),
            calibration: Calibration::NONE,
        };
        Training {
            trained_to: design.hours,
            ranges: design.ranges.clone(),
            parameters,
            fitted,
        }
    }

    /// Backtests every candidate that all trainings could fit, in its best variant.
    fn trials(&self, values: &[f64], trainings: &[Training]) -> Vec<Trial> {
        let history = History {
            values,
            hour_of_week: &self.panel.hour_of_week,
            regressors: &self.panel.regressors,
            horizon: self.options.horizon_hours,
        };
        let could_be_fitted = |kind: &CandidateKind| {
            trainings
                .iter()
                .all(|training| training.fitted[kind.index()])
        };
        CandidateKind::ALL
            .into_iter()
            .filter(could_be_fitted)
            .map(|kind| Trial::of_best_variant(kind, trainings, &history))
            .collect()
    }

    /// The better of the two baselines, unless a model beats it by the margin.
    fn champion<'t>(&self, trials: &'t [Trial]) -> &'t Trial {
        let best = |is_model: bool| {
            trials
                .iter()
                .filter(|trial| is_prophet(trial.score.kind) == is_model)
                .min_by(|a, b| a.score.pinball.total_cmp(&b.score.pinball))
        };
        let baseline = best(false).expect("climatology fits any series");
        let needed = (1.0 - self.options.margin) * baseline.score.pinball;
        best(true)
            .filter(|model| model.score.pinball < needed)
            .unwrap_or(baseline)
    }

    fn note(
        &self,
        values: &[f64],
        active_days: usize,
        champion: &Trial,
        trials: &[Trial],
        parameters: &SeriesParameters,
    ) -> String {
        let served = match champion.score.kind {
            CandidateKind::Climatology if values.iter().all(|&value| value == 0.0) => {
                "nothing has happened yet: climatology is served".to_owned()
            }
            CandidateKind::Climatology if parameters.climatology.is_flat() => {
                "no learnable season: climatology is served".to_owned()
            }
            CandidateKind::Climatology => {
                "no model beats level and hour-of-week profile: climatology is served".to_owned()
            }
            CandidateKind::SeasonalNaive => {
                "no model beats the same hour of last week: seasonal naive is served".to_owned()
            }
            kind => {
                let baseline = trials
                    .iter()
                    .filter(|trial| !is_prophet(trial.score.kind))
                    .map(|trial| trial.score.pinball)
                    .fold(f64::INFINITY, f64::min);
                let gain = 100.0 * (1.0 - champion.score.pinball / baseline);
                format!("{kind} is served: pinball loss {gain:.0}% below the best baseline")
            }
        };
        if active_days >= LEARNING_DAYS {
            return served;
        }
        let days_left = LEARNING_DAYS - active_days;
        let end = self.panel.start + foretide_domain::HOUR * values.len() as i32;
        let until = (end + chrono::Duration::days(days_left as i64)).date_naive();
        format!("learning: {active_days} of {LEARNING_DAYS} days, until {until}; {served}")
    }

    fn assemble(&self, trained: Vec<TrainedSeries>) -> TrainedPanel {
        let panel = self.panel;
        let names: Vec<_> = panel.regressors.iter().map(|r| r.name.clone()).collect();
        let reserved = RESERVED_DRIVERS.iter().map(|&name| name.to_owned());
        let mut schema = PanelSchema {
            signature: SIGNATURE.to_owned(),
            series: panel
                .series
                .iter()
                .map(|series| series.id.clone())
                .collect(),
            kinds: Vec::new(),
            notes: Vec::new(),
            learning: Vec::new(),
            origin: panel.start + foretide_domain::HOUR * panel.hours() as i32,
            horizon_hours: self.options.horizon_hours,
            drivers: reserved.chain(names.iter().cloned()).collect(),
            regressors: names,
            history_hours_needed: STATE_HOURS.min(panel.hours()),
            window_spreads: Vec::new(),
        };
        let (mut series, mut reports) = (Vec::new(), Vec::new());
        for TrainedSeries {
            parameters,
            report,
            spreads,
        } in trained
        {
            schema.kinds.push(report.champion);
            schema.notes.push(report.note.clone());
            schema.learning.push(report.learning);
            schema.window_spreads.push(spreads);
            series.push(parameters);
            reports.push(report);
        }
        let model = PanelModel {
            schema,
            regressors: self.all.ranges.clone(),
            series,
        };
        TrainedPanel { model, reports }
    }
}

/// First hour at which anything happened, so that a product that came late is not thought silent
/// before; at least [`FEWEST_HOURS`] remain. Zero when nothing ever happened.
fn onset(values: &[f64]) -> usize {
    let first = values.iter().position(|&value| value > 0.0).unwrap_or(0);
    first.min(values.len() - FEWEST_HOURS)
}

/// Weekly trainings that a history of so many hours can spare: with five weeks or more the oldest
/// keeps four, with less it keeps two, with two it keeps one.
fn fold_count(hours: usize, wanted: usize) -> usize {
    let weeks = hours / HOURS_OF_WEEK;
    let spare = match weeks {
        5.. => weeks - 4,
        3 | 4 => weeks - 2,
        _ => 1,
    };
    spare.min(wanted)
}
