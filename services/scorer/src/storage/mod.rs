//! Forecasts, risk windows and outboxes in SQL.

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
use foretide_outbox::{AUDIT, Outbox};

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

    /// What the audit chain is to be told.
    pub(crate) fn audit_events(&self) -> Outbox {
        Outbox::new(self.database.clone(), AUDIT)
    }
}
