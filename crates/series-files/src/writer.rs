//! Tables to files, a row at a time.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::*;
use tempfile::NamedTempFile;

use crate::error::SeriesFileError;
use crate::output::{folder_of, is_standard};

/// Rows of a Parquet row group.
const GROUP_ROWS: usize = 64 * 1024;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// A moment; in CSV it is given as text.
    Time,
    /// A number.
    Number,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A moment, and how a text file writes it.
    Time(DateTime<Utc>, &'a str),
    /// A number; one that is not finite becomes an empty cell.
    Number(f64),
}

/// Writes a table as CSV (`.csv`), gzipped CSV (`.csv.gz`) or Parquet (`.parquet`), by the ending of
/// its name, or as CSV to the standard output for `-`. The file appears when [`TableWriter::finish`]
/// has put all of it on disk: one that is there is whole.
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    columns: Vec<(String, ColumnKind)>,
    rows: u64,
    sink: Sink,
    temporary: tempfile::TempPath,
}

#[derive(Debug)]
enum Sink {
    Plain(Box<csv::Writer<BufWriter<File>>>),
    Gzipped(Box<csv::Writer<GzEncoder<BufWriter<File>>>>),
    Parquet(Box<ParquetSink>),
}

impl TableWriter {
    /// Begins a table.
    ///
    /// # Errors
    /// When the name has another ending, or nothing can be written there.
    pub fn create(
        path: &Path,
        columns: Vec<(String, ColumnKind)>,
    ) -> Result<Self, SeriesFileError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut name = name.to_ascii_lowercase();
        let mut folder = folder_of(path).to_path_buf();
        if is_standard(path) {
            ".csv".clone_into(&mut name);
            folder = std::env::temp_dir();
        }
        let unwritable = |error: &dyn std::fmt::Display| SeriesFileError::unwritable(path, error);
        let make = || {
            let file = NamedTempFile::new_in(&folder).map_err(|error| unwritable(&error.kind()))?;
            Ok::<_, SeriesFileError>(file.into_parts())
        };
        let header: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let (sink, temporary) = if name.ends_with(".csv") {
            let (file, temporary) = make()?;
            let mut writer = csv::Writer::from_writer(BufWriter::new(file));
            writer
                .write_record(&header)
                .map_err(|error| unwritable(&error))?;
            (Sink::Plain(Box::new(writer)), temporary)
        } else if name.ends_with(".csv.gz") {
            let (file, temporary) = make()?;
            let packed = GzEncoder::new(BufWriter::new(file), Compression::default());
            let mut writer = csv::Writer::from_writer(packed);
            writer
                .write_record(&header)
                .map_err(|error| unwritable(&error))?;
            (Sink::Gzipped(Box::new(writer)), temporary)
        } else if name.ends_with(".parquet") {
            let (file, temporary) = make()?;
            let sink = ParquetSink::new(file, &columns).map_err(|error| unwritable(&error))?;
            (Sink::Parquet(Box::new(sink)), temporary)
        } else {
            return Err(SeriesFileError::of_file(
                path,
                "has an ending that says no format",
                "end it in .csv, .csv.gz or .parquet",
            ));
        };
        Ok(Self {
            path: path.to_path_buf(),
            columns,
            rows: 0,
            sink,
            temporary,
        })
    }

    /// Adds a row: one value a column, in their order.
    ///
    /// # Errors
    /// When it cannot be written.
    ///
    /// # Panics
    /// When the row has another number of values than the table has columns.
    pub fn row(&mut self, values: &[Value<'_>]) -> Result<(), SeriesFileError> {
        assert_eq!(values.len(), self.columns.len(), "one value a column");
        self.rows += 1;
        let written = match &mut self.sink {
            Sink::Plain(writer) => write_record(writer, values),
            Sink::Gzipped(writer) => write_record(writer, values),
            Sink::Parquet(sink) => sink.push(values).map_err(|error| error.to_string()),
        };
        written.map_err(|error| SeriesFileError::unwritable(&self.path, &error))
    }

    /// Rows written so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Puts everything on disk and gives the file its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<(), SeriesFileError> {
        let unwritable =
            |error: &dyn std::fmt::Display| SeriesFileError::unwritable(&self.path, error);
        let mut file = match self.sink {
            Sink::Plain(writer) => writer
                .into_inner()
                .map_err(|error| unwritable(error.error()))?
                .into_inner()
                .map_err(|error| unwritable(error.error()))?,
            Sink::Gzipped(writer) => writer
                .into_inner()
                .map_err(|error| unwritable(error.error()))?
                .finish()
                .map_err(|error| unwritable(&error))?
                .into_inner()
                .map_err(|error| unwritable(error.error()))?,
            Sink::Parquet(sink) => sink.finish().map_err(|error| unwritable(&error))?,
        };
        if is_standard(&self.path) {
            return pass_on(&mut file).map_err(|error| unwritable(&error));
        }
        file.sync_all().map_err(|error| unwritable(&error))?;
        readable_by_all(&file).map_err(|error| unwritable(&error))?;
        self.temporary
            .persist(&self.path)
            .map_err(|error| unwritable(&error.error))
    }
}

