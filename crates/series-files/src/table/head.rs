//! The first rows of a table, to see what its columns hold.

use super::{Cell, Format, Table};
use crate::error::SeriesFileError;

/// Rows looked at.
const ROWS: usize = 200;

/// A value of the first rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sampled {
    /// Nothing is there, or nothing of use.
    Nothing,
    /// A text.
    Text(String),
    /// A number of a typed file.
    Number(f64),
    /// A moment of a typed file.
    Moment,
}

impl Table {
    /// The values of the first rows, by column.
    pub(crate) fn head(&self) -> Result<Vec<Vec<Sampled>>, SeriesFileError> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        if self.format != Format::Parquet {
            return self.head_of(&all);
        }
        // A column that is not needed may be of a type that cannot be read.
        let columns: Vec<_> = all.iter().map(|at| self.head_of(&[*at])).collect();
        if columns.iter().all(Result::is_err) {
            return columns
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map(|all| all.concat());
        }
        let columns = columns
            .into_iter()
            .map(|column| column.unwrap_or_else(|_| vec![Vec::new()]));
        Ok(columns.flatten().collect())
    }

    fn head_of(&self, columns: &[usize]) -> Result<Vec<Vec<Sampled>>, SeriesFileError> {
        let mut head = vec![Vec::new(); columns.len()];
        let mut is_enough = false;
        let outcome = self.for_each(columns, &mut |_, cells| {
            for (column, cell) in head.iter_mut().zip(cells) {
                column.push(match cell {
                    Cell::Null | Cell::Other(_) => Sampled::Nothing,
                    Cell::Text(text) => Sampled::Text((*text).to_owned()),
                    Cell::Number(number) => Sampled::Number(*number),
                    Cell::Moment(..) => Sampled::Moment,
                });
            }
            is_enough = head.first().is_some_and(|column| column.len() >= ROWS);
            if is_enough {
                // The reader stops at an error only.
                return Err(super::empty(self.path()));
            }
            Ok(())
        });
        match outcome {
            Err(error) if !is_enough => Err(error),
            _ => Ok(head),
        }
    }
}
