//! Rows in chunks, whatever takes them.

use std::ops::Range;

use serde_json::Value;

use crate::UploadError;
use crate::chunks::{Chunk, split};

/// What became of one chunk.
#[derive(Debug)]
pub struct ChunkOutcome {
    /// Which of the given rows it held.
    pub rows: Range<usize>,
    /// Accepted, or why not.
    pub result: Result<(), UploadError>,
}

/// Sends rows in chunks of at most so many bytes, in their order. A chunk that is refused as too large
/// is halved; after an error that concerns every chunk the rest is not tried. Every row is in exactly
/// one outcome.
pub(crate) async fn upload_chunks<Sending>(
    rows: &[Value],
    most_bytes: usize,
    send: impl Fn(Vec<u8>) -> Sending,
) -> Vec<ChunkOutcome>
where
    Sending: Future<Output = Result<(), UploadError>>,
{
    let mut waiting = split(rows, most_bytes);
    waiting.reverse();
    let mut outcomes = Vec::with_capacity(waiting.len());
    let mut stopped = false;
    while let Some(chunk) = waiting.pop() {
        let range = chunk.rows();
        let result = match chunk {
            _ if stopped => Err(UploadError::NotTried),
            Chunk::Body { body, .. } => {
                let result = send(body).await;
                if matches!(result, Err(UploadError::TooLarge)) && range.len() > 1 {
                    waiting.extend(halves(rows, &range, most_bytes));
                    continue;
                }
                result
            }
            Chunk::RowTooLarge { row, bytes } => Err(UploadError::RowTooLarge { row, bytes }),
        };
        stopped |= result
            .as_ref()
            .is_err_and(UploadError::concerns_every_chunk);
        outcomes.push(ChunkOutcome {
            rows: range,
            result,
        });
    }
    outcomes
}

/// Both halves of a chunk, the later one first: they go back on a stack.
fn halves(rows: &[Value], range: &Range<usize>, most_bytes: usize) -> Vec<Chunk> {
    let middle = range.start + range.len() / 2;
    let mut parts = Vec::new();
    for part in [range.start..middle, middle..range.end] {
        let offset = part.start;
        parts.extend(
            split(&rows[part], most_bytes)
                .into_iter()
                .map(|chunk| chunk.shifted(offset)),
        );
    }
    parts.reverse();
    parts
}
