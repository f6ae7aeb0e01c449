//! The file commands alone, without the services: quick to build, for measuring.

use std::process::ExitCode;

use clap::Parser;
use foretide_file_commands::FileCommand;

/// Foretide's commands on files.
#[derive(Debug, Parser)]
#[command(name = "foretide", version)]
struct Cli {
    #[command(subcommand)]
    command: FileCommand,
}

fn main() -> ExitCode {
    foretide_file_commands::run(&Cli::parse().command)
}
