//! CSV and its kin, plain or gzipped.

use std::io::{BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::source::Source;
use super::{Cell, EachRow};
use crate::error::{Place, SeriesFileError};

/// Longest record; a longer one means that a quote was not closed.
const LONGEST_RECORD: usize = 1 << 20;

const BUFFER: usize = 128 * 1024;

/// Separators that are recognised.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How a text is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextShape {
    separator: u8,
}

impl TextShape {
    /// The separator that was given, or the one that parts header and first rows alike.
    pub(super) fn judge(source: &Source, given: Option<u8>) -> Result<Self, SeriesFileError> {
        let (head, is_all) = head(source)?;
        if let Some(separator) = given {
            return Ok(Self { separator });
        }
        let mut best = (1, b',');
        let mut rival = None;
        let widths = SEPARATORS.map(|separator| (width(&head, separator, is_all), separator));
        for ((width, is_alike), separator) in widths {
            let width = if is_alike { width } else { 1 };
            if width > best.0 {
                (best, rival) = ((width, separator), None);
            } else if width == best.0 && width > 1 {
                rival = Some(separator);
            }
        }
        if let Some(rival) = rival {
            let problem = format!(
                "may be separated by {} or by {}",
                described(best.1),
                described(rival)
            );
            let advice = "say which: --separator ',', ';', '|' or tab";
            return Err(SeriesFileError::of_file(source.shown(), problem, advice));
        }
        if best.0 == 1 {
            // No row is like the header: the one that parts the header most names the row at fault.
            for ((width, _), separator) in widths {
                if width > best.0 {
                    best = (width, separator);
                }
            }
        }
        Ok(Self { separator: best.1 })
    }

    pub(super) fn described(self) -> &'static str {
        described(self.separator)
    }
}

fn described(separator: u8) -> &'static str {
    match separator {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        _ => "the separator given",
    }
}

/// The first bytes of a text, which hold its header, and whether they are all of it.
fn head(source: &Source) -> Result<(Vec<u8>, bool), SeriesFileError> {
    const USUAL: u64 = 64 * 1024;
    let mut reader = text(source)?;
    let mut head = Vec::new();
    let mut take = |count: u64, head: &mut Vec<u8>| {
        let read = reader.by_ref().take(count).read_to_end(head);
        read.map_err(|error| damaged(source.shown(), &error))
    };
    let mut is_all = (take(USUAL, &mut head)? as u64) < USUAL;
    if !is_all && !head.contains(&b'\n') {
        let more = LONGEST_RECORD as u64;
        is_all = (take(more, &mut head)? as u64) < more;
        if !head.contains(&b'\n') && !is_all {
            return Err(SeriesFileError::of_place(
                source.shown(),
                Place::Line(1),
                "the header is longer than 1 MiB",
                "give a text table with a line of column names",
            ));
        }
    }
    Ok((head, is_all))
}

/// How many columns a separator makes of the header, and whether the rows have as many.
fn width(head: &[u8], separator: u8, is_all: bool) -> (usize, bool) {
    let reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(head);
    let mut widths: Vec<usize> = reader
        .into_byte_records()
        .take(32)
        .map_while(Result::ok)
        .map(|record| record.len())
        .collect();
    if !is_all && widths.len() < 32 && widths.len() > 1 {
        widths.pop();
    }
    let width = widths.first().copied().unwrap_or(1);
    (width, widths.iter().all(|other| *other == width))
}

pub(super) fn columns(source: &Source, shape: TextShape) -> Result<Vec<String>, SeriesFileError> {
    let path = source.shown();
    let mut reader = open(source, shape)?;
    let header = reader
        .byte_headers()
        .map_err(|error| broken(path, &error, shape))?;
    let columns: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    for (index, name) in columns.iter().enumerate() {
        if !name.is_empty() && columns[..index].contains(name) {
            return Err(SeriesFileError::at(
                path,
                Place::Line(1),
                name,
                "stands twice in the header",
                "give each column its own name",
            ));
        }
    }
    Ok(columns)
}

