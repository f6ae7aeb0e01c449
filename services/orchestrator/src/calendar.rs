//! When runs start by themselves: one table, and the loop that keeps to it.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cron::Schedule;
use tokio_util::sync::CancellationToken;

use crate::config::CalendarConfig;
use crate::model::{NewRun, RunKind};
use crate::service::Orchestrator;

/// The calendar: kind of run, which is also the entry's name, and when, in UTC
/// (second, minute, hour, day of month, month, day of week).
pub(crate) const CALENDAR: [(RunKind, &str); 4] = [
    (RunKind::Refresh, "0 10 * * * *"),
    (RunKind::Forecast, "0 0 6 * * *"),
    (RunKind::Train, "0 0 3 * * SUN"),
    (RunKind::Evaluate, "0 0 7 * * *"),
];

/// Keys of runs that the calendar has started begin with this.
pub(crate) const DEDUP_PREFIX: &str = "calendar/";
/// Who starts them.
const STARTED_BY: &str = "calendar";
/// A tick that nobody was there for is made up for when it is not older than this.
const CATCH_UP: TimeDelta = TimeDelta::hours(1);
/// The context's clock may be simulated, so it is looked at rather than waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A calendar that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// No such entry.
    #[error(
        "orchestrator.calendar.schedules.{0} is no entry: entries are refresh, forecast, train and evaluate"
    )]
    UnknownEntry(String),
    /// Not a cron expression.
    #[error(
        "orchestrator.calendar.schedules.{entry} must be a schedule, got {expression:?} ({problem}): give second, \
         minute, hour, day of month, month and day of week in UTC, e.g. \"0 10 * * * *\""
    )]
    BadSchedule {
        /// Which entry.
        entry: String,
        /// What was given.
        expression: String,
        /// What the parser says.
        problem: String,
    },
}

/// An entry that can be asked for its next tick.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: RunKind,
    pub(crate) expression: String,
    schedule: Schedule,
}

impl Entry {
    pub(crate) fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedule.after(&moment).next()
    }

    /// The newest tick in (after, until], if there is one.
    fn newest_tick(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedule
            .after(&after)
            .take_while(|tick| *tick <= until)
            .last()
    }
}

/// The calendar as configured.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    pub(crate) entries: Vec<Entry>,
}

impl Calendar {
    /// The table with the configured changes; empty when disabled.
    ///
    /// # Errors
    /// Names the entry that is unknown or whose schedule cannot be read, also when disabled.
    pub(crate) fn new(config: &CalendarConfig) -> Result<Self, CalendarError> {
        let known = |name: &String| CALENDAR.iter().any(|(kind, _)| kind.name() == name);
        if let Some(unknown) = config.schedules.keys().find(|name| !known(name)) {
            return Err(CalendarError::UnknownEntry(
                unknown.chars().take(64).collect(),
            ));
        }
        let entries = CALENDAR
            .into_iter()
            .map(|(kind, expression)| {
                let configured = config.schedules.get(kind.name()).map(String::as_str);
                entry(kind, configured.unwrap_or(expression))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            entries: if config.enabled { entries } else { vec![] },
        })
    }
}

fn entry(kind: RunKind, expression: &str) -> Result<Entry, CalendarError> {
    let schedule = Schedule::from_str(expression).map_err(|error| CalendarError::BadSchedule {
        entry: kind.name().to_owned(),
        expression: expression.chars().take(64).collect(),
        // the lines before repeat the expression and point into it
        problem: error
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned(),
    })?;
    Ok(Entry {
        kind,
        expression: expression.to_owned(),
        schedule,
    })
}

/// Starts the calendar's runs until the shutdown. Replicas may all do so: the key of a tick lets it
/// start one run.
pub(crate) async fn keep(orchestrator: Orchestrator, shutdown: CancellationToken) {
    let mut seen = orchestrator.now() - CATCH_UP;
    loop {
        let now = orchestrator.now();
        // When the database does not answer, the same ticks are tried again.
        if tick(&orchestrator, seen, now).await {
            seen = now;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn tick(orchestrator: &Orchestrator, after: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    let mut all_started = true;
    for entry in &orchestrator.calendar().entries {
        // After a long sleep only the newest tick counts: its run takes in all that was missed.
        let Some(tick) = entry.newest_tick(after, until) else {
            continue;
        };
        let run = NewRun {
            kind: entry.kind,
            use_case: None,
            as_of: None,
            dedup_key: Some(format!(
                "{DEDUP_PREFIX}{}/{}",
                entry.kind,
                tick.to_rfc3339()
            )),
            started_by: STARTED_BY.to_owned(),
            force_training: false,
        };
        if let Err(error) = orchestrator.start_run(run).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(entry = entry.kind.name(), %tick, error, "cannot start the run of a tick, trying again");
            all_started = false;
        }
    }
    all_started
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn configured(name: &str, expression: &str) -> Result<Calendar, CalendarError> {
        let schedules = [(name.to_owned(), expression.to_owned())].into();
        Calendar::new(&CalendarConfig {
            enabled: true,
            schedules,
        })
    }

    #[test]
    fn the_table_says_what_the_readme_says() {
        let calendar = Calendar::new(&CalendarConfig::default()).unwrap();
        let saturday_noon = at("2026-11-21T12:30:00Z");
        let next: Vec<_> = calendar
            .entries
            .iter()
            .map(|entry| {
                (
                    entry.kind.name(),
                    entry.next_after(saturday_noon).unwrap().to_rfc3339(),
                )
            })
            .collect();
        let expected = [
            ("refresh", "2026-11-21T13:10:00+00:00"),
            ("forecast", "2026-11-22T06:00:00+00:00"),
            ("train", "2026-11-22T03:00:00+00:00"),
            ("evaluate", "2026-11-22T07:00:00+00:00"),
        ];
        assert_eq!(next, expected.map(|(name, tick)| (name, tick.to_owned())));
    }

    #[test]
    fn of_many_missed_ticks_the_newest_counts() {
        let calendar = Calendar::new(&CalendarConfig::default()).unwrap();
        let hourly = &calendar.entries[0];
        let (start, end) = (at("2026-11-21T00:10:00Z"), at("2026-11-21T09:10:00Z"));
        assert_eq!(hourly.newest_tick(start, end), Some(end));
        assert_eq!(hourly.newest_tick(end, end + TimeDelta::minutes(59)), None);
    }

    #[test]
    fn schedules_can_be_changed_and_bad_ones_are_named() {
        let quarter = configured("refresh", "0 */15 * * * *").unwrap();
        let next = quarter.entries[0].next_after(at("2026-11-21T12:31:00Z"));
        assert_eq!(next, Some(at("2026-11-21T12:45:00Z")));
        let unknown = configured("hourly", "0 * * * * *").unwrap_err();
        assert!(
            unknown
                .to_string()
                .contains("refresh, forecast, train and evaluate"),
            "{unknown}"
        );
        for bad in ["", "every day", "0 61 * * * *", "* * * *"] {
            let error = configured("train", bad).unwrap_err();
            assert!(error.to_string().contains("schedules.train"), "{error}");
        }
    }

    #[test]
    fn a_disabled_calendar_is_empty_but_still_checked() {
        let mut config = CalendarConfig {
            enabled: false,
            ..CalendarConfig::default()
        };
        assert!(Calendar::new(&config).unwrap().entries.is_empty());
        config
            .schedules
            .insert("train".to_owned(), "whenever".to_owned());
        assert!(Calendar::new(&config).is_err());
    }
}
