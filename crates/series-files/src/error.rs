//! What can be wrong with a file, said so that it can be mended.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a text file, the first is 1.
    Line(u64),
    /// A row of a Parquet file, the first is 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, ", line {line}"),
            Self::Row(row) => write!(f, ", row {row}"),
        }
    }
}

/// A file that cannot be used: file, place, column, what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{place}{}: {problem}; {advice}", file.display(), in_column(column))]
pub struct SeriesFileError {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub place: Place,
    /// In which column, if in one.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub advice: String,
}

fn in_column(column: &Option<String>) -> String {
    column
        .as_ref()
        .map_or_else(String::new, |column| format!(", column {column}"))
}

impl SeriesFileError {
    pub(crate) fn at(
        file: &Path,
        place: Place,
        column: &str,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_path_buf(),
            place,
            column: Some(column.to_owned()),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Something wrong with a file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of_place(file, Place::File, problem, advice)
    }

    pub(crate) fn of_place(
        file: &Path,
        place: Place,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_path_buf(),
            place,
            column: None,
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    pub(crate) fn unreadable(file: &Path, error: &dyn fmt::Display) -> Self {
        Self::of_file(
            file,
            format!("cannot be read: {error}"),
            "check the path, the permissions and that the file is whole",
        )
    }

    pub(crate) fn unwritable(file: &Path, error: &dyn fmt::Display) -> Self {
        Self::of_file(
            file,
            format!("cannot be written: {error}"),
            "check that the folder exists, may be written to and has room",
        )
    }
}

/// Text of a file as it may stand in a message: short, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
