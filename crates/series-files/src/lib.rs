//! Files of hourly series, as the command line takes and writes them.
//!
//! The format is the long one that forecasting tools share: a row an hour and series,
//! `unique_id,ds,y`, as CSV (plain or gzipped), Parquet or a workbook, told apart by their first bytes.
//! Columns of other names, separators, decimal commas and dates of locales are judged by the file and
//! taken where they can mean one thing only ([`LayoutOptions`] says it otherwise). Reading is strict: a gap, a copy, a negative or missing number, a mixed or irregular time stamp is an
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
mod clock_change;
mod cutoffs;
mod decimal;
mod error;
mod forecasts;
mod history;
mod layout;
mod output;
mod points;
mod regressors;
mod spill;
mod stamp;
mod table;
mod time_format;
mod values;
mod writer;

pub use assemble::{FillGaps, HourlySeries};
pub use cutoffs::{Cutoff, read_cutoffs};
pub use decimal::Decimal;
pub use error::{Place, SeriesFileError};
pub use forecasts::{WrittenForecast, read_forecasts};
pub use foretide_local_times::DateOrder;
pub use history::{Extent, HistoryFile, HistoryOptions, LeftOut};
pub use layout::LayoutOptions;
pub use output::{check_output, is_standard};
pub use points::{PointSeries, Watched};
pub use regressors::{Needed, RegressorSeries, read_regressors};
pub use stamp::{StampClock, StampStyle};
pub use writer::{ColumnKind, TableWriter, Value};
