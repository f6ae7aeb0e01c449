//! Runs the engine over a file, a bounded batch of series at a time.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use anyhow::Context;
use foretide_domain::{Dimension, SeriesId, UseCaseId};
use foretide_forecasting::{
    CandidateKind, HourlyHistory, Origin, OriginForecast, RollingOptions, forecast_origins,
};
use foretide_series_files::HourlySeries;
use indicatif::ProgressBar;

use crate::arguments::{EngineArgs, Season};
use crate::inputs::Inputs;
use crate::terminal::{Screen, progress_bar, table};

/// Hours of history that a batch holds at most, unless one series has more.
const BATCH_HOURS: usize = 1_000_000;

/// Forecast hours that a batch holds at most, unless one series has more.
const BATCH_FORECAST_HOURS: usize = 50_000;

/// One forecast with the series it is of.
pub(crate) struct Served<'a> {
    pub(crate) id: &'a str,
    pub(crate) history: &'a HourlyHistory,
    pub(crate) forecast: OriginForecast,
}

/// Forecasts all series from the moments that `origins_of` gives, and hands each forecast on.
pub(crate) fn forecast_all(
    inputs: &Inputs,
    engine: &EngineArgs,
    expected: usize,
    origins_of: &mut dyn FnMut(&HourlySeries) -> anyhow::Result<Vec<usize>>,
    each: &mut dyn FnMut(Served<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = progress_bar(expected);
    let mut batch = Batch::new(engine)?;
    inputs.history.for_each::<anyhow::Error>(&mut |series| {
        let known = origins_of(&series)?;
        if !known.is_empty() {
            batch.add(series, &known);
        }
        if batch.is_full() {
            batch.run(inputs, &bar, each)?;
        }
        Ok(())
    })?;
    batch.run(inputs, &bar, each)?;
    bar.finish_and_clear();
    Ok(())
}

/// Threads to use.
pub(crate) fn threads(jobs: Option<NonZeroUsize>) -> usize {
    jobs.or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

struct Batch {
    options: RollingOptions,
    season: Season,
    use_case: UseCaseId,
    names: Vec<String>,
    histories: Vec<HourlyHistory>,
    origins: Vec<Origin>,
    hours: usize,
}

impl Batch {
    fn new(engine: &EngineArgs) -> anyhow::Result<Self> {
        Ok(Self {
            options: RollingOptions {
                horizon_hours: usize::from(engine.horizon),
                threads: threads(engine.jobs),
                refit_every_hours: engine.refit_every.map(NonZeroUsize::get),
                candidates: engine.season.candidates(),
            },
            season: engine.season,
            use_case: "file".parse().context("the name of a use case")?,
            names: Vec::new(),
            histories: Vec::new(),
            origins: Vec::new(),
            hours: 0,
        })
    }

    fn add(&mut self, series: HourlySeries, known: &[usize]) {
        let place = self.histories.len();
        self.hours += series.values.len();
        self.origins.extend(known.iter().map(|known_hours| Origin {
            series: place,
            known_hours: *known_hours,
        }));
        self.histories.push(HourlyHistory {
            id: SeriesId::of(
                self.use_case.clone(),
                [(Dimension::Product, series.id.clone())],
            ),
            start: series.start,
            values: series.values,
        });
        self.names.push(series.id);
    }

    fn is_full(&self) -> bool {
        self.hours >= BATCH_HOURS
            || self.origins.len() * self.options.horizon_hours >= BATCH_FORECAST_HOURS
    }

    fn run(
        &mut self,
        inputs: &Inputs,
        bar: &ProgressBar,
        each: &mut dyn FnMut(Served<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (names, histories) = (
            std::mem::take(&mut self.names),
            std::mem::take(&mut self.histories),
        );
        let origins = std::mem::take(&mut self.origins);
        self.hours = 0;
        if origins.is_empty() {
            return Ok(());
        }
        let before = bar.position();
        let forecasts = forecast_origins(
            &histories,
            &|hour| self.season.told(inputs.calendar.hour_of_week(hour)),
            &inputs.regressors,
            &origins,
            &self.options,
            &|done, _| bar.set_position(before + done as u64),
        )?;
        for forecast in forecasts {
            each(Served {
                id: &names[forecast.series],
                history: &histories[forecast.series],
                forecast,
            })?;
        }
        Ok(())
    }
}

/// The candidate that carries most of a forecast.
pub(crate) fn carried_by(forecast: &OriginForecast) -> Option<CandidateKind> {
    forecast
        .weights
        .iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(kind, _)| *kind)
}

/// What carried the forecasts of a run.
#[derive(Default)]
pub(crate) struct Carried {
    by_candidate: BTreeMap<CandidateKind, (usize, f64)>,
    forecasts: usize,
    no_season: usize,
    learning: usize,
}

impl Carried {
    pub(crate) fn add(&mut self, forecast: &OriginForecast) {
        self.forecasts += 1;
        self.no_season += usize::from(forecast.note.contains("no learnable season"));
        self.learning += usize::from(forecast.learning);
        if let Some(kind) = carried_by(forecast) {
            self.by_candidate.entry(kind).or_default().0 += 1;
        }
        for (kind, weight) in &forecast.weights {
            self.by_candidate.entry(*kind).or_default().1 += weight;
        }
    }

    pub(crate) fn forecasts(&self) -> usize {
        self.forecasts
    }

    /// Candidates by how many forecasts they carried, most first.
    pub(crate) fn ranked(&self) -> Vec<(CandidateKind, usize, f64)> {
        let mut ranked: Vec<_> = self
            .by_candidate
            .iter()
            .map(|(kind, (count, weight))| (*kind, *count, weight / self.forecasts.max(1) as f64))
            .collect();
        ranked.sort_by(|a, b| (b.1, b.2).partial_cmp(&(a.1, a.2)).unwrap_or(a.0.cmp(&b.0)));
        ranked
    }

    pub(crate) fn print(&self, screen: Screen) {
        let rows = self.ranked().into_iter().map(|(kind, count, weight)| {
            vec![
                kind.to_string(),
                count.to_string(),
                format!("{:.0}%", 100.0 * weight),
            ]
        });
        screen.say(table(&["candidate", "carried", "mean weight"], rows));
        screen.say(format_args!(
            "no learnable season: {} of {}",
            self.no_season, self.forecasts
        ));
        if self.learning > 0 {
            screen.say(format_args!(
                "still learning (under 60 days): {} of {}",
                self.learning, self.forecasts
            ));
        }
    }
}
