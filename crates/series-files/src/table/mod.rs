//! Tables in files, read row by row whatever the format.

mod parquet;
mod text;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Place, SeriesFileError};

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing is there.
    Null,
    /// A text.
    Text(&'a str),
    /// A number of a typed file.
    Number(f64),
    /// A moment of a typed file: microseconds since 1970, and whether it is in UTC rather than on
    /// an unnamed clock.
    Moment(i64, bool),
    /// A value of a type that is of no use here.
    Other(&'static str),
}

/// What is done with each row.
pub(crate) type EachRow<'a> = &'a mut dyn FnMut(Place, &[Cell<'_>]) -> Result<(), SeriesFileError>;

/// A file whose header was read.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    format: Format,
    columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    GzippedText,
    Parquet,
}

impl Table {
    /// Reads the header. What a file is, its first bytes say; its name does not matter.
    pub(crate) fn open(path: &Path) -> Result<Self, SeriesFileError> {
        let format = recognise(path)?;
        let columns = match format {
            Format::Text => text::columns(path, false)?,
            Format::GzippedText => text::columns(path, true)?,
            Format::Parquet => parquet::columns(path)?,
        };
        Ok(Self {
            path: path.to_path_buf(),
            format,
            columns,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The header's names.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Places of columns that must be there.
    pub(crate) fn require<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[usize; N], SeriesFileError> {
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            *place = self.place(name).ok_or_else(|| self.missing(name, &names))?;
        }
        Ok(places)
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    fn missing(&self, name: &str, names: &[&str]) -> SeriesFileError {
        let there = self.columns.join(",");
        let mut advice = format!("the header must name {}", names.join(","));
        if self.columns.len() == 1 && there.contains([';', '\t']) {
            advice.push_str(", separated by commas");
        }
        SeriesFileError::of_file(
            &self.path,
            format!(
                "has no column {name}, only {}",
                crate::error::quoted(&there)
            ),
            advice,
        )
    }

    /// Calls `each` with the cells of every row, in the order of `columns`.
    pub(crate) fn for_each(
        &self,
        columns: &[usize],
        each: EachRow<'_>,
    ) -> Result<(), SeriesFileError> {
        match self.format {
            Format::Text => text::for_each(&self.path, false, columns, each),
            Format::GzippedText => text::for_each(&self.path, true, columns, each),
            Format::Parquet => {
                let names: Vec<_> = columns.iter().map(|at| self.columns[*at].clone()).collect();
                parquet::for_each(&self.path, &names, each)
            }
        }
    }
}

fn recognise(path: &Path) -> Result<Format, SeriesFileError> {
    let unreadable = |error: std::io::Error| SeriesFileError::unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref()
        .take(4)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    if head.is_empty() {
        return Err(empty(path));
    }
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Format::GzippedText,
        b"PAR1" => Format::Parquet,
        _ => Format::Text,
    })
}

pub(crate) fn empty(path: &Path) -> SeriesFileError {
    SeriesFileError::of_file(path, "is empty", "give a header line and at least one row")
}
