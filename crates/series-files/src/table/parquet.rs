//! Parquet, read a slice of rows at a time.

use std::path::Path;

use polars::prelude::*;

use super::source::Source;
use super::{Cell, EachRow, guarded};
use crate::error::{Place, SeriesFileError};

/// Rows held at a time.
const SLICE: usize = 128 * 1024;

const PARQUET: &str = "Parquet";

const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn columns(source: &Source) -> Result<Vec<String>, SeriesFileError> {
    let file = source.file()?;
    guarded(source.shown(), PARQUET, || {
        let schema = ParquetReader::new(file).schema()?;
        PolarsResult::Ok(schema.iter_names().map(ToString::to_string).collect())
    })
}

pub(super) fn for_each(
    source: &Source,
    columns: &[String],
    each: EachRow<'_>,
) -> Result<(), SeriesFileError> {
    let path = source.shown();
    let file = source.file()?;
    let rows = guarded(path, PARQUET, || ParquetReader::new(file).num_rows())?;
    for offset in (0..rows).step_by(SLICE) {
        let file = source.file()?;
        let frame = guarded(path, PARQUET, || {
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
    // A type that the library cannot hold shows at the first value.
    guarded(path, PARQUET, || {
        let first = columns.iter().map(|column| column.get(0));
        first
            .map(|value| value.map(|value| cell(&value) != Cell::Null))
            .collect::<PolarsResult<Vec<_>>>()
    })?;
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
        AnyValue::Categorical(..)
        | AnyValue::CategoricalOwned(..)
        | AnyValue::Enum(..)
        | AnyValue::EnumOwned(..) => value.get_str().map_or(Cell::Null, text_cell),
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
