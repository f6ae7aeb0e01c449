//! Tables to Parquet bytes and back, away from the async threads.

use std::io::Cursor;

use bytes::Bytes;
use polars::prelude::*;

use crate::LakeError;

/// Writes the same bytes for the same table: one thread, one order, no timestamps.
pub(crate) async fn encode(path: &str, frame: DataFrame) -> Result<Bytes, LakeError> {
    let written = tokio::task::spawn_blocking(move || write(frame)).await;
    match written {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(corrupt(path, &error)),
        Err(error) => Err(corrupt(path, &error)),
    }
}

/// Reads a table. A reader that panics on hostile bytes is an error like any other.
pub(crate) async fn decode(path: &str, bytes: Bytes) -> Result<DataFrame, LakeError> {
    let read = tokio::task::spawn_blocking(move || {
        ParquetReader::new(Cursor::new(bytes))
            .read_parallel(ParallelStrategy::None)
            .finish()
    })
    .await;
    match read {
        Ok(Ok(frame)) => Ok(frame),
        Ok(Err(error)) => Err(corrupt(path, &error)),
        Err(error) => Err(corrupt(path, &error)),
    }
}

fn write(mut frame: DataFrame) -> PolarsResult<Bytes> {
    let mut bytes = Vec::new();
    frame.rechunk_mut();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(256 * 1024))
        .set_parallel(false)
        .finish(&mut frame)?;
    Ok(bytes.into())
}

fn corrupt(path: &str, problem: &dyn std::fmt::Display) -> LakeError {
    let problem = problem.to_string().chars().take(512).collect();
    LakeError::Corrupt {
        path: path.to_owned(),
        problem,
    }
}
