//! Forecasts, risk windows and outboxes in SQL.

mod audit;
mod entities;
mod forecasts;
mod keep;
mod windows;
mod write_back;

use foretide_db::Database;

pub(crate) use audit::AuditEvent;
pub(crate) use windows::WindowQuery;
pub(crate) use write_back::{WaitingSeries, WriteBackState};

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
