//! Rows that the workspace has not accepted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use foretide_db::DbError;

/// Rows of a table that are not in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The table they go to.
    pub table: String,
    /// How many.
    pub rows: u64,
    /// Why, as far as it was tried; empty before the first try.
    pub problem: String,
    /// The workspace will not have them: they are not sent again.
    pub refused: bool,
}

impl Waiting {
    /// Adds up what waits for the same reason.
    #[must_use]
    pub fn summed(parts: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut sums: BTreeMap<(String, String, bool), u64> = BTreeMap::new();
        for part in parts {
            let key = (part.table, part.problem, part.refused);
            *sums.entry(key).or_default() += part.rows;
        }
        sums.into_iter()
            .filter(|(_, rows)| *rows > 0)
            .map(|((table, problem, refused), rows)| Self {
                table,
                rows,
                problem,
                refused,
            })
            .collect()
    }
}

/// Who knows what waits: a service's outbox.
#[async_trait]
pub trait WaitingRows: Send + Sync + 'static {
    /// What waits, by table and reason.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn waiting(&self) -> Result<Vec<Waiting>, DbError>;
}
