//! Commands that work on files alone, for whoever has a file and no workspace: `forecast`,
//! `anomalies`, `backtest`, `staffing`. They need no configuration, no service and no network.
//!
//! Each reads and checks everything first ([`foretide_series_files`]), computes a bounded batch of
//! series at a time, and puts its result under its name only when it is whole. `docs/FILE_COMMANDS.md`
//! is the page for users.

mod anomalies;
mod arguments;
mod backtest;
mod forecast;
mod inputs;
mod rolling;
mod staffing;
mod terminal;

use std::process::ExitCode;

use clap::Subcommand;
use foretide_forecasting::ForecastError;
use foretide_forecasting::staffing::StaffingError;
use foretide_series_files::SeriesFileError;

pub use arguments::{AnomaliesArgs, BacktestArgs, ForecastArgs, StaffingArgs};

/// Exit code for data that cannot be used (`EX_DATAERR` of `sysexits.h`).
pub const EXIT_BAD_DATA: u8 = 65;

/// A command that works on files alone.
#[derive(Debug, Subcommand)]
pub enum FileCommand {
    /// Forecast hourly series in a file (CSV or Parquet); needs no configuration and no workspace.
    Forecast(ForecastArgs),
    /// Find anomalies in files of series.
    Anomalies(AnomaliesArgs),
    /// Forecast the past of a file from many moments, and report how good that was.
    Backtest(BacktestArgs),
    /// Say how many analysts arrivals ask for, by Erlang-C or Erlang-A: a draft for people.
    Staffing(StaffingArgs),
}

/// Runs a command and says on standard error what went wrong, if anything did. Exit codes: 0 done,
/// 65 data that cannot be used, 1 anything else.
#[must_use]
pub fn run(command: &FileCommand) -> ExitCode {
    let outcome = match command {
        FileCommand::Forecast(args) => forecast::run(args),
        FileCommand::Anomalies(args) => anomalies::run(args),
        FileCommand::Backtest(args) => backtest::run(args),
        FileCommand::Staffing(args) => staffing::run(args),
    };
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("foretide: {}", terminal::printable(&format!("{error:#}")));
    let is_data = error.chain().any(|cause| {
        cause.is::<SeriesFileError>() || cause.is::<ForecastError>() || cause.is::<StaffingError>()
    });
    if is_data {
        ExitCode::from(EXIT_BAD_DATA)
    } else {
        ExitCode::FAILURE
    }
}
