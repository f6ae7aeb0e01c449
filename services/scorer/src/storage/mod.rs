//! Forecasts, risk windows and outboxes in SQL.

mod audit;
mod entities;
mod forecasts;
mod issued;
mod keep;
mod surges;
mod waiting;
mod watchlist;
mod windows;
mod withdrawals;
mod write_back;

use foretide_db::Database;

pub(crate) use audit::AuditEvent;
pub(crate) use keep::Keeping;
pub(crate) use surges::{Retraction, SurgeRow, SurgeState};
pub(crate) use windows::WindowQuery;
pub(crate) use withdrawals::{Retracted, Withdrawal};
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
