//! Rows into bodies of bounded size.

use std::ops::Range;

use serde_json::Value;

/// Rows that go into one call, or one row that fits into none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    Body { rows: Range<usize>, body: Vec<u8> },
    RowTooLarge { row: usize, bytes: usize },
}

impl Chunk {
    pub(crate) fn rows(&self) -> Range<usize> {
        match self {
            Self::Body { rows, .. } => rows.clone(),
            Self::RowTooLarge { row, .. } => *row..row + 1,
        }
    }

    /// The same chunk, its rows counted from `offset` rows earlier.
    pub(crate) fn shifted(self, offset: usize) -> Self {
        match self {
            Self::Body { rows, body } => Self::Body {
                rows: rows.start + offset..rows.end + offset,
                body,
            },
            Self::RowTooLarge { row, bytes } => Self::RowTooLarge {
                row: row + offset,
                bytes,
            },
        }
    }
}

/// Cuts the rows, in order, into JSON arrays of at most `limit` bytes, as few as that allows.
pub(crate) fn split(rows: &[Value], limit: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut body = Vec::new();
    let mut first = 0;
    for (index, row) in rows.iter().enumerate() {
        let text = serde_json::to_vec(row).expect("a JSON value is always written");
        let too_large = text.len() + "[]".len() > limit;
        let overflows = body.len() + ",]".len() + text.len() > limit;
        if !body.is_empty() && (too_large || overflows) {
            chunks.push(closed(first..index, std::mem::take(&mut body)));
        }
        if too_large {
            chunks.push(Chunk::RowTooLarge {
                row: index,
                bytes: text.len(),
            });
            continue;
        }
        if body.is_empty() {
            first = index;
            body.push(b'[');
        } else {
            body.push(b',');
        }
        body.extend_from_slice(&text);
    }
    if !body.is_empty() {
        chunks.push(closed(first..rows.len(), body));
    }
    chunks
}

fn closed(rows: Range<usize>, mut body: Vec<u8>) -> Chunk {
    body.push(b']');
    Chunk::Body { rows, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn nothing_makes_no_call() {
        assert!(split(&[], 100).is_empty());
    }

    #[test]
    fn fills_a_chunk_to_the_last_byte() {
        // `["aa","bb"]` is 11 bytes.
        let rows = [json!("aa"), json!("bb")];
        assert_eq!(split(&rows, 11).len(), 1);
        assert_eq!(split(&rows, 10).len(), 2);
    }

    #[test]
    fn a_row_that_fits_nowhere_is_named_and_the_others_go_on() {
        let rows = [json!("a"), json!("x".repeat(50)), json!("b"), json!("c")];
        let ranges: Vec<_> = split(&rows, 20).iter().map(Chunk::rows).collect();
        assert_eq!(ranges, [0..1, 1..2, 2..4]);
        assert_eq!(
            split(&rows, 20)[1],
            Chunk::RowTooLarge { row: 1, bytes: 52 }
        );
    }

    proptest! {
        #[test]
        fn every_row_is_in_exactly_one_chunk_and_no_chunk_is_too_large(
            lengths in prop::collection::vec(0_usize..60, 0..80),
            limit in 10_usize..120,
        ) {
            let rows: Vec<_> = lengths.iter().map(|length| json!("é".repeat(*length))).collect();
            let mut next = 0;
            for chunk in split(&rows, limit) {
                prop_assert_eq!(chunk.rows().start, next);
                next = chunk.rows().end;
                match chunk {
                    Chunk::Body { rows: range, body } => {
                        prop_assert!(body.len() <= limit);
                        let read: Vec<Value> = serde_json::from_slice(&body).unwrap();
                        prop_assert_eq!(&read[..], &rows[range]);
                    }
                    Chunk::RowTooLarge { bytes, .. } => prop_assert!(bytes + 2 > limit),
                }
            }
            prop_assert_eq!(next, rows.len());
        }
    }
}
