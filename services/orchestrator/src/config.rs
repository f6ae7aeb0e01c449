//! Configuration of the orchestrator.

use std::collections::BTreeMap;
use std::time::Duration;

use foretide_jobs::Backoff;
use serde::Deserialize;

use crate::calendar::{Calendar, CalendarError};

/// The `orchestrator` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// When runs start by themselves.
    pub calendar: CalendarConfig,
    /// Steps worked on at the same time: 1 to 64.
    pub concurrency: usize,
    /// Seconds that running steps may go on after the process was asked to stop: 0 to 600. A step
    /// that is not done by then goes on in the next process.
    pub drain_seconds: u64,
    /// Pauses before a step is tried again.
    pub backoff: BackoffConfig,
    /// A forecast run trains when the champion is older than this: 1 to 365 days.
    pub retrain_after_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            calendar: CalendarConfig::default(),
            concurrency: 2,
            drain_seconds: 15,
            backoff: BackoffConfig::default(),
            retrain_after_days: 7,
        }
    }
}

/// When runs start by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// False: runs are only started by hand.
    pub enabled: bool,
    /// Other schedules for entries of the calendar, by name; six-field cron expressions in UTC.
    pub schedules: BTreeMap<String, String>,
}

impl Default for CalendarConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            schedules: BTreeMap::new(),
        }
    }
}

/// Pauses before a step is tried again, doubled each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// Seconds after the first attempt: 0 to 3600.
    pub first_seconds: u64,
    /// Seconds at most: 0 to 86400.
    pub longest_seconds: u64,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            first_seconds: 5,
            longest_seconds: 300,
        }
    }
}

impl From<BackoffConfig> for Backoff {
    fn from(config: BackoffConfig) -> Self {
        Self {
            first: Duration::from_secs(config.first_seconds),
            longest: Duration::from_secs(config.longest_seconds),
        }
    }
}

/// A key that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A number.
    #[error("orchestrator.{key} must be from {least} to {most}, got {got}")]
    OutOfBounds {
        /// Which key.
        key: &'static str,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
        /// What was given.
        got: u64,
    },
    /// A schedule.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

impl Config {
    /// Checks what types alone cannot, the schedules included.
    ///
    /// # Errors
    /// Names the first key that cannot be, and what is allowed.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let concurrency = u64::try_from(self.concurrency).unwrap_or(u64::MAX);
        let bounds = [
            ("concurrency", concurrency, 1, 64),
            ("drain_seconds", self.drain_seconds, 0, 600),
            ("backoff.first_seconds", self.backoff.first_seconds, 0, 3600),
            (
                "backoff.longest_seconds",
                self.backoff.longest_seconds,
                0,
                86_400,
            ),
            (
                "retrain_after_days",
                u64::from(self.retrain_after_days),
                1,
                365,
            ),
        ];
        let refused = bounds
            .into_iter()
            .find(|(_, got, least, most)| !(least..=most).contains(&got));
        match refused {
            Some((key, got, least, most)) => Err(ConfigProblem::OutOfBounds {
                key,
                least,
                most,
                got,
            }),
            None => Ok(Calendar::new(&self.calendar).map(|_| ())?),
        }
    }
}
