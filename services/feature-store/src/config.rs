//! Configuration of the feature store.

use foretide_calendar::{Calendar, CalendarConfig, CalendarError};
use foretide_domain::{UseCase, UseCaseId};
use foretide_features::{FeatureView, TrainingOptions};
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

/// A key that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A number.
    #[error("feature_store.{key} must be from {least} to {most}, got {got}")]
    OutOfBounds {
        /// Which key.
        key: &'static str,
        /// The least that is allowed.
        least: u32,
        /// The most that is allowed.
        most: u32,
        /// What was given.
        got: u32,
    },
    /// Something of the calendar.
    #[error("feature_store.{0}")]
    Calendar(#[from] CalendarError),
}

/// A use case that names a view nobody declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use case {use_case}: feature_view must be one of {known}, got {view:?}")]
pub struct UnknownView {
    use_case: UseCaseId,
    view: String,
    known: String,
}

/// The view that a use case names.
///
/// # Errors
/// When nobody declared it.
pub fn view_of(use_case: &UseCase) -> Result<FeatureView, UnknownView> {
    FeatureView::find(&use_case.feature_view).ok_or_else(|| {
        let known: Vec<_> = FeatureView::all().iter().map(|view| view.name).collect();
        UnknownView {
            use_case: use_case.id.clone(),
            view: use_case.feature_view.clone(),
            known: known.join(", "),
        }
    })
}

impl Config {
    /// Checks what types alone cannot, the calendar included.
    ///
    /// # Errors
    /// Names the first key that cannot be, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let bounds = [
            ("history_days", self.history_days, 7, 3660),
            ("materialize_days", self.materialize_days, 1, 3660),
            ("min_series_total", self.min_series_total, 0, 1_000_000),
            ("max_series", self.max_series, 0, 2000),
            ("settle_hours", self.settle_hours, 1, 168),
        ];
        for (key, got, least, most) in bounds {
            if !(least..=most).contains(&got) {
                return Err(ConfigProblem::OutOfBounds {
                    key,
                    least,
                    most,
                    got,
                });
            }
        }
        Calendar::new(self.calendar.clone())?;
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
