//! Files of hourly series, as the command line takes and writes them.
//!
//! The format is the long one that forecasting tools share: a row an hour and series,
//! `unique_id,ds,y`, as CSV (plain or gzipped) or Parquet, told apart by their first bytes. Reading
//! is strict: a gap, a copy, a negative or missing number, a mixed or irregular time stamp is an
//! error that names file, line, column and what to do ([`SeriesFileError`]). Sorting is never asked
//! for.
//!
//! Memory stays bounded: [`HistoryFile::open`] reads a file once to check it and keeps only names
//! and spans; [`HistoryFile::for_each`] reads it again and holds one series at a time. When series
//! stand interleaved, rows go through buckets on disk.
//!
//! [`TableWriter`] writes results row by row into a file that appears under its name only when it is
//! complete.

mod assemble;
mod cutoffs;
mod error;
mod forecasts;
mod history;
mod output;
mod regressors;
mod spill;
mod stamp;
mod table;
mod values;
mod writer;

pub use assemble::{FillGaps, HourlySeries};
pub use cutoffs::{Cutoff, read_cutoffs};
pub use error::{Place, SeriesFileError};
pub use forecasts::{WrittenForecast, read_forecasts};
pub use history::{Extent, HistoryFile, HistoryOptions, PointSeries};
pub use output::check_output;
pub use regressors::{Needed, RegressorSeries, read_regressors};
pub use stamp::{StampClock, StampStyle};
pub use writer::{ColumnKind, TableWriter, Value};
