//! Azure's token buckets.

use chrono::{DateTime, Utc};
use http::Method;

use crate::state::State;

use super::Arm;

/// Burst and refill a second, of reads and of writes and deletions.
const READS: (f64, f64) = (250.0, 25.0);
const WRITES: (f64, f64) = (200.0, 10.0);

/// One bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    taken: f64,
    looked_at: Option<DateTime<Utc>>,
}

impl Bucket {
    /// What is left after taking one, or the seconds until there is one again.
    fn take(&mut self, (burst, refill): (f64, f64), now: DateTime<Utc>) -> Result<u32, u64> {
        let passed = self
            .looked_at
            .map_or(0.0, |then| (now - then).as_seconds_f64().max(0.0));
        self.looked_at = Some(now);
        self.taken = (self.taken - passed * refill).max(0.0);
        if self.taken + 1.0 > burst {
            return Err(((self.taken + 1.0 - burst) / refill).ceil() as u64);
        }
        self.taken += 1.0;
        Ok((burst - self.taken) as u32)
    }
}

pub(crate) fn header_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "x-ms-ratelimit-remaining-subscription-reads",
        Method::DELETE => "x-ms-ratelimit-remaining-subscription-deletes",
        _ => "x-ms-ratelimit-remaining-subscription-writes",
    }
}

impl Arm {
    /// Requests left after this one, or the seconds to wait.
    pub(crate) fn take_from_bucket(&self, state: &State, method: &Method) -> Result<u32, u64> {
        let now = state.clock.now();
        let mut memory = self.memory();
        let (bucket, size) = match *method {
            Method::GET => (&mut memory.reads, READS),
            Method::DELETE => (&mut memory.deletes, WRITES),
            _ => (&mut memory.writes, WRITES),
        };
        if !state.config.arm.throttles {
            return Ok(size.0 as u32);
        }
        bucket.take(size, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let start: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let mut bucket = Bucket::default();
        for left in (0..200).rev() {
            assert_eq!(bucket.take(WRITES, start), Ok(left));
        }
        assert_eq!(bucket.take(WRITES, start), Err(1));
        let later = start + TimeDelta::seconds(1);
        assert_eq!(bucket.take(WRITES, later), Ok(9));
    }
}
