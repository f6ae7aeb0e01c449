//! Trains a panel: every candidate of every series, rolling forecasts inside the history, an ensemble
//! where it pays, its intervals.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use foretide_domain::SeriesId;

use self::learners::{early_trees, structurals, trees};
use crate::candidate::{CandidateKind, CandidateScore};
use crate::candidates::{LocalHistory, StateStep};
use crate::climatology::Climatology;
use crate::contest::{
    self, Decision, History, Structurals, TreesAsOf, blank, fit_days, origin_days,
};
use crate::counts::{CountForecaster, CountPrior, level_shift};
use crate::coverage::Coverage;
use crate::effects::{PanelEvents, whole_again};
use crate::error::ForecastError;
use crate::model::{PanelModel, SeriesParameters};
use crate::notes;
use crate::panel::TrainingPanel;
use crate::risk::WindowSpread;
use crate::schema::{PanelSchema, RESERVED_DRIVERS, SIGNATURE, STATE_HOURS};
use crate::structural::{Design, SeasonBasis};
use crate::trees::TreesModel;
use crate::vetting::{VettedPanel, onset, vetted};

mod learners;

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
    /// Share by which the ensemble must beat the better of seasonal naive and climatology: 0 to 0.5.
    pub margin: f64,
    /// Whether trees are learned from all series together.
    pub trees: bool,
    /// The candidates that may take part; empty: all. For ablations.
    pub candidates: Vec<CandidateKind>,
    /// Threads to train on, at least 1. The result does not depend on it.
    pub threads: usize,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            horizon_hours: 72,
            margin: 0.0,
            trees: true,
            candidates: Vec::new(),
            threads: 1,
        }
    }
}

impl TrainOptions {
    /// Whether a candidate may take part.
    pub(crate) fn allows(&self, kind: CandidateKind) -> bool {
        self.candidates.is_empty() || self.candidates.contains(&kind)
    }

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
    /// What is served: the ensemble, or a baseline that it does not beat.
    pub champion: CandidateKind,
    /// What each candidate weighs in what is served; they sum to one.
    pub weights: Vec<(CandidateKind, f64)>,
    /// Backtest scores of the ensemble, the baselines, and the candidates that weigh something,
    /// calibrated as they would be served.
    pub scores: Vec<CandidateScore>,
    /// How often the intervals held in the backtest, by horizon and weekday.
    pub coverage: Coverage,
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
    train_with(panel, options, None, progress)
}

/// Learned elsewhere, from more series than are trained here.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    /// Trees as of several moments before the end of training, for the origins after each.
    pub(crate) early: &'a [TreesAsOf<'a>],
    /// Trees as of the end of training.
    pub(crate) late: Option<&'a TreesModel>,
    /// What series of counts have in common, as of before the first origin of any series.
    pub(crate) early_counts: Option<&'a CountPrior>,
    /// The same as of the end of training.
    pub(crate) late_counts: Option<&'a CountPrior>,
}

/// Trains with trees of this panel, or with given ones.
pub(crate) fn train_with(
    panel: &TrainingPanel,
    options: &TrainOptions,
    given: Option<Given<'_>>,
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
    let vetted = vetted(panel);
    let course = Course::new(&vetted, options, given, &basis);
    let trained = course.train_all(progress);
    Ok(course.assemble(trained))
}

/// What all series of a panel share: the designs of the Prophet kinds as of each fit before the
/// end, and of all hours.
struct Course<'a> {
    /// Without absurd hours.
    panel: &'a TrainingPanel,
    vetted: &'a VettedPanel<'a>,
    options: &'a TrainOptions,
    early: Vec<Design<'a>>,
    all: Design<'a>,
    /// What events did before the first origin of each series.
    events_before: PanelEvents,
    /// What they did in all hours.
    events: PanelEvents,
    /// As of before the first origin of any series, and later; with the hours seen.
    trees: Vec<(usize, TreesModel)>,
    given: Option<Given<'a>>,
    /// What series of counts borrow from the others, as of before the first origin of any series.
    early_counts: CountPrior,
    /// The same as of the end of training.
    late_counts: CountPrior,
}

struct TrainedSeries {
    parameters: SeriesParameters,
    state: StateStep,
    counts: Option<CountForecaster>,
    report: SeriesReport,
    spreads: Vec<WindowSpread>,
}

