//! How much may be asked at once: the limits of one identity.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Queries that one identity may have running (Azure Monitor service limits, analytics tables).
pub const MAX_CONCURRENT: usize = 5;
/// Queries of tables on the basic or auxiliary plan that one identity may have running.
pub const MAX_CONCURRENT_SEARCHES: usize = 2;
/// Queries that one identity may start within [`RATE_WINDOW`].
const MAX_STARTS: usize = 200;
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// The queries of one identity: so many at once, and so many in 30 seconds. Clones share the count;
/// give the same one to all clients that use the same identity.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    running: Arc<Semaphore>,
    searching: Arc<Semaphore>,
    started: Arc<Mutex<VecDeque<Instant>>>,
}

impl QueryLimits {
    /// So many queries at once, from 1 to [`MAX_CONCURRENT`]; no more than
    /// [`MAX_CONCURRENT_SEARCHES`] of tables on the basic or auxiliary plan.
    #[must_use]
    pub fn new(concurrent: usize) -> Self {
        let most = |limit| Arc::new(Semaphore::new(concurrent.clamp(1, limit)));
        Self {
            running: most(MAX_CONCURRENT),
            searching: most(MAX_CONCURRENT_SEARCHES),
            started: Arc::default(),
        }
    }

    /// Waits until another query may start; it counts as running while the permit lives.
    pub(crate) async fn start(&self) -> SemaphorePermit<'_> {
        self.start_among(&self.running).await
    }

    /// The same for a query of a table on the basic or auxiliary plan.
    pub(crate) async fn start_search(&self) -> SemaphorePermit<'_> {
        self.start_among(&self.searching).await
    }

    async fn start_among<'a>(&self, running: &'a Semaphore) -> SemaphorePermit<'a> {
        let permit = running
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

    #[tokio::test(start_paused = true)]
    async fn searches_have_a_smaller_limit_of_their_own() {
        let limits = QueryLimits::default();
        let first = limits.start_search().await;
        let _second = limits.start_search().await;
        let third = tokio::time::timeout(Duration::from_secs(60), limits.start_search());
        assert!(third.await.is_err());
        drop(limits.start().await);
        drop(first);
        drop(limits.start_search().await);
    }
}
