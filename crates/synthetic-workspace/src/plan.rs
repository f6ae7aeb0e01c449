//! What to generate.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use foretide_domain::TimeSpan;

/// Describes a workspace. Equal plans give equal bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of all randomness.
    pub seed: u64,
    /// First day; the workspace begins at its midnight, UTC.
    pub start: NaiveDate,
    /// Days of history: what a model can learn from.
    pub history_days: u32,
    /// Days after the history, for a replay.
    pub replay_days: u32,
    /// Where Contoso works: weekdays, hours and holidays are meant there.
    pub time_zone: Tz,
    /// Days on which Contoso does not work.
    pub holidays: Vec<NaiveDate>,
    /// Whether exercises, surges, an attack and a drift are planted beyond season and chance.
    pub has_events: bool,
    /// Factor on all volumes; 1 is about 90 incidents and 300 alerts a day.
    pub volume: f64,
}

/// A plan that cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// No day at all, or more than two years.
    #[error("history_days + replay_days must be from 1 to 730, got {0}")]
    Days(u64),
    /// No finite factor in the range.
    #[error("volume must be above 0 and at most 20, got {0}")]
    Volume(f64),
    /// The calendar ends before the plan does.
    #[error("start {0} is too far from our time")]
    Start(NaiveDate),
}

impl Plan {
    /// Contoso in Berlin: 120 days of history and 14 to replay.
    #[must_use]
    pub fn contoso(seed: u64, start: NaiveDate) -> Self {
        Self {
            seed,
            start,
            history_days: 120,
            replay_days: 14,
            time_zone: chrono_tz::Europe::Berlin,
            holidays: Vec::new(),
            has_events: true,
            volume: 1.0,
        }
    }

    /// Where the history ends and the replay begins.
    #[must_use]
    pub fn replay_start(&self) -> DateTime<Utc> {
        self.midnight_after(self.history_days)
    }

    /// History and replay together.
    #[must_use]
    pub fn span(&self) -> TimeSpan {
        let end = self.midnight_after(self.history_days.saturating_add(self.replay_days));
        TimeSpan {
            start: self.midnight_after(0),
            end,
        }
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first field that is out of bounds.
    pub fn validate(&self) -> Result<(), PlanError> {
        let days = u64::from(self.history_days) + u64::from(self.replay_days);
        if !(1..=730).contains(&days) {
            return Err(PlanError::Days(days));
        }
        if !(self.volume > 0.0 && self.volume <= 20.0) {
            return Err(PlanError::Volume(self.volume));
        }
        let near = NaiveDate::from_ymd_opt(1990, 1, 1) <= Some(self.start)
            && Some(self.start) <= NaiveDate::from_ymd_opt(2200, 1, 1);
        if !near {
            return Err(PlanError::Start(self.start));
        }
        Ok(())
    }

    fn midnight_after(&self, days: u32) -> DateTime<Utc> {
        let day = self
            .start
            .checked_add_days(Days::new(days.into()))
            .unwrap_or(self.start);
        day.and_time(NaiveTime::MIN).and_utc()
    }
}
