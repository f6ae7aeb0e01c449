//! Reading back: an accepted row is not yet one that can be queried.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

/// Looks for rows, by whatever interface queries the workspace.
#[async_trait]
pub trait RowFinder: fmt::Debug + Send + Sync {
    /// How many rows a query finds: it ends in one row with one number.
    ///
    /// # Errors
    /// Why it could not be asked, in words.
    async fn count(&self, kql: &str) -> Result<u64, String>;
}

/// When rows are looked for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePace {
    /// Wait before the second look; doubles from there.
    pub first_wait: Duration,
    /// Longest wait between two looks.
    pub longest_wait: Duration,
    /// How long until rows that cannot be seen are overdue. A new table or rule takes 5 to 15 minutes.
    pub patience: Duration,
}

impl Default for ProbePace {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(60),
            patience: Duration::from_secs(20 * 60),
        }
    }
}