impl<'a> Course<'a> {
    fn new(
        vetted: &'a VettedPanel<'a>,
        options: &'a TrainOptions,
        given: Option<Given<'a>>,
        basis: &'a SeasonBasis,
    ) -> Self {
        let panel = vetted.panel.as_ref();
        let hours = panel.hours();
        let design = |hours| Design::new(basis, &panel.hour_of_week, &[], hours);
        let mut days: Vec<usize> = panel
            .series
            .iter()
            .flat_map(|series| fit_days(hours - onset(&series.values)))
            .copied()
            .collect();
        days.sort_unstable();
        days.dedup();
        let counts_until = |events: &PanelEvents, hours| {
            let prior = || panel.counts_in_common(events, hours);
            let is_wanted = options.allows(CandidateKind::CountMixture);
            is_wanted.then(prior).unwrap_or_default()
        };
        let threads = options.threads;
        let before_origins = |hours: usize, onset: usize| hours - 24 * origin_days(hours - onset);
        let events_before = PanelEvents::learn(panel, basis, threads, before_origins);
        let events = PanelEvents::learn(panel, basis, threads, |hours, _| hours);
        Self {
            panel,
            vetted,
            options,
            trees: match given {
                Some(_) => vec![],
                None => early_trees(panel, &events_before, options),
            },
            given,
            early_counts: match given {
                Some(given) => given.early_counts.cloned().unwrap_or_default(),
                None => counts_until(&events_before, hours - 24 * days.last().unwrap_or(&0)),
            },
            late_counts: match given {
                Some(given) => given.late_counts.cloned().unwrap_or_default(),
                None => counts_until(&events, hours),
            },
            early: days.iter().map(|days| design(hours - 24 * days)).collect(),
            all: design(hours),
            events_before,
            events,
        }
    }

