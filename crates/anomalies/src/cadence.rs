//! How often values come, learnt from the values' own times.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::robust::median;

/// Steps that make up the usual one.
const KEPT_STEPS: usize = 32;
/// A pause of this many usual steps is a gap: windows must not reach across it.
const GAP_STEPS: f64 = 24.0;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Cadence {
    last: Option<DateTime<Utc>>,
    step_seconds: VecDeque<f64>,
}

impl Cadence {
    /// The pause before `at`, if it is a gap. Repeated and earlier times (a clock set back) are no
    /// gap and teach nothing.
    pub(crate) fn observe(&mut self, at: DateTime<Utc>) -> Option<TimeDelta> {
        let last = self.last.replace(at)?;
        let step = at - last;
        if step <= TimeDelta::zero() {
            return None;
        }
        let seconds = step.as_seconds_f64();
        let usual = median(self.step_seconds.iter().copied());
        let is_gap = usual.is_some_and(|usual| seconds > GAP_STEPS * usual);
        if self.step_seconds.len() == KEPT_STEPS {
            self.step_seconds.pop_front();
        }
        self.step_seconds.push_back(seconds);
        is_gap.then_some(step)
    }
}
