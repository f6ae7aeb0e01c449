//! What is asked for is refused here when it cannot be forecast.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{HourlyHistory, Origin, RegressorTrack, RollingOptions};
use crate::error::ForecastError;
use crate::panel::MAX_COUNT;
use crate::schema::RESERVED_DRIVERS;
use crate::train::{FEWEST_HOURS, LONGEST_HORIZON};

pub(super) fn check(
    histories: &[HourlyHistory],
    regressors: &[RegressorTrack],
    origins: &[Origin],
    options: &RollingOptions,
) -> Result<(), ForecastError> {
    check_options(options)?;
    if histories.is_empty() {
        return Err(ForecastError::Empty("the list of series"));
    }
    let mut seen = HashSet::new();
    for history in histories {
        if !seen.insert(&history.id) {
            return Err(ForecastError::NameTaken(history.id.to_string()));
        }
        let is_count = |value: &f64| (0.0..=MAX_COUNT).contains(value);
        if let Some(position) = history.values.iter().position(|value| !is_count(value)) {
            return Err(ForecastError::BadCount {
                series: history.id.clone(),
                position,
                value: history.values[position],
            });
        }
    }
    check_tracks(regressors)?;
    for origin in origins {
        let history = histories
            .get(origin.series)
            .ok_or(ForecastError::BadOption {
                field: "an origin's series",
                allowed: "an index into the histories",
                got: origin.series.to_string(),
            })?;
        if origin.known_hours > history.values.len() {
            return Err(ForecastError::LengthMismatch {
                what: format!("series {}", history.id),
                expected: origin.known_hours,
                got: history.values.len(),
            });
        }
        if origin.known_hours < FEWEST_HOURS {
            return Err(ForecastError::TooShort {
                hours: origin.known_hours,
                needed: FEWEST_HOURS,
            });
        }
        let needed = origin.known_hours + options.horizon_hours;
        for track in regressors {
            check_covers(track, history.start, needed)?;
        }
    }
    Ok(())
}

fn check_options(options: &RollingOptions) -> Result<(), ForecastError> {
    let refuse = |field, allowed, got: usize| {
        Err(ForecastError::BadOption {
            field,
            allowed,
            got: got.to_string(),
        })
    };
    if !(1..=LONGEST_HORIZON).contains(&options.horizon_hours) {
        return refuse("horizon_hours", "from 1 to 336", options.horizon_hours);
    }
    if options.threads == 0 {
        return refuse("threads", "at least 1", 0);
    }
    if options.refit_every_hours == Some(0) {
        return refuse("refit_every_hours", "at least 1", 0);
    }
    Ok(())
}

fn check_tracks(regressors: &[RegressorTrack]) -> Result<(), ForecastError> {
    let mut seen: HashSet<&str> = RESERVED_DRIVERS.into_iter().collect();
    for track in regressors {
        if !seen.insert(&track.name) {
            return Err(ForecastError::NameTaken(track.name.clone()));
        }
        if let Some(position) = track.values.iter().position(|value| !value.is_finite()) {
            return Err(ForecastError::BadRegressor {
                name: track.name.clone(),
                position,
                value: track.values[position],
            });
        }
    }
    Ok(())
}

pub(super) fn check_covers(
    track: &RegressorTrack,
    start: DateTime<Utc>,
    hours: usize,
) -> Result<(), ForecastError> {
    let before = (start - track.start).num_hours();
    let available = usize::try_from(before).map_or(0, |skipped| {
        track.values.len().saturating_sub(skipped).min(hours)
    });
    if available < hours {
        return Err(ForecastError::LengthMismatch {
            what: format!("regressor {:?} from {start} on", track.name),
            expected: hours,
            got: available,
        });
    }
    Ok(())
}
