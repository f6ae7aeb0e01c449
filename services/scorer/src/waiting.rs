//! What waits for the workspace, told to those who ask.

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_logs_ingestion::table_of;
use foretide_write_back::{Waiting, WaitingRows};

use crate::config::Config;
use crate::storage::Store;

/// The rows of forecasts and of predicted windows.
pub(crate) struct ScorerRows {
    store: Store,
    table: String,
    surge_table: String,
}

impl ScorerRows {
    /// Of the streams that are configured; without a way back nothing waits.
    pub(crate) fn new(store: Store, config: &Config) -> Self {
        let write_back = config.write_back.as_ref();
        let stream = write_back.map(|way| way.stream.as_str());
        let surges = write_back.and_then(|way| way.surge_stream.as_deref());
        Self {
            store,
            table: table_of(stream.unwrap_or_default()),
            surge_table: table_of(surges.unwrap_or_default()),
        }
    }
}

#[async_trait]
impl WaitingRows for ScorerRows {
    async fn waiting(&self) -> Result<Vec<Waiting>, DbError> {
        let mut waiting = self.store.hours_waiting(&self.table).await?;
        waiting.extend(self.store.windows_waiting(&self.surge_table).await?);
        Ok(waiting)
    }
}
