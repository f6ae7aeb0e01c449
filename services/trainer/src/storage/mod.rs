//! The registry and the ledger in SQL.

mod entities;
mod ledger;
mod versions;

use foretide_db::Database;

pub(crate) use ledger::LedgerEntry;

/// The service's tables.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}
