//! Sheets of workbooks (Excel and OpenDocument), as text.

use std::io::Cursor;
use std::io::Read;

use calamine::{Data, Range, Reader, Sheets, open_workbook_auto_from_rs};
use chrono::{DurationRound, TimeDelta};

use super::guarded;
use super::source::Source;
use crate::error::{SeriesFileError, quoted};

/// Largest workbook taken, bytes: all of it is held.
const LARGEST: u64 = 256 << 20;

/// A sheet as CSV, a line a row, so that its lines are numbered as its rows are.
pub(super) fn text_of(source: &Source, sheet: Option<&str>) -> Result<Vec<u8>, SeriesFileError> {
    let path = source.shown();
    let mut bytes = Vec::new();
    source
        .file()?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| SeriesFileError::unreadable(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        let problem = "is a workbook of more than 256 MiB";
        return Err(SeriesFileError::of_file(
            path,
            problem,
            "save the sheet as CSV",
        ));
    }
    let mut book: Sheets<_> = guarded(path, "Excel", || {
        open_workbook_auto_from_rs(Cursor::new(&bytes))
    })?;
    let names = book.sheet_names();
    let name = match sheet {
        Some(sheet) => names.iter().find(|name| name.as_str() == sheet),
        None => names.first(),
    };
    let Some(name) = name else {
        let there: Vec<_> = names.iter().map(|name| quoted(name)).collect();
        let problem = format!("has no sheet {}", sheet.map_or_else(String::new, quoted));
        let advice = format!("give --sheet one of {}", there.join(", "));
        return Err(SeriesFileError::of_file(path, problem, advice));
    };
    let range = guarded(path, "Excel", || book.worksheet_range(name))?;
    written(&range).map_err(|error| SeriesFileError::unreadable(path, &error))
}

fn written(range: &Range<Data>) -> Result<Vec<u8>, csv::Error> {
    let above = range.start().map_or(0, |(row, _)| row);
    let mut writer = csv::Writer::from_writer(vec![b'\n'; above as usize]);
    for row in range.rows() {
        writer.write_record(row.iter().map(shown))?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// A cell on one line; times to the second, which their fractions of a day miss by a hair.
fn shown(cell: &Data) -> String {
    let time = match cell {
        Data::DateTime(time) if !time.is_duration() => time.as_datetime(),
        _ => None,
    };
    match time.and_then(|time| time.duration_round(TimeDelta::seconds(1)).ok()) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => cell.to_string().replace(['\r', '\n'], " "),
    }
}
