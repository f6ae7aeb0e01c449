//! How long an item that did not get through waits.

use std::time::Duration;

use serde::Deserialize;

/// Pauses between two tries of one item: doubled with each, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Wait after the first failure, milliseconds; doubles with every further one.
    pub first_wait_ms: u64,
    /// Longest wait between two tries, milliseconds.
    pub longest_wait_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first_wait_ms: 1_000,
            longest_wait_ms: 300_000,
        }
    }
}

impl Backoff {
    /// The pause after so many tries, at least what the receiver asked for.
    #[must_use]
    pub fn pause_after(self, attempts: u32, asked: Option<Duration>) -> Duration {
        let doubled = self
            .first_wait_ms
            .saturating_mul(2_u64.saturating_pow(attempts.saturating_sub(1)));
        Duration::from_millis(doubled.min(self.longest_wait_ms)).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_never_undercut_the_receiver() {
        let backoff = Backoff {
            first_wait_ms: 100,
            longest_wait_ms: 1_000,
        };
        let pauses: Vec<_> = (1..=6)
            .map(|attempts| backoff.pause_after(attempts, None).as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.pause_after(200, None).as_millis(), 1_000);
        let asked = Some(Duration::from_secs(60));
        assert_eq!(backoff.pause_after(1, asked).as_secs(), 60);
    }
}
