//! Heads of the audit chain, kept outside the database.
//!
//! A chain cannot show by itself that its newest records were cut off or that all of it was rewritten.
//! After every evaluation the head goes into the lake, where objects are never overwritten.

use bytes::Bytes;
use foretide_audit_chain::Head;
use foretide_lake::{Lake, LakeError};

const FOLDER: &str = "audit/checkpoints/";
/// The newest so many are held against the chain when it is verified.
const NEWEST: usize = 100;

/// Keeps checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    lake: Lake,
}

impl Checkpoints {
    pub(crate) fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Keeps a head. The same head again is fine; another one of the same sequence is a conflict,
    /// because it means that the chain was rewritten.
    pub(crate) async fn keep(&self, head: &Head) -> Result<(), LakeError> {
        if head.sequence == 0 {
            return Ok(());
        }
        let path = format!("{FOLDER}{:020}.json", head.sequence);
        let text = serde_json::json!({"sequence": head.sequence, "hash": head.hash}).to_string();
        self.lake.put_immutable(&path, Bytes::from(text)).await?;
        Ok(())
    }

    /// The newest checkpoints, oldest first. One that cannot be read is left out, and said so.
    pub(crate) async fn newest(&self) -> Result<Vec<Head>, LakeError> {
        let mut paths: Vec<String> = self
            .lake
            .list(FOLDER)
            .await?
            .into_iter()
            .map(|object| object.path)
            .collect();
        paths.sort();
        let mut heads = Vec::new();
        for path in paths.iter().rev().take(NEWEST).rev() {
            let bytes = self.lake.get(path, None).await?;
            match serde_json::from_slice(&bytes) {
                Ok(head) => heads.push(head),
                Err(error) => tracing::error!(path, %error, "checkpoint cannot be read"),
            }
        }
        Ok(heads)
    }
}
