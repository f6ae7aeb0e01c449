//! Where rows go, whichever way.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::{ChunkOutcome, DataCollectorClient, LogsIngestionClient};

/// Takes rows for custom tables.
#[async_trait]
pub trait RowSink: fmt::Debug + Send + Sync {
    /// Sends the rows to the stream and says for every chunk what became of it, in the order of the
    /// rows. Every row is in exactly one outcome.
    async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome>;
}

#[async_trait]
impl RowSink for LogsIngestionClient {
    async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome> {
        Self::upload(self, stream, rows).await
    }
}

#[async_trait]
impl RowSink for DataCollectorClient {
    async fn upload(&self, stream: &str, rows: &[Value]) -> Vec<ChunkOutcome> {
        Self::upload(self, stream, rows).await
    }
}
