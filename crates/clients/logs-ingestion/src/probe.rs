//! Reading back: an accepted row is not yet one that can be queried.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use foretide_domain::SharedClock;

use crate::tombstone::IDEMPOTENCY_KEY;

/// Looks for rows, by whatever interface queries the workspace.
#[async_trait]
pub trait RowFinder: fmt::Debug + Send + Sync {
    /// How many rows a query finds: it ends in one row with one number.
    ///
    /// # Errors
    /// Why it could not be asked, in words.
    async fn count(&self, kql: &str) -> Result<u64, String>;
}

/// When a row is looked for, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePace {
    /// Wait before the second look; doubles from there.
    pub first_wait: Duration,
    /// Longest wait between two looks.
    pub longest_wait: Duration,
    /// How long in all. A new table or rule takes 5 to 15 minutes.
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

/// What a probe found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// The row can be queried.
    Visible {
        /// How long after it was accepted it was first seen; at most one wait too long.
        after: TimeDelta,
        /// How often it is there: more than once when an answer was lost.
        copies: u64,
    },
    /// Not within the patience. It may still come.
    NotYet {
        /// How long was waited.
        waited: TimeDelta,
        /// The last problem with asking, if the asking was the problem.
        problem: Option<String>,
    },
}

/// Queries until the row with this key can be seen, and says how long that took.
///
/// A query that fails (a new table is not known for some minutes) is asked again like one that finds
/// nothing.
pub async fn wait_until_visible(
    finder: &dyn RowFinder,
    table: &str,
    key: &str,
    pace: &ProbePace,
    clock: &SharedClock,
) -> Visibility {
    let kql = probe_query(table, key);
    let started = clock.now();
    let mut wait = pace.first_wait;
    let mut waited = Duration::ZERO;
    loop {
        let problem = match finder.count(&kql).await {
            Ok(0) => None,
            Ok(copies) => {
                return Visibility::Visible {
                    after: clock.now() - started,
                    copies,
                };
            }
            Err(problem) => Some(problem),
        };
        if waited >= pace.patience {
            return Visibility::NotYet {
                waited: clock.now() - started,
                problem,
            };
        }
        tokio::time::sleep(wait).await;
        waited += wait;
        wait = (wait * 2).min(pace.longest_wait);
    }
}

/// Counts the rows of a table with a key. Table and key are quoted.
fn probe_query(table: &str, key: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "['{}']\n| where {IDEMPOTENCY_KEY} == '{}'\n| count",
        quoted(table),
        quoted(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::Mutex;

    use foretide_domain::SystemClock;

    /// Answers in turn, the last answer for ever.
    #[derive(Debug)]
    struct Answers(Mutex<Vec<Result<u64, String>>>);

    #[async_trait]
    impl RowFinder for Answers {
        async fn count(&self, kql: &str) -> Result<u64, String> {
            assert!(kql.contains("== 'it\\'s'"), "{kql}");
            let mut answers = self.0.lock().unwrap();
            if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0].clone()
            }
        }
    }

    async fn probe(answers: Vec<Result<u64, String>>) -> Visibility {
        let pace = ProbePace {
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(2),
            patience: Duration::from_millis(8),
        };
        let finder = Answers(Mutex::new(answers));
        let clock: SharedClock = Arc::new(SystemClock);
        wait_until_visible(&finder, "PredictiveAlerting_CL", "it's", &pace, &clock).await
    }

    #[tokio::test]
    async fn a_row_that_comes_late_is_seen_and_timed() {
        let late = vec![Err("no such table".to_owned()), Ok(0), Ok(0), Ok(2)];
        let Visibility::Visible { after, copies } = probe(late).await else {
            panic!("it was there in the end");
        };
        assert_eq!(copies, 2);
        assert!(after >= TimeDelta::milliseconds(3), "{after}");
    }

    #[tokio::test]
    async fn a_row_that_never_comes_is_said_so() {
        let outcome = probe(vec![Ok(0), Err("no right to read".to_owned())]).await;
        assert!(
            matches!(&outcome, Visibility::NotYet { problem: Some(problem), .. } if problem == "no right to read"),
            "{outcome:?}"
        );
    }
}
