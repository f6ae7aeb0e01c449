//! The orchestrator's own tables, spoken of in domain types.

mod entities;
mod queries;

use foretide_db::Database;

/// Access to the tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    database: Database,
}

impl Storage {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}
