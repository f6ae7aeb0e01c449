//! How much may be asked at once: the limits of one identity.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Queries that one identity may have running (Azure Monitor service limits, analytics tables).
pub const MAX_CONCURRENT: usize = 5;
/// Queries that one identity may start within [`RATE_WINDOW`].
const MAX_STARTS: usize = 200;
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// The queries of one identity: so many at once, and so many in 30 seconds. Clones share the count;
/// give the same one to all clients that use the same identity.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    running: Arc<Semaphore>,
    started: Arc<Mutex<VecDeque<Instant>>>,
}

impl QueryLimits {
    /// So many queries at once, from 1 to [`MAX_CONCURRENT`].
    #[must_use]
    pub fn new(concurrent: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(concurrent.clamp(1, MAX_CONCURRENT))),
            started: Arc::default(),
        }
    }

    /// Waits until another query may start; it counts as running while the permit lives.
    pub(crate) async fn start(&self) -> SemaphorePermit<'_> {
        let permit = self
            .running
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let mut started = self.started.lock().await;
        while started.len() >= MAX_STARTS {
            let oldest = started.pop_front().expect("it is not empty");
            tokio::time::sleep_until(oldest + RATE_WINDOW).await;
        }
        started.push_back(Instant::now());
        permit
    }
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self::new(MAX_CONCURRENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_201st_query_waits_for_the_half_minute_to_end() {
        let limits = QueryLimits::default();
        let begun = Instant::now();
        for _ in 0..MAX_STARTS {
            drop(limits.start().await);
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(limits.start().await);
        assert!(begun.elapsed() >= RATE_WINDOW);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_allowed() {
        let limits = QueryLimits::new(2);
        let first = limits.start().await;
        let _second = limits.start().await;
        let third = tokio::time::timeout(Duration::from_secs(60), limits.start());
        assert!(third.await.is_err());
        drop(first);
        drop(limits.start().await);
    }
}
