//! How many rows an object has, told from its beginning (or, of Parquet, its footer).

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use object_store::{ObjectStore, ObjectStoreExt};
use polars::prelude::{ParquetReader, SerReader};

use super::Found;
use super::layout::Format;
use crate::source::IngestError;

/// Bytes at the beginning of a text that are looked at.
const TEXT_BYTES: u64 = 256 * 1024;
/// Largest Parquet object that is fetched for its number of rows.
const MAX_PARQUET_BYTES: u64 = 64 * 1024 * 1024;

/// Rows a byte of an object; nothing when it does not tell.
pub(super) async fn rows_per_byte(
    store: &dyn ObjectStore,
    found: &Found,
) -> Result<Option<f64>, IngestError> {
    let placed = found.placed;
    let length = match placed.format {
        Format::Parquet if found.size > MAX_PARQUET_BYTES => return Ok(None),
        Format::Parquet => found.size,
        Format::JsonLines | Format::Csv => found.size.min(TEXT_BYTES),
    };
    if length == 0 {
        return Ok(None);
    }
    let Ok(bytes) = store.get_range(&found.at, 0..length).await else {
        // it may be gone by now; reading it will say so
        return Ok(None);
    };
    let rate = tokio::task::spawn_blocking(move || match placed.format {
        Format::Parquet => parquet_rows(&bytes).map(|rows| per_byte(rows, bytes.len())),
        Format::JsonLines | Format::Csv => text_rate(&bytes, placed.gzip),
    });
    Ok(rate.await?)
}

fn parquet_rows(bytes: &Bytes) -> Option<usize> {
    let count = || {
        ParquetReader::new(Cursor::new(bytes.clone()))
            .num_rows()
            .ok()
    };
    catch_unwind(AssertUnwindSafe(count)).ok().flatten()
}

fn text_rate(bytes: &[u8], gzip: bool) -> Option<f64> {
    if !gzip {
        let lines = line_breaks(bytes);
        return (lines > 0).then(|| per_byte(lines, bytes.len()));
    }
    let mut text = vec![0; usize::try_from(TEXT_BYTES * 4).unwrap_or(usize::MAX)];
    let mut decoder = MultiGzDecoder::new(Cursor::new(bytes));
    let mut length = 0;
    // the sample may end in the middle of a block: what came out before is enough
    while length < text.len() {
        match decoder.read(&mut text[length..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => length += more,
        }
    }
    let used = usize::try_from(decoder.get_ref().position()).ok()?;
    let lines = line_breaks(&text[..length]);
    (lines > 0 && used > 0).then(|| per_byte(lines, used))
}

fn line_breaks(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn per_byte(rows: usize, bytes: usize) -> f64 {
    rows as f64 / bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use polars::prelude::{ParquetWriter, df};

    use super::*;

    #[test]
    fn text_tells_its_rows_plain_and_packed() {
        let text = "{\"a\":\"some row of a table\"}\n".repeat(1000);
        let plain = text_rate(text.as_bytes(), false).unwrap();
        assert!((plain * text.len() as f64 - 1000.0).abs() < 1e-6);
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(text.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let rate = text_rate(&packed, true).unwrap();
        assert!((rate * packed.len() as f64 - 1000.0).abs() < 1.0);
        assert_eq!(text_rate(b"\x1f\x8bnoise", true), None);
        assert_eq!(text_rate(b"no end", false), None);
    }

    #[test]
    fn parquet_tells_its_rows_unless_it_is_damaged() {
        let mut frame = df!("a" => vec![1_i64; 321]).unwrap();
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
        assert_eq!(parquet_rows(&Bytes::from(bytes)), Some(321));
        assert_eq!(parquet_rows(&half), None);
    }
}
