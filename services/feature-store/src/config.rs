//! Configuration of the feature store.

use foretide_calendar::CalendarConfig;
use foretide_features::TrainingOptions;
use serde::Deserialize;

/// The `feature_store` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Country, time zone, business hours and campaigns of the workspace.
    pub calendar: CalendarConfig,
    /// Days of history in a training set, at most: 7 to 3660.
    pub history_days: u32,
    /// Days of feature rows that the first materialization of a view reaches back: 1 to 3660.
    pub materialize_days: u32,
    /// A broken-down series is kept when its counts add up to at least this.
    pub min_series_total: u32,
    /// Broken-down series kept at most, the largest: 0 to 2000. The total is always there.
    pub max_series: u32,
    /// Hours after which an hour's counts are taken as settled, from its beginning: 1 to 168.
    pub settle_hours: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calendar: CalendarConfig::default(),
            history_days: 365,
            materialize_days: 30,
            min_series_total: 1,
            max_series: 200,
            settle_hours: 2,
        }
    }
}

/// A key that is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("feature_store.{key} must be from {least} to {most}, got {got}")]
pub struct OutOfBounds {
    key: &'static str,
    least: u32,
    most: u32,
    got: u32,
}

impl Config {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first key that is out of bounds, and the bounds.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        let bounds = [
            ("history_days", self.history_days, 7, 3660),
            ("materialize_days", self.materialize_days, 1, 3660),
            ("min_series_total", self.min_series_total, 0, 1_000_000),
            ("max_series", self.max_series, 0, 2000),
            ("settle_hours", self.settle_hours, 1, 168),
        ];
        for (key, got, least, most) in bounds {
            if !(least..=most).contains(&got) {
                return Err(OutOfBounds {
                    key,
                    least,
                    most,
                    got,
                });
            }
        }
        Ok(())
    }

    /// What of it decides the bytes of a training set.
    #[must_use]
    pub fn training_options(&self) -> TrainingOptions {
        TrainingOptions {
            history_days: self.history_days,
            min_series_total: self.min_series_total,
            max_series: self.max_series,
            settle_hours: self.settle_hours,
        }
    }
}
