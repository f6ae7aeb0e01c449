//! How good forecasts were, against what happened and against baselines: scores, and a report as one
//! HTML page that needs nothing from outside.
//!
//! [`Backtest::add`] takes one forecast path at a time and keeps sums only, so that the number of
//! paths does not matter. The measures are those of the M competitions and GluonTS, computed as the
//! benchmark's scorer computes them: pinball loss over five quantiles, weighted quantile loss (WQL),
//! mean absolute scaled error (MASE, Hyndman and Koehler 2006), coverage of the 80% and 95% interval.
//! [`baselines`] are what any forecast must beat. [`Backtest::html`] writes the page: every plot is
//! inline SVG with a title, a description and its numbers in a table beside it.
//!
//! Pure: no I/O, no clock.

pub mod baselines;
mod chart;
mod page;
mod report;
mod tally;

pub use report::{About, Fan, ServedBy};
pub use tally::{Backtest, Path, Score};
