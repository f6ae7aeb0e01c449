//! What the commands read, checked before anything is computed.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use foretide_calendar::{Calendar, CalendarConfig, CalendarFeature, HOLIDAY_YEARS};
use foretide_forecasting::{FEWEST_HOURS, RESERVED_DRIVERS, RegressorTrack};
use foretide_series_files::{
    Cutoff, HistoryFile, HistoryOptions, HourlySeries, Needed, SeriesFileError, check_output,
    read_cutoffs, read_regressors,
};

use crate::arguments::{EngineArgs, HistoryArgs};
use crate::terminal::note;

/// A history and what belongs to it.
pub(crate) struct Inputs {
    pub(crate) history: HistoryFile,
    pub(crate) calendar: Calendar,
    pub(crate) regressors: Vec<RegressorTrack>,
    cutoffs: Option<HashMap<String, Vec<Cutoff>>>,
}

impl Inputs {
    /// Reads and checks everything.
    pub(crate) fn read(
        history: &HistoryArgs,
        engine: &EngineArgs,
        leave_out: bool,
    ) -> anyhow::Result<Self> {
        let options = HistoryOptions {
            leave_out,
            ..history.options()
        };
        let file = HistoryFile::open(&history.history, options.clone())?;
        if let Some(words) = file.described() {
            note(file.path(), &words);
        }
        let cutoffs = match &engine.cutoffs {
            Some(path) => Some(by_series(read_cutoffs(
                path,
                &file,
                options.clock,
                FEWEST_HOURS,
            )?)),
            None => None,
        };
        let needed = needed(&file, &engine.horizon);
        let mut regressors = Vec::new();
        for code in engine.holidays.iter().collect::<BTreeSet<_>>() {
            regressors.push(holidays(file.path(), code, history.time_zone, needed)?);
        }
        if let Some(path) = &engine.regressors {
            let read = read_regressors(path, &options, needed)?;
            for series in &read {
                check_name(path, &series.name, &regressors)?;
            }
            regressors.extend(read.into_iter().map(|series| RegressorTrack {
                name: series.name,
                start: series.start,
                values: series.values,
            }));
        }
        Ok(Self {
            history: file,
            calendar: calendar(history.time_zone, "US")?,
            regressors,
            cutoffs,
        })
    }

    /// Whether moments to forecast from were given.
    pub(crate) fn has_cutoffs(&self) -> bool {
        self.cutoffs.is_some()
    }

    /// How many hours are known at each given moment of a series, if any were given.
    pub(crate) fn cutoffs_of(&self, id: &str) -> Option<Vec<usize>> {
        let cutoffs = self.cutoffs.as_ref()?;
        let known = cutoffs.get(id).map(Vec::as_slice).unwrap_or_default();
        Some(known.iter().map(|cutoff| cutoff.known_hours).collect())
    }

    /// How many moments were given.
    pub(crate) fn cutoffs(&self) -> Option<usize> {
        let cutoffs = self.cutoffs.as_ref()?;
        Some(cutoffs.values().map(Vec::len).sum())
    }

    /// Refuses a series that is too short to forecast.
    pub(crate) fn check_length(&self, series: &HourlySeries) -> Result<(), SeriesFileError> {
        if !is_short(series) {
            return Ok(());
        }
        Err(SeriesFileError::of_file(
            self.history.path(),
            format!(
                "series {:?} has only {} hours",
                series.id,
                series.values.len()
            ),
            format!(
                "give at least {FEWEST_HOURS} ({} days), or leave it out with --skip-short",
                FEWEST_HOURS / 24
            ),
        ))
    }
}

/// Refuses to put a result where something is read from.
pub(crate) fn check_place(
    output: &Path,
    history: &HistoryArgs,
    engine: &EngineArgs,
) -> Result<(), SeriesFileError> {
    let mut read = vec![history.history.as_path()];
    read.extend(engine.cutoffs.as_deref());
    read.extend(engine.regressors.as_deref());
    check_output(output, &read)
}

/// Refuses a regressor that could not be told from another driver of a forecast.
fn check_name(path: &Path, name: &str, taken: &[RegressorTrack]) -> Result<(), SeriesFileError> {
    if !RESERVED_DRIVERS.contains(&name) && taken.iter().all(|track| track.name != name) {
        return Ok(());
    }
    let problem = format!("names a regressor {name:?}, as another driver of forecasts is called");
    let advice = format!(
        "rename it: {} and holiday_<country> are taken",
        RESERVED_DRIVERS.join(", ")
    );
    Err(SeriesFileError::of_file(path, problem, advice))
}

/// Whether a series is too short to forecast.
pub(crate) fn is_short(series: &HourlySeries) -> bool {
    series.values.len() < FEWEST_HOURS
}

fn by_series(cutoffs: Vec<Cutoff>) -> HashMap<String, Vec<Cutoff>> {
    let mut by_series: HashMap<String, Vec<Cutoff>> = HashMap::new();
    for cutoff in cutoffs {
        by_series.entry(cutoff.id.clone()).or_default().push(cutoff);
    }
    by_series
}

/// The hours that regressors must cover.
fn needed(history: &HistoryFile, horizon: &u16) -> Needed {
    let first = history.extents().map(|extent| extent.start).min();
    let last = history.extents().map(|extent| extent.last()).max();
    Needed {
        first: first.unwrap_or_default(),
        last: last.unwrap_or_default() + TimeDelta::hours(i64::from(*horizon)),
    }
}

fn calendar(time_zone: Tz, country: &str) -> anyhow::Result<Calendar> {
    Ok(Calendar::new(CalendarConfig {
        country: country.to_owned(),
        timezone: time_zone.name().to_owned(),
        ..CalendarConfig::default()
    })?)
}

fn holidays(
    path: &Path,
    code: &str,
    time_zone: Tz,
    needed: Needed,
) -> anyhow::Result<RegressorTrack> {
    let known = |moment: DateTime<Utc>| {
        let year = moment.format("%Y").to_string().parse::<i32>();
        year.is_ok_and(|year| HOLIDAY_YEARS.contains(&year))
    };
    if !known(needed.first) || !known(needed.last) {
        let words = format!(
            "runs with its horizon from {} to {}, but holidays are known from {} to {}: there are none \
             of {code} before and after",
            needed.first.format("%Y-%m-%d"),
            needed.last.format("%Y-%m-%d"),
            HOLIDAY_YEARS.start(),
            HOLIDAY_YEARS.end()
        );
        note(path, &words);
    }
    let hours = (needed.last - needed.first).num_hours() + 1;
    let calendar = calendar(time_zone, code)?;
    Ok(RegressorTrack {
        name: format!("holiday_{code}"),
        start: needed.first,
        values: calendar.column(
            CalendarFeature::HolidayFlag,
            needed.first,
            usize::try_from(hours)?,
        ),
    })
}
