//! What waits for the workspace, told to those who ask.

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_write_back::{Waiting, WaitingRows};

use crate::storage::Storage;

/// The rows of evaluations.
pub(crate) struct AuditorRows {
    pub(crate) storage: Storage,
    /// Where they go.
    pub(crate) table: String,
}

#[async_trait]
impl WaitingRows for AuditorRows {
    async fn waiting(&self) -> Result<Vec<Waiting>, DbError> {
        self.storage.rows_waiting(&self.table).await
    }
}
