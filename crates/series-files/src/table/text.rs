//! CSV, plain or gzipped.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use super::{Cell, EachRow};
use crate::error::{Place, SeriesFileError};

/// Longest record; a longer one means that a quote was not closed.
const LONGEST_RECORD: usize = 1 << 20;

const BUFFER: usize = 128 * 1024;

/// What UTF-16 begins with, as spreadsheets save "Unicode text".
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

pub(super) fn columns(path: &Path, gzipped: bool) -> Result<Vec<String>, SeriesFileError> {
    let mut reader = open(path, gzipped)?;
    let header = reader
        .byte_headers()
        .map_err(|error| broken(path, &error))?;
    if UTF_16
        .iter()
        .any(|mark| header.as_slice().starts_with(mark))
    {
        return Err(SeriesFileError::of_file(
            path,
            "is UTF-16 text",
            "save it as CSV in UTF-8",
        ));
    }
    let columns: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    for (index, name) in columns.iter().enumerate() {
        if columns[..index].contains(name) {
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
    path: &Path,
    gzipped: bool,
    columns: &[usize],
    each: EachRow<'_>,
) -> Result<(), SeriesFileError> {
    let mut reader = open(path, gzipped)?;
    let mut record = ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| broken(path, &error))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let place = Place::Line(line);
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

fn open(path: &Path, gzipped: bool) -> Result<Reader<Box<dyn Read>>, SeriesFileError> {
    let file = File::open(path).map_err(|error| SeriesFileError::unreadable(path, &error))?;
    let buffered = BufReader::with_capacity(BUFFER, file);
    let source: Box<dyn Read> = if gzipped {
        Box::new(MultiGzDecoder::new(buffered))
    } else {
        Box::new(buffered)
    };
    Ok(ReaderBuilder::new()
        .buffer_capacity(BUFFER)
        .from_reader(source))
}

fn broken(path: &Path, error: &csv::Error) -> SeriesFileError {
    let place = error
        .position()
        .map_or(Place::File, |position| Place::Line(position.line()));
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => SeriesFileError::of_place(
            path,
            place,
            format!("the row has {len} values, the header names {expected_len}"),
            "give every row one value a column",
        ),
        csv::ErrorKind::Io(error) => SeriesFileError::of_file(
            path,
            format!("breaks off or is damaged: {error}"),
            "copy or export it again",
        ),
        _ => SeriesFileError::of_place(path, place, error.to_string(), "mend the row"),
    }
}
