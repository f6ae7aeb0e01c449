//! Tasks of the write-back, left in the transactions that keep what they speak of.

use chrono::{DateTime, Utc};
use foretide_db::DbError;
use foretide_domain::{ForecastId, RunId};
use foretide_outbox::NewItem;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::surges::{SurgeState, move_refused};
use super::write_back::{Way, give_up_series};

/// The channel into the workspace.
pub(crate) const WRITE_BACK: &str = "write_back";

/// Something to be brought into the workspace. What exactly is read when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(crate) enum Task {
    /// The rows of a forecast that wait.
    Rows { forecast: ForecastId },
    /// The tombstones of a withdrawn forecast.
    Withdrawal { forecast: ForecastId },
    /// Predicted windows that are due, and tombstones of those that no longer stand.
    Windows,
}

impl Task {
    fn item(self, run_id: Option<RunId>) -> NewItem {
        let (key, order_key) = match self {
            Self::Rows { forecast } => (format!("rows/{forecast}"), forecast.to_string()),
            Self::Withdrawal { forecast } => {
                (format!("withdrawal/{forecast}"), forecast.to_string())
            }
            Self::Windows => (format!("windows/{}", Uuid::now_v7()), "windows".to_owned()),
        };
        NewItem {
            key,
            order_key: Some(order_key),
            run_id,
            payload: json!(self),
        }
    }
}

/// Leaves a task beside what it speaks of.
pub(super) async fn leave_task(
    tx: &DatabaseTransaction,
    task: Task,
    run_id: Option<RunId>,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    foretide_outbox::insert(tx, WRITE_BACK, [task.item(run_id)], at).await
}

/// Keeps that nobody wants any more what of a task was refused.
pub(crate) async fn give_up(tx: &DatabaseTransaction, task: Task) -> Result<(), DbError> {
    match task {
        Task::Rows { forecast } => give_up_series(tx, forecast, Way::ROWS).await,
        Task::Withdrawal { forecast } => give_up_series(tx, forecast, Way::TOMBSTONES).await,
        Task::Windows => move_refused(tx, SurgeState::Never, SurgeState::Standing).await,
    }
}
