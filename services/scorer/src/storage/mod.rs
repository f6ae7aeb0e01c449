//! Forecasts, risk windows and outboxes in SQL.

mod entities;
mod forecasts;
mod issued;
mod keep;
mod surges;
mod tasks;
mod waiting;
mod watchlist;
mod windows;
mod withdrawals;
mod write_back;

use foretide_db::Database;
use foretide_outbox::Outbox;

pub(crate) use keep::Keeping;
pub(crate) use surges::{Retraction, SentSurges, SurgeRow, SurgeState};
use tasks::WRITE_BACK;
pub(crate) use tasks::{Task, give_up};
pub(crate) use windows::WindowQuery;
pub(crate) use withdrawals::Withdrawal;
pub(crate) use write_back::{SentSeries, Way, WriteBackState};

/// The service's tables.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// What is to be brought into the workspace.
    pub(crate) fn tasks(&self) -> Outbox {
        Outbox::new(self.database.clone(), WRITE_BACK)
    }
}
