//! What can be wrong with the numbers that come in.

use foretide_domain::SeriesId;

/// Input that cannot be forecast from. Every variant names what and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ForecastError {
    /// No series, or no hour to forecast.
    #[error("there is nothing to forecast: {0} is empty")]
    Empty(&'static str),
    /// The history is shorter than the model can be honest about.
    #[error("{hours} hours of history are too few: give at least {needed}")]
    TooShort {
        /// Hours given.
        hours: usize,
        /// Hours needed.
        needed: usize,
    },
    /// Two things that must be equally long are not.
    #[error("{what} has {got} values, expected {expected}")]
    LengthMismatch {
        /// Which series, regressor or column.
        what: String,
        /// Length it must have.
        expected: usize,
        /// Length it has.
        got: usize,
    },
    /// A count that is NaN, infinite, negative or beyond [`crate::MAX_COUNT`].
    #[error(
        "series {series} has {value} at hour {position}: counts are finite, not negative and at most 9e15"
    )]
    BadCount {
        /// Which series.
        series: SeriesId,
        /// Hours from the start of the values.
        position: usize,
        /// The value found.
        value: f64,
    },
    /// A regressor that is NaN or infinite.
    #[error("regressor {name:?} has {value} at hour {position}: it must be finite")]
    BadRegressor {
        /// Which regressor.
        name: String,
        /// Hours from the start of the values.
        position: usize,
        /// The value found.
        value: f64,
    },
    /// An hour of the week outside 0 to 167.
    #[error("{what} is {value} at hour {position}: it must be from 0 (Monday 00:00) to 167")]
    BadHourOfWeek {
        /// Which column.
        what: &'static str,
        /// Hours from the start.
        position: usize,
        /// The value found.
        value: u8,
    },
    /// A name that stands twice, or is one of the reserved driver names.
    #[error("the name {0:?} is used twice or reserved")]
    NameTaken(String),
    /// A regressor the model was trained with is not there.
    #[error("regressor {0:?} is missing: the model was trained with it")]
    MissingRegressor(String),
    /// A series the model does not know.
    #[error("series {0} is not in the model: train again to include it")]
    UnknownSeries(SeriesId),
    /// More hours ahead than the model was calibrated for.
    #[error("{got} hours ahead asked for: the model was trained for at most {most}")]
    HorizonTooLong {
        /// Hours asked for.
        got: usize,
        /// Hours allowed.
        most: usize,
    },
    /// An input row that does not fit the model.
    #[error("row {row} of {column} does not fit the model")]
    BadRow {
        /// Which column of the inputs.
        column: &'static str,
        /// Which row.
        row: usize,
    },
    /// An option out of bounds.
    #[error("{field} must be {allowed}, got {got}")]
    BadOption {
        /// Which option.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
        /// What was given.
        got: String,
    },
}
