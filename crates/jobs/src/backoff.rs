//! How long to wait before the next attempt.

use std::time::Duration;

use rand::Rng;

/// Exponential back-off with jitter. The queue counts in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Pause after the first attempt.
    pub first: Duration,
    /// Pauses do not grow beyond this.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(300),
        }
    }
}

impl Backoff {
    /// The pause after the given attempt: doubled with each, between half and whole of that.
    pub(crate) fn pause_after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        let whole = self
            .first
            .saturating_mul(2_u32.pow(doublings))
            .min(self.longest);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_downwards() {
        let backoff = Backoff {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(60),
        };
        for (attempt, whole) in [(1, 2), (2, 4), (3, 8), (6, 60), (u32::MAX, 60)] {
            let pause = backoff.pause_after(attempt);
            let whole = Duration::from_secs(whole);
            assert!(
                pause <= whole && pause >= whole / 2,
                "attempt {attempt}: {pause:?}"
            );
        }
    }
}
