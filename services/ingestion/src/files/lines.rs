//! Lines and CSV records of a text of any length, in bounded memory.

use std::io::{self, BufRead};

/// Longest line or record, bytes.
pub(super) const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A line, or as much of it as is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes it takes in the text, its end included.
    pub(super) length: u64,
    /// Line breaks in it.
    pub(super) breaks: u64,
    /// Whether its end was found.
    pub(super) is_complete: bool,
    /// Whether it is longer than allowed; then only its beginning is in the buffer.
    pub(super) is_oversized: bool,
}

/// Reads the next line into the buffer, without its end. Nothing at the end of the text.
pub(super) fn next_line(text: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Option<Line>> {
    buffer.clear();
    read_until_break(text, buffer)
}

/// Reads the next CSV record: lines are joined while a quote is open. A record that becomes too
/// long is given up after its first line, so that one stray quote costs one line only when the
/// text is small enough to look back, and at most a megabyte of it otherwise.
pub(super) fn next_record(
    text: &mut dyn BufRead,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Line>> {
    buffer.clear();
    let Some(mut record) = read_until_break(text, buffer)? else {
        return Ok(None);
    };
    while record.is_complete && !record.is_oversized && has_open_quote(buffer) {
        buffer.push(b'\n');
        let Some(more) = read_until_break(text, buffer)? else {
            record.is_complete = false;
            break;
        };
        record.length += more.length;
        record.breaks += more.breaks;
        record.is_complete = more.is_complete;
        record.is_oversized = more.is_oversized;
    }
    Ok(Some(record))
}

fn has_open_quote(record: &[u8]) -> bool {
    record.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}

/// Appends up to the next line break; past the limit it only counts.
fn read_until_break(text: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Option<Line>> {
    let mut line = Line {
        length: 0,
        breaks: 0,
        is_complete: false,
        is_oversized: false,
    };
    loop {
        let available = text.fill_buf()?;
        if available.is_empty() {
            return Ok((line.length > 0).then_some(line));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = MAX_LINE_BYTES.saturating_sub(buffer.len());
        buffer.extend_from_slice(&part[..part.len().min(room)]);
        line.is_oversized |= part.len() > room;
        let used = part.len() + usize::from(end.is_some());
        text.consume(used);
        line.length += u64::try_from(used).unwrap_or(u64::MAX);
        if end.is_some() {
            line.breaks = 1;
            line.is_complete = true;
            if buffer.last() == Some(&b'\r') {
                buffer.pop();
            }
            return Ok(Some(line));
        }
    }
}

/// Splits a record into its fields; nothing when it is not one record of at most 1,024 fields.
pub(super) fn fields(record: &[u8]) -> Option<Vec<Vec<u8>>> {
    const MAX_FIELDS: usize = 1024;
    let mut reader = csv_core::Reader::new();
    let mut text = vec![0; record.len() + 1];
    let mut ends = vec![0; MAX_FIELDS];
    let (first, used, mut written, mut count) = reader.read_record(record, &mut text, &mut ends);
    match first {
        csv_core::ReadRecordResult::InputEmpty => {
            let (last, _, more_text, more_ends) =
                reader.read_record(&[], &mut text[written..], &mut ends[count..]);
            if last != csv_core::ReadRecordResult::Record {
                return None;
            }
            written += more_text;
            count += more_ends;
        }
        csv_core::ReadRecordResult::Record if used == record.len() => {}
        _ => return None,
    }
    let mut start = 0;
    let mut fields = Vec::with_capacity(count);
    for end in &ends[..count] {
        let end = (*end).min(written);
        fields.push(text.get(start..end)?.to_vec());
        start = end;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(Vec<u8>, Line)> {
        let mut text = text;
        let mut buffer = Vec::new();
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut text, &mut buffer).unwrap() {
            lines.push((buffer.clone(), line));
        }
        lines
    }

    #[test]
    fn lines_end_with_either_break_and_the_last_may_be_open() {
        let read = lines(b"one\r\ntwo\n\nthree");
        let texts: Vec<&[u8]> = read.iter().map(|(text, _)| text.as_slice()).collect();
        assert_eq!(texts, [b"one".as_slice(), b"two", b"", b"three"]);
        assert!(!read[3].1.is_complete);
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let mut text = vec![b'x'; 3 * MAX_LINE_BYTES];
        text.extend_from_slice(b"\nnext\n");
        let read = lines(&text);
        assert!(read[0].1.is_oversized);
        assert!(read[0].0.len() <= MAX_LINE_BYTES);
        assert_eq!(read[1].0, b"next");
    }

    #[test]
    fn a_record_may_have_line_breaks_in_quotes() {
        let mut text: &[u8] = b"a,\"b\nc\",d\ne,f,g\n";
        let mut buffer = Vec::new();
        let record = next_record(&mut text, &mut buffer).unwrap().unwrap();
        assert_eq!((record.length, record.breaks), (10, 2));
        assert_eq!(
            fields(&buffer).unwrap(),
            [b"a".to_vec(), b"b\nc".to_vec(), b"d".to_vec()]
        );
        next_record(&mut text, &mut buffer).unwrap().unwrap();
        assert_eq!(fields(&buffer).unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn every_byte_is_in_exactly_one_line(text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'"'), Just(b','), any::<u8>()], 0..400)) {
            let total: u64 = lines(&text).iter().map(|(_, line)| line.length).sum();
            prop_assert_eq!(total, text.len() as u64);
            let (mut rest, mut buffer, mut length) = (text.as_slice(), Vec::new(), 0);
            while let Some(record) = next_record(&mut rest, &mut buffer).unwrap() {
                length += record.length;
                fields(&buffer);
            }
            prop_assert_eq!(length, text.len() as u64);
        }

        #[test]
        fn fields_come_back(values in prop::collection::vec("[a-z\" ,]{0,6}", 2..8)) {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
            let read = fields(quoted.join(",").as_bytes()).expect("a record");
            let expected: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