pub(super) fn for_each(
    source: &Source,
    shape: TextShape,
    columns: &[usize],
    each: EachRow<'_>,
) -> Result<(), SeriesFileError> {
    let path = source.shown();
    let mut reader = open(source, shape)?;
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| broken(path, &error, shape))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let place = if source.is_sheet() {
            Place::Row(line)
        } else {
            Place::Line(line)
        };
        if record.as_slice().len() > LONGEST_RECORD {
            return Err(SeriesFileError::of_place(
                path,
                place,
                "the row is longer than 1 MiB",
                "look for a quote that is not closed",
            ));
        }
        let cells = columns
            .iter()
            .map(|at| cell(path, place, record.get(*at).unwrap_or_default()))
            .collect::<Result<Vec<_>, _>>()?;
        each(place, &cells)?;
    }
    Ok(())
}

fn cell<'a>(path: &Path, place: Place, bytes: &'a [u8]) -> Result<Cell<'a>, SeriesFileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        SeriesFileError::of_place(
            path,
            place,
            "the text is not UTF-8",
            "save the file as UTF-8",
        )
    })?;
    let text = text.trim();
    Ok(if text.is_empty() {
        Cell::Null
    } else {
        Cell::Text(text)
    })
}

fn open(source: &Source, shape: TextShape) -> Result<Reader<impl Read>, SeriesFileError> {
    Ok(ReaderBuilder::new()
        .buffer_capacity(BUFFER)
        .delimiter(shape.separator)
        .from_reader(text(source)?))
}

fn text(source: &Source) -> Result<impl Read, SeriesFileError> {
    let lines = Unreturned {
        inner: source.text()?,
        held: false,
    };
    Ok(BufReader::with_capacity(BUFFER, lines))
}

/// Takes the carriage return out of the ends of lines: the reader of CSV counts lines by what it has
/// passed of an end, and is one behind after `\r\n`. Reads have room for two bytes at least.
struct Unreturned<R> {
    inner: R,
    /// Whether the last byte read was a carriage return, which what follows decides about.
    held: bool,
}

impl<R: Read> Read for Unreturned<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.len() < 2 {
            return Err(std::io::Error::other("needs room for two bytes"));
        }
        loop {
            let begin = usize::from(self.held);
            let count = self.inner.read(&mut buffer[begin..])?;
            if self.held {
                buffer[0] = b'\r';
            }
            let end = begin + count;
            if count == 0 {
                self.held = false;
                return Ok(end);
            }
            if !buffer[..end].contains(&b'\r') {
                return Ok(end);
            }
            self.held = buffer[end - 1] == b'\r';
            let kept = without_returns(&mut buffer[..end - usize::from(self.held)]);
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

/// Moves what is kept to the front; how much that is.
fn without_returns(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for at in 0..bytes.len() {
        if bytes[at] != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    kept
}

fn damaged(path: &Path, error: &std::io::Error) -> SeriesFileError {
    SeriesFileError::of_file(
        path,
        format!("breaks off or is damaged: {error}"),
        "copy or export it again",
    )
}

fn broken(path: &Path, error: &csv::Error, shape: TextShape) -> SeriesFileError {
    let place = error
        .position()
        .map_or(Place::File, |position| Place::Line(position.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => SeriesFileError::of_place(
            path,
            place,
            format!(
                "the row has {len} values, the header names {expected_len} (separated by {})",
                shape.described()
            ),
            "give every row one value a column, or another --separator",
        ),
        csv::ErrorKind::Io(error) => damaged(path, error),
        _ => SeriesFileError::of_place(path, place, error.to_string(), "mend the row"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::Unreturned;

    proptest! {
        #[test]
        fn ends_of_lines_lose_their_return_wherever_reads_break(
            text in "[ab\r\n]{0,40}",
            size in 1_usize..9,
        ) {
            let mut reader = Unreturned { inner: text.as_bytes(), held: false };
            let (mut all, mut part) = (Vec::new(), vec![0; size + 1]);
            loop {
                let count = reader.read(&mut part).unwrap();
                if count == 0 {
                    break;
                }
                all.extend_from_slice(&part[..count]);
            }
            prop_assert_eq!(String::from_utf8(all).unwrap(), text.replace("\r\n", "\n"));
        }
    }
}