    fn train_all(&self, progress: &mut dyn FnMut(usize, usize)) -> Vec<TrainedSeries> {
        let series = self.panel.series.len();
        let threads = self.options.threads.min(series);
        if threads == 1 {
            let train = |index| {
                let trained = self.train_series(index);
                progress(index + 1, series);
                trained
            };
            return (0..series).map(train).collect();
        }
        let next = AtomicUsize::new(0);
        let (finished, results) = mpsc::channel();
        std::thread::scope(|scope| {
            // Nobody waits for a slow series but the end.
            for _ in 0..threads {
                let (next, finished) = (&next, finished.clone());
                scope.spawn(move || {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= series {
                            break;
                        }
                        let trained = self.train_series(index);
                        finished
                            .send((index, trained))
                            .expect("results are read until all threads are done");
                    }
                });
            }
            drop(finished);
            let mut trained: Vec<Option<TrainedSeries>> = Vec::new();
            trained.resize_with(series, || None);
            for (done, (index, one)) in (1..).zip(results.iter()) {
                trained[index] = Some(one);
                progress(done, series);
            }
            trained.into_iter().flatten().collect()
        })
    }

    /// Trees for the origins of any series.
    fn trees_as_of(&self) -> Vec<TreesAsOf<'_>> {
        let own = self.trees.iter().map(|(hours, model)| TreesAsOf {
            hours: *hours,
            model,
        });
        let given = self.given.iter().flat_map(|given| given.early).copied();
        own.chain(given).collect()
    }

    fn train_series(&self, index: usize) -> TrainedSeries {
        let panel = self.panel;
        let series = &panel.series[index];
        let onset = onset(&series.values);
        let columns = panel.regressor_columns();
        let before = self.events_before.on(index);
        let quiet = before.without_events(&series.values, &columns);
        let history = History {
            values: &quiet,
            factors: &before.factors(&columns, panel.hours()),
            hour_of_week: &panel.hour_of_week,
            onset,
            horizon: self.options.horizon_hours,
        };
        let fit = |days: &usize| {
            let cut = panel.hours() - 24 * days;
            let early = self.early.iter().find(|design| design.hours == cut);
            let early = early.expect("every cut has a design");
            structurals(early, &quiet, onset, |_| true)
        };
        let fits: Vec<Structurals> = fit_days(panel.hours() - onset).iter().map(fit).collect();
        let decision = contest::decide(
            history,
            &fits,
            &self.trees_as_of(),
            &self.early_counts,
            self.options,
        );
        let quiet = self
            .events
            .on(index)
            .without_events(&series.values, &columns);
        let parameters = self.parameters(&quiet, onset, &decision);
        let local = LocalHistory::new(&quiet[onset..], &panel.hour_of_week[onset..]);
        let active_days = (series.values.len() - onset).div_ceil(24);
        let report = SeriesReport {
            id: series.id.clone(),
            champion: decision.champion,
            weights: decision.each_weight(),
            note: self.note(index, &quiet, &decision),
            learning: active_days < LEARNING_DAYS,
            coverage: decision.coverage(),
            scores: decision.scores,
        };
        TrainedSeries {
            parameters,
            counts: decision.counts.map(|counts| {
                let hours = &panel.hour_of_week[onset..];
                counts.reshaped(&quiet[onset..], hours, &self.late_counts)
            }),
            state: decision
                .early
                .refitted(&local, |kind| decision.weights[kind.index()] > 0.0),
            report,
            spreads: WindowSpread::learn(&decision.served),
        }
    }

    /// Everything fitted once more, to all hours, as far as it is served.
    fn parameters(&self, quiet: &[f64], onset: usize, decision: &Decision) -> SeriesParameters {
        let is_served = |kind: CandidateKind| decision.weights[kind.index()] > 0.0;
        let fitted = structurals(&self.all, quiet, onset, is_served);
        let blank = blank();
        let [additive_gain, multiplicative_gain] = decision.gains;
        let (additive, multiplicative) = (fitted.additive, fitted.multiplicative);
        SeriesParameters {
            weights: decision.weights,
            climatology: Climatology::learn(&quiet[onset..], &self.panel.hour_of_week[onset..])
                .with_variant(decision.climatology_variant),
            additive: additive.map_or(blank.additive, |model| model.with_gain(additive_gain)),
            multiplicative: multiplicative.map_or(blank.multiplicative, |model| {
                model.with_gain(multiplicative_gain)
            }),
            intervals: decision.intervals,
            climatology_share: decision.climatology_share,
            calibration: decision.calibration,
        }
    }

    fn note(&self, index: usize, quiet: &[f64], decision: &Decision) -> String {
        let onset = onset(&self.panel.series[index].values);
        let active_days = (quiet.len() - onset).div_ceil(24);
        let moment = |hours: usize| self.panel.start + foretide_domain::HOUR * hours as i32;
        let values = &self.panel.series[index].values;
        let live = values.len() - self.vetted.vettings[index].live_hours;
        let mut note = notes::what_is_served(&values[live..], decision);
        if let Some(absurd) = notes::left_out(&self.vetted.absurd[index], moment) {
            note = format!("{note}; {absurd}");
        }
        let whole = &whole_again(&self.panel.series[index].values, quiet)[onset..];
        if let Some(shift) = level_shift(whole, &self.panel.hour_of_week[onset..]) {
            let since = moment(quiet.len() - shift.hours);
            note = format!("{note}; {}", notes::shifted(shift, since));
        }
        if active_days >= LEARNING_DAYS {
            return note;
        }
        let days_left = LEARNING_DAYS - active_days;
        let end = moment(self.panel.hours());
        let until = (end + chrono::Duration::days(days_left as i64)).date_naive();
        format!("learning: {active_days} of {LEARNING_DAYS} days, until {until}; {note}")
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
            regressor_ranges: self.events.ranges(),
            effects: self.events.effects(),
            history_hours_needed: STATE_HOURS.min(panel.hours()),
            states: Vec::new(),
            counts: Vec::new(),
            trees: false,
            window_spreads: Vec::new(),
            vettings: self.vetted.vettings.clone(),
        };
        let (mut series, mut reports) = (Vec::new(), Vec::new());
        for TrainedSeries {
            parameters,
            state,
            counts,
            report,
            spreads,
        } in trained
        {
            schema.kinds.push(report.champion);
            schema.notes.push(report.note.clone());
            schema.learning.push(report.learning);
            schema.window_spreads.push(spreads);
            schema.states.push(state);
            schema.counts.push(counts);
            series.push(parameters);
            reports.push(report);
        }
        let is_wanted = series
            .iter()
            .any(|one: &SeriesParameters| one.weights[CandidateKind::Trees.index()] > 0.0);
        let learned = || match self.given {
            Some(given) => given.late.cloned(),
            None => trees(panel, &self.events, self.options, panel.hours()),
        };
        let trees = is_wanted.then(learned).flatten();
        schema.trees = trees.is_some();
        let model = PanelModel {
            schema,
            trees,
            series,
        };
        TrainedPanel { model, reports }
    }
}
