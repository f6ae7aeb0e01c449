//! Time as a parameter.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

/// Where a component gets "now" from. Services take one; only the binary chooses which.
pub trait Clock: Send + Sync + 'static {
    /// The current moment, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock shared between the parts of one process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A clock that is set by hand: the replay of the demo and simulations move it.
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
        let mut now = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = (*now).max(moment);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
