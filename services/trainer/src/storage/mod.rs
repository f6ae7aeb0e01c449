//! The registry and the ledger in SQL.

mod entities;
mod versions;

use foretide_db::Database;
use foretide_outbox::Outbox;

/// The channel of versions for MLflow.
const MLFLOW: &str = "mlflow";

/// The service's tables.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// What MLflow is to be told, in order by model.
    pub(crate) fn ledger(&self) -> Outbox {
        Outbox::new(self.database.clone(), MLFLOW)
    }
}
