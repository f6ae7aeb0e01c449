//! What waits for the workspace, told to those who ask.

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_outbox::{Outbox, State};
use foretide_write_back::{Waiting, WaitingRows};

/// The rows of evaluations.
pub(crate) struct AuditorRows {
    pub(crate) outbox: Outbox,
    /// Where they go.
    pub(crate) table: String,
}

#[async_trait]
impl WaitingRows for AuditorRows {
    async fn waiting(&self) -> Result<Vec<Waiting>, DbError> {
        let parts = self.outbox.undelivered().await?.into_iter();
        Ok(Waiting::summed(parts.map(|part| Waiting {
            table: self.table.clone(),
            rows: part.items,
            problem: part.reason.unwrap_or_default(),
            refused: part.state == State::Refused,
        })))
    }
}