/// Writes a whole table to the standard output.
fn pass_on(file: &mut File) -> std::io::Result<()> {
    file.rewind()?;
    let mut out = std::io::stdout().lock();
    std::io::copy(file, &mut out)?;
    out.flush()
}

/// A temporary file is its owner's alone; a result is as readable as any other file.
#[cfg(unix)]
fn readable_by_all(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> std::io::Result<()> {
    Ok(())
}

fn write_record<W: Write>(writer: &mut csv::Writer<W>, values: &[Value<'_>]) -> Result<(), String> {
    for value in values {
        match value {
            Value::Text(text) | Value::Time(_, text) => writer.write_field(text),
            Value::Number(number) => writer.write_field(decimal(*number)),
        }
        .map_err(|error| error.to_string())?;
    }
    writer
        .write_record(None::<&[u8]>)
        .map_err(|error| error.to_string())
}

/// Seven significant digits, without an exponent; nothing for what is not finite.
fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let magnitude = number.abs().log10().floor() as i32;
    let places = usize::try_from(6 - magnitude).unwrap_or(0).min(12);
    let text = format!("{number:.places$}");
    if !text.contains('.') {
        return text;
    }
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0" } else { short }.to_owned()
}

/// Rows that wait for their row group, and the file behind.
struct ParquetSink {
    file: File,
    writer: polars::io::parquet::write::BatchedWriter<File>,
    columns: Vec<(String, Pending)>,
    waiting: usize,
}

enum Pending {
    Text(Vec<String>),
    Time(Vec<i64>),
    Number(Vec<Option<f64>>),
}

impl std::fmt::Debug for ParquetSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSink")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl ParquetSink {
    fn new(file: File, columns: &[(String, ColumnKind)]) -> PolarsResult<Self> {
        let schema = columns
            .iter()
            .map(|(name, kind)| Field::new(name.as_str().into(), data_type(*kind)))
            .collect::<Schema>();
        let writer = ParquetWriter::new(file.try_clone()?)
            .with_compression(ParquetCompression::Zstd(None))
            .set_parallel(false)
            .batched(&schema)?;
        let columns = columns
            .iter()
            .map(|(name, kind)| {
                let pending = match kind {
                    ColumnKind::Text => Pending::Text(Vec::new()),
                    ColumnKind::Time => Pending::Time(Vec::new()),
                    ColumnKind::Number => Pending::Number(Vec::new()),
                };
                (name.clone(), pending)
            })
            .collect();
        Ok(Self {
            file,
            writer,
            columns,
            waiting: 0,
        })
    }

    fn push(&mut self, values: &[Value<'_>]) -> PolarsResult<()> {
        for ((name, pending), value) in self.columns.iter_mut().zip(values) {
            match (pending, value) {
                (Pending::Text(column), Value::Text(text) | Value::Time(_, text)) => {
                    column.push((*text).to_owned());
                }
                (Pending::Time(column), Value::Time(moment, _)) => {
                    column.push(moment.timestamp_micros());
                }
                (Pending::Number(column), Value::Number(number)) => {
                    column.push(number.is_finite().then_some(*number));
                }
                _ => polars_bail!(ComputeError: "a value of another kind for column {}", name),
            }
        }
        self.waiting += 1;
        if self.waiting >= GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> PolarsResult<()> {
        let height = std::mem::take(&mut self.waiting);
        let columns = self
            .columns
            .iter_mut()
            .map(|(name, pending)| {
                let name = PlSmallStr::from_str(name);
                Ok(match pending {
                    Pending::Text(values) => Column::new(name, std::mem::take(values)),
                    Pending::Time(values) => Column::new(name, std::mem::take(values))
                        .cast(&data_type(ColumnKind::Time))?,
                    Pending::Number(values) => Column::new(name, std::mem::take(values)),
                })
            })
            .collect::<PolarsResult<Vec<_>>>()?;
        self.writer.write_batch(&DataFrame::new(height, columns)?)
    }

    fn finish(mut self) -> PolarsResult<File> {
        if self.waiting > 0 {
            self.write_group()?;
        }
        self.writer.finish()?;
        Ok(self.file)
    }
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::String,
        ColumnKind::Time => DataType::Datetime(TimeUnit::Microseconds, None),
        ColumnKind::Number => DataType::Float64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_seven_digits_and_lose_empty_ones() {
        for (number, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (12.5, "12.5"),
            (1234.56789, "1234.568"),
            (123_456_789.4, "123456789"),
            (0.000_123_456_78, "0.0001234568"),
            (1e-15, "0"),
            (-3.25, "-3.25"),
            (f64::NAN, ""),
            (f64::INFINITY, ""),
        ] {
            assert_eq!(decimal(number), text, "{number}");
        }
    }
}
