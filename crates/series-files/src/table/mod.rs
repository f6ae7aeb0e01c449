//! Tables in files, read row by row whatever the format.

mod head;
mod parquet;
mod source;
mod text;
mod workbook;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{Place, SeriesFileError};
use crate::layout::LayoutOptions;
use source::Source;
use text::TextShape;

pub(crate) use head::Sampled;

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

impl Cell<'_> {
    /// Whether nothing is there, or what says that nothing is.
    pub(crate) fn is_missing(self) -> bool {
        match self {
            Self::Null => true,
            Self::Number(number) => number.is_nan(),
            Self::Text(text) => text.eq_ignore_ascii_case("nan"),
            _ => false,
        }
    }
}

/// What is done with each row.
pub(crate) type EachRow<'a> = &'a mut dyn FnMut(Place, &[Cell<'_>]) -> Result<(), SeriesFileError>;

/// A file whose header was read.
#[derive(Debug)]
pub(crate) struct Table {
    source: Source,
    format: Format,
    columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text(TextShape),
    Parquet,
}

impl Table {
    /// Reads the header. What a file is, its first bytes say; its name does not matter. `-` is the
    /// standard input.
    pub(crate) fn open(path: &Path, options: &LayoutOptions) -> Result<Self, SeriesFileError> {
        let source = Source::open(path, options)?;
        let (format, columns) = if source.is_parquet() {
            (Format::Parquet, parquet::columns(&source)?)
        } else {
            let shape = TextShape::judge(&source, options.separator)?;
            (Format::Text(shape), text::columns(&source, shape)?)
        };
        Ok(Self {
            source,
            format,
            columns,
        })
    }

    /// The file as errors name it.
    pub(crate) fn path(&self) -> &Path {
        self.source.shown()
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
            *place = self.place(name).ok_or_else(|| {
                let advice = format!("the header must name {}", names.join(","));
                self.missing(&format!("no column {name}"), advice)
            })?;
        }
        Ok(places)
    }

    /// The place of a column by its name, upper or lower case if no other is called so.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let place = |is_it: &dyn Fn(&String) -> bool| self.columns.iter().position(is_it);
        place(&|column| column == name)
            .or_else(|| place(&|column| column.eq_ignore_ascii_case(name)))
    }

    /// What is missing, what is there instead, and what to do.
    pub(crate) fn missing(&self, what: &str, advice: impl Into<String>) -> SeriesFileError {
        let there = crate::error::quoted(&self.columns.join(","));
        let format = match self.format {
            Format::Text(shape) => shape.described(),
            Format::Parquet => "Parquet",
        };
        SeriesFileError::of_file(
            self.path(),
            format!("has {what}, only {there} ({format})"),
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
            Format::Text(shape) => text::for_each(&self.source, shape, columns, each),
            Format::Parquet => {
                let names: Vec<_> = columns.iter().map(|at| self.columns[*at].clone()).collect();
                parquet::for_each(&self.source, &names, each)
            }
        }
    }
}

pub(crate) fn empty(path: &Path) -> SeriesFileError {
    SeriesFileError::of_file(path, "is empty", "give a header line and at least one row")
}

/// Runs a library's reader; one that panics on hostile bytes fails like any other.
fn guarded<T, E: std::fmt::Display>(
    path: &Path,
    format: &str,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, SeriesFileError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(damaged(path, format, &error.to_string())),
        Err(panic) => Err(damaged(path, format, panic_text(panic.as_ref()))),
    }
}

fn damaged(path: &Path, format: &str, problem: &str) -> SeriesFileError {
    let problem: String = problem.chars().take(256).collect();
    SeriesFileError::of_file(
        path,
        format!("is no readable {format} file: {problem}"),
        "copy or export it again",
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the reader gave up")
}
