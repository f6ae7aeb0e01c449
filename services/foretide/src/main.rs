//! The one binary: predictive alerting for Microsoft Sentinel.

mod cli;
mod commands;
mod config;
mod connection;
mod identity;
mod process;
mod progress;
mod render;
mod services;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
