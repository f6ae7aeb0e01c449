//! Parquet, read a slice of rows at a time.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::prelude::*;

use super::{Cell, EachRow};
use crate::error::{Place, SeriesFileError};

/// Rows held at a time.
const SLICE: usize = 128 * 1024;

const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn columns(path: &Path) -> Result<Vec<String>, SeriesFileError> {
    guarded(path, |file| {
        let schema = ParquetReader::new(file).schema()?;
        Ok(schema.iter_names().map(ToString::to_string).collect())
    })
}

pub(super) fn for_each(
    path: &Path,
    columns: &[String],
    each: EachRow<'_>,
) -> Result<(), SeriesFileError> {
    let rows = guarded(path, |file| ParquetReader::new(file).num_rows())?;
    for offset in (0..rows).step_by(SLICE) {
        let frame = guarded(path, |file| {
            ParquetReader::new(file)
                .with_columns(Some(columns.to_vec()))
                .with_slice(Some((offset, SLICE)))
                .read_parallel(ParallelStrategy::None)
                .finish()
        })?;
        pass_on(path, &frame, columns, offset, each)?;
    }
    Ok(())
}

fn pass_on(
    path: &Path,
    frame: &DataFrame,
    columns: &[String],
    offset: usize,
    each: EachRow<'_>,
) -> Result<(), SeriesFileError> {
    let columns: Vec<&Column> = columns
        .iter()
        .map(|name| frame.column(name))
        .collect::<PolarsResult<_>>()
        .map_err(|error| SeriesFileError::unreadable(path, &error))?;
    let mut values = Vec::with_capacity(columns.len());
    for at in 0..frame.height() {
        values.clear();
        values.extend(
            columns
                .iter()
                .map(|column| column.get(at).unwrap_or(AnyValue::Null)),
        );
        let cells: Vec<_> = values.iter().map(cell).collect();
        each(Place::Row((offset + at + 1) as u64), &cells)?;
    }
    Ok(())
}

fn cell<'a>(value: &'a AnyValue<'_>) -> Cell<'a> {
    match value {
        AnyValue::Null => Cell::Null,
        AnyValue::String(text) => text_cell(text),
        AnyValue::StringOwned(text) => text_cell(text),
        AnyValue::Date(days) => Cell::Moment(i64::from(*days) * MICROS_PER_DAY, false),
        AnyValue::Datetime(moment, unit, zone) => {
            Cell::Moment(micros(*moment, *unit), zone.is_some())
        }
        AnyValue::DatetimeOwned(moment, unit, zone) => {
            Cell::Moment(micros(*moment, *unit), zone.is_some())
        }
        AnyValue::Boolean(_) => Cell::Other("a yes or no"),
        AnyValue::Binary(_) | AnyValue::BinaryOwned(_) => Cell::Other("bytes"),
        number => number
            .extract::<f64>()
            .map_or(Cell::Other("a nested value"), Cell::Number),
    }
}

fn text_cell(text: &str) -> Cell<'_> {
    match text.trim() {
        "" => Cell::Null,
        text => Cell::Text(text),
    }
}

fn micros(moment: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => moment.div_euclid(1000),
        TimeUnit::Microseconds => moment,
        TimeUnit::Milliseconds => moment.saturating_mul(1000),
    }
}

/// Runs a reader; one that panics on hostile bytes fails like any other.
fn guarded<T>(
    path: &Path,
    read: impl FnOnce(File) -> PolarsResult<T>,
) -> Result<T, SeriesFileError> {
    let file = File::open(path).map_err(|error| SeriesFileError::unreadable(path, &error))?;
    match catch_unwind(AssertUnwindSafe(|| read(file))) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(damaged(path, &error.to_string())),
        Err(panic) => Err(damaged(path, panic_text(panic.as_ref()))),
    }
}

fn damaged(path: &Path, problem: &str) -> SeriesFileError {
    let problem: String = problem.chars().take(256).collect();
    SeriesFileError::of_file(
        path,
        format!("is no readable Parquet file: {problem}"),
        "copy or export it again",
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the reader gave up")
}
