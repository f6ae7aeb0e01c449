//! One row of a source, before it is understood: only the columns that are needed.

mod json;
mod reason;
mod time;

use std::borrow::Cow;

pub use foretide_local_times::DateOrder;
pub(crate) use json::parse_line;
pub(crate) use reason::{Reason, Refusal};
pub(crate) use time::{parse_local_time, parse_time};

/// Most columns a table is read by.
pub(crate) const MAX_COLUMNS: usize = 12;
/// Longest value of a column that is read, bytes.
pub(crate) const MAX_FIELD_BYTES: usize = 64 * 1024;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar<'a> {
    /// Not there, or null.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// A moment, milliseconds since 1970.
    Moment(i64),
    /// A text; of a list of texts, its first.
    Text(Cow<'a, str>),
    /// What is needed of a nested object.
    Details(Box<Details>),
}

/// What is needed of `AdditionalData` and `Labels`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Details {
    /// First of `alertProductNames`.
    pub(crate) product: Option<String>,
    /// First of `tactics`.
    pub(crate) tactic: Option<String>,
    /// Every `labelName` of a list.
    pub(crate) labels: Vec<String>,
}

/// The columns of a row, in the order of the table's list.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Record<'a> {
    pub(crate) values: [Scalar<'a>; MAX_COLUMNS],
}

impl Record<'_> {
    /// The column as text; numbers and flags are written out. Empty text counts as missing.
    pub(crate) fn text(
        &self,
        column: usize,
        name: &'static str,
    ) -> Result<Option<Cow<'_, str>>, Refusal> {
        let text = match &self.values[column] {
            Scalar::Null => return Ok(None),
            Scalar::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Scalar::Integer(number) => Cow::Owned(number.to_string()),
            Scalar::Real(number) => Cow::Owned(number.to_string()),
            // what is a space to KQL is one here
            Scalar::Text(text) => Cow::Borrowed(text.trim_matches([' ', '\t', '\n', '\x0c', '\r'])),
            Scalar::Moment(_) | Scalar::Details(_) => {
                return Err(Refusal::about(Reason::WrongType, name, "not a text"));
            }
        };
        if text.len() > MAX_FIELD_BYTES {
            return Err(Refusal::about(
                Reason::OversizedField,
                name,
                "longer than 64 KiB",
            ));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// The column as a moment, milliseconds since 1970.
    pub(crate) fn moment(&self, column: usize, name: &'static str) -> Result<Option<i64>, Refusal> {
        match &self.values[column] {
            Scalar::Null => Ok(None),
            Scalar::Moment(moment) => Ok(Some(*moment)),
            Scalar::Text(text) if text.trim().is_empty() => Ok(None),
            Scalar::Text(text) => parse_time(text.trim())
                .map(Some)
                .ok_or_else(|| Refusal::about(Reason::BadTime, name, text)),
            Scalar::Bool(_) | Scalar::Integer(_) | Scalar::Real(_) | Scalar::Details(_) => {
                Err(Refusal::about(Reason::WrongType, name, "not a time"))
            }
        }
    }

    /// The column as a number.
    pub(crate) fn number(&self, column: usize, name: &'static str) -> Result<Option<f64>, Refusal> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let number = match &self.values[column] {
            Scalar::Null => return Ok(None),
            Scalar::Integer(number) => *number as f64,
            Scalar::Real(number) => *number,
            Scalar::Text(text) if text.trim().is_empty() => return Ok(None),
            Scalar::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| Refusal::about(Reason::WrongType, name, text))?,
            Scalar::Bool(_) | Scalar::Moment(_) | Scalar::Details(_) => {
                return Err(Refusal::about(Reason::WrongType, name, "not a number"));
            }
        };
        if number.is_finite() {
            Ok(Some(number))
        } else {
            Err(Refusal::about(
                Reason::WrongType,
                name,
                "not a finite number",
            ))
        }
    }
}
