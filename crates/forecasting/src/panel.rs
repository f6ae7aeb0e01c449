//! What goes in: series on one common hourly grid, and what is known about the calendar.

use chrono::{DateTime, Utc};
use foretide_domain::SeriesId;

use crate::counts::CountPrior;
use crate::effects::{PanelEvents, whole_again};
use crate::error::ForecastError;
use crate::schema::RESERVED_DRIVERS;
use crate::vetting::onset;
use crate::week::HOURS_OF_WEEK;

/// Largest count taken: beyond it a double no longer tells neighbouring counts apart.
pub const MAX_COUNT: f64 = 9e15;

/// A quantity known for past and future hours alike: a holiday flag, a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Regressor {
    /// Its name, which is also the name of its driver.
    pub name: String,
    /// One value an hour.
    pub values: Vec<f64>,
}

/// One series of counts.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelSeries {
    /// Its name.
    pub id: SeriesId,
    /// One count an hour, oldest first.
    pub values: Vec<f64>,
}

/// The history all series of a use case are trained on: one common hourly grid.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingPanel {
    /// First hour.
    pub start: DateTime<Utc>,
    /// Local hour of the week of each hour, 0 = Monday 00:00.
    pub hour_of_week: Vec<u8>,
    /// Known-future regressors over the history.
    pub regressors: Vec<Regressor>,
    /// The series, all as long as `hour_of_week`.
    pub series: Vec<PanelSeries>,
}

impl TrainingPanel {
    /// Hours on the grid.
    #[must_use]
    pub fn hours(&self) -> usize {
        self.hour_of_week.len()
    }

    pub(crate) fn regressor_columns(&self) -> Vec<&[f64]> {
        let columns = self.regressors.iter();
        columns.map(|one| one.values.as_slice()).collect()
    }

    /// What its series of counts have in common in their first hours, without what events did.
    pub(crate) fn counts_in_common(&self, events: &PanelEvents, hours: usize) -> CountPrior {
        let columns = self.regressor_columns();
        let quiet = |(index, one): (usize, &PanelSeries)| {
            let values = &one.values[..hours];
            let quiet = events.on(index).without_events(values, &columns);
            (onset(&one.values).min(hours), whole_again(values, &quiet))
        };
        let quiet: Vec<(usize, Vec<f64>)> = self.series.iter().enumerate().map(quiet).collect();
        let active = |(onset, values): &'_ (usize, Vec<f64>)| *onset..values.len();
        let each: Vec<(&[f64], &[u8])> = quiet
            .iter()
            .map(|one| (&one.1[active(one)], &self.hour_of_week[active(one)]))
            .collect();
        CountPrior::of_panel(&each)
    }

    /// Checks lengths, names and values.
    ///
    /// # Errors
    /// Names the first series or regressor and the position that is wrong.
    pub fn validate(&self) -> Result<(), ForecastError> {
        if self.series.is_empty() {
            return Err(ForecastError::Empty("the list of series"));
        }
        check_hours_of_week("hour_of_week", &self.hour_of_week)?;
        check_regressors(&self.regressors, self.hours())?;
        check_series(&self.series, self.hours())
    }
}

/// What is known when a forecast is issued: fresh history and the calendar of the hours ahead.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoringFrame {
    /// First hour forecast. The histories end right before it.
    pub start: DateTime<Utc>,
    /// Local hour of the week of each hour ahead; its length is the horizon.
    pub hour_of_week: Vec<u8>,
    /// Local hour of the week of each hour of the histories.
    pub history_hour_of_week: Vec<u8>,
    /// Known-future regressors over the histories and then the hours ahead.
    pub regressors: Vec<Regressor>,
    /// The histories, all as long as `history_hour_of_week`.
    pub series: Vec<PanelSeries>,
}

impl ScoringFrame {
    /// Checks lengths, names and values.
    ///
    /// # Errors
    /// Names the first series or regressor and the position that is wrong.
    pub fn validate(&self) -> Result<(), ForecastError> {
        if self.hour_of_week.is_empty() {
            return Err(ForecastError::Empty("the horizon"));
        }
        let hours = self.history_hour_of_week.len();
        if hours < HOURS_OF_WEEK {
            return Err(ForecastError::TooShort {
                hours,
                needed: HOURS_OF_WEEK,
            });
        }
        check_hours_of_week("hour_of_week", &self.hour_of_week)?;
        check_hours_of_week("history_hour_of_week", &self.history_hour_of_week)?;
        check_regressors(&self.regressors, hours + self.hour_of_week.len())?;
        check_series(&self.series, hours)
    }
}

fn check_hours_of_week(what: &'static str, hours: &[u8]) -> Result<(), ForecastError> {
    let wrong = hours
        .iter()
        .position(|&hour| usize::from(hour) >= HOURS_OF_WEEK);
    wrong.map_or(Ok(()), |position| {
        Err(ForecastError::BadHourOfWeek {
            what,
            position,
            value: hours[position],
        })
    })
}

fn check_regressors(regressors: &[Regressor], hours: usize) -> Result<(), ForecastError> {
    for (index, regressor) in regressors.iter().enumerate() {
        let is_repeated = regressors[..index]
            .iter()
            .any(|other| other.name == regressor.name);
        if is_repeated || RESERVED_DRIVERS.contains(&regressor.name.as_str()) {
            return Err(ForecastError::NameTaken(regressor.name.clone()));
        }
        if regressor.values.len() != hours {
            return Err(ForecastError::LengthMismatch {
                what: format!("regressor {:?}", regressor.name),
                expected: hours,
                got: regressor.values.len(),
            });
        }
        if let Some(position) = regressor.values.iter().position(|value| !value.is_finite()) {
            return Err(ForecastError::BadRegressor {
                name: regressor.name.clone(),
                position,
                value: regressor.values[position],
            });
        }
    }
    Ok(())
}

fn check_series(series: &[PanelSeries], hours: usize) -> Result<(), ForecastError> {
    let mut seen = std::collections::HashSet::new();
    for PanelSeries { id, values } in series {
        if !seen.insert(id) {
            return Err(ForecastError::NameTaken(id.to_string()));
        }
        if values.len() != hours {
            return Err(ForecastError::LengthMismatch {
                what: format!("series {id}"),
                expected: hours,
                got: values.len(),
            });
        }
        let is_count = |value: &f64| (0.0..=MAX_COUNT).contains(value);
        if let Some(position) = values.iter().position(|value| !is_count(value)) {
            let value = values[position];
            return Err(ForecastError::BadCount {
                series: id.clone(),
                position,
                value,
            });
        }
    }
    Ok(())
}
