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

/// The table that a stream leads to, by its name: `Custom-X` and `Custom-X_CL` to `X_CL`.
#[must_use]
pub fn table_of(stream: &str) -> String {
    let name = stream.strip_prefix("Custom-").unwrap_or(stream);
    if name.ends_with("_CL") {
        name.to_owned()
    } else {
        format!("{name}_CL")
    }
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

#[cfg(test)]
mod tests {
    use super::table_of;

    #[test]
    fn a_stream_leads_to_a_table() {
        for stream in ["Custom-Story", "Custom-Story_CL", "Story_CL", "Story"] {
            assert_eq!(table_of(stream), "Story_CL");
        }
    }
}
