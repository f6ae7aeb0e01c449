//! Time as a parameter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a component gets "now" from. Services take one; only the binary chooses which.
pub trait Clock: Send + Sync + 'static {
    /// The current moment, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock shared between the parts of one process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock. For the binary, which hands it on; tests and stories set a [`RunningClock`].
#[must_use]
pub fn machine_clock() -> SharedClock {
    Arc::new(MachineClock)
}

struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> DateTime<Utc> {
        machine_time()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the machine's clock is read"
)]
fn machine_time() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A clock that is set by hand and stands still in between: simulations move it.
#[derive(Debug, Clone)]
pub struct SimulatedClock(Arc<Mutex<DateTime<Utc>>>);

impl SimulatedClock {
    /// A clock that shows `start` until it is set.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Sets the clock. It never goes back: an earlier moment is ignored.
    pub fn advance_to(&self, moment: DateTime<Utc>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = (*now).max(moment);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a clock was set: it showed `start` when the machine's showed `origin`. Processes that are told
/// the same show the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSetting {
    /// What the clock showed.
    pub start: DateTime<Utc>,
    /// What the machine's clock showed at that moment.
    pub origin: DateTime<Utc>,
}

/// A clock that was set and runs on from there, as fast as the machine's: for the demo, stories and
/// tests, so that what they show does not depend on the day they run.
#[derive(Debug, Clone)]
pub struct RunningClock(Arc<Mutex<ClockSetting>>);

impl RunningClock {
    /// A clock that shows `start` now.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        let origin = machine_time();
        Self::set(ClockSetting { start, origin })
    }

    /// A clock that was set before, perhaps by another process.
    #[must_use]
    pub fn set(setting: ClockSetting) -> Self {
        Self(Arc::new(Mutex::new(setting)))
    }

    /// How it was set last, for other processes.
    #[must_use]
    pub fn setting(&self) -> ClockSetting {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the clock forward. It never goes back: an earlier moment is ignored.
    pub fn advance_to(&self, moment: DateTime<Utc>) {
        if moment > self.now() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ClockSetting {
                start: moment,
                origin: machine_time(),
            };
        }
    }

    /// This clock, for what takes any.
    #[must_use]
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Clock for RunningClock {
    fn now(&self) -> DateTime<Utc> {
        let ClockSetting { start, origin } = self.setting();
        start + (machine_time() - origin)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_set_alike_show_the_same_and_run() {
        let one = RunningClock::starting_at(moment("2028-02-29T23:00:00Z"));
        let other = RunningClock::set(one.setting());
        let (first, second, third) = (one.now(), other.now(), one.now());
        assert!(first <= second && second <= third);
        assert!(first >= moment("2028-02-29T23:00:00Z"));
        assert!(third - first < TimeDelta::minutes(1));
    }

    #[test]
    fn a_running_clock_is_set_forward_only() {
        let clock = RunningClock::starting_at(moment("2026-03-02T06:00:00Z"));
        clock.advance_to(moment("2026-03-03T06:00:00Z"));
        clock.advance_to(moment("2026-03-01T06:00:00Z"));
        assert!(clock.now() >= moment("2026-03-03T06:00:00Z"));
        assert!(clock.now() < moment("2026-03-03T06:10:00Z"));
    }
}
