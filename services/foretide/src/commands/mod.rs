//! What each command does.

mod actions;
mod audit;
pub(crate) mod backfill;
pub(crate) mod content;
mod demo;
mod emulator;
pub(crate) mod outbox;
mod pipeline;
pub(crate) mod pseudonyms;
mod queries;
mod run_end;
mod runs;
mod server;
mod setup;
mod track_record;
pub(crate) mod write_back;

use std::process::ExitCode;

use clap::Parser;
use foretide_config::{ConfigError, EXIT_BAD_CONFIG};
use foretide_telemetry::{TelemetryGuard, TelemetryOptions};

use crate::cli::{Cli, Command, ConfigCommand};
use crate::config::{Config, LogFormat};
use crate::services::ServiceName;

/// Runs what the command line asks for. Exit codes: 0 done, 1 failed, 2 wrong usage, 65 unusable
/// data, 78 bad configuration.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Version) {
        setup::print_version();
        return ExitCode::SUCCESS;
    }
    if let Command::Files(command) = &cli.command {
        return foretide_file_commands::run(command);
    }
    if let Command::Emulator(args) = &cli.command {
        return emulator::run(args, cli.log.as_deref());
    }
    let config = match Config::load(cli.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return bad_config(&error),
    };
    if matches!(cli.command, Command::Config(ConfigCommand::Check)) {
        setup::print_checked(cli.config.as_deref(), &config);
        return ExitCode::SUCCESS;
    }
    let reads = match &cli.command {
        Command::Up(_) => true,
        Command::Serve { service } => *service == ServiceName::Ingestion,
        _ => false,
    };
    if reads && let Err(error) = config.require_source(cli.config.as_deref()) {
        return bad_config(&error);
    }
    foretide_http::install_tls_provider();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                let _telemetry = start_telemetry(&cli, &config)?;
                Box::pin(dispatch(cli.command, config)).await
            })
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foretide: {}", said_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes. A cause that is already told in what it caused is left out.
fn said_once(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            _ if told.contains(&cause) => told,
            _ => format!("{told}: {cause}"),
        }
    })
}

fn bad_config(error: &ConfigError) -> ExitCode {
    eprintln!("foretide: {error}");
    ExitCode::from(EXIT_BAD_CONFIG)
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(args, config)).await,
        Command::Up(args) => Box::pin(server::up(&args, config)).await,
        Command::Serve { service } => Box::pin(server::serve(service, &config)).await,
        Command::Run(args) => Box::pin(pipeline::run(&args, config)).await,
        Command::Backfill {
            command: Some(command),
            ..
        } => Box::pin(backfill::run(command, &config)).await,
        Command::Backfill {
            command: None,
            args,
        } => Box::pin(pipeline::backfill(&args, config)).await,
        Command::Migrate => Box::pin(setup::migrate(&config)).await,
        Command::Audit(command) => Box::pin(audit::run(command, &config)).await,
        Command::Actions(command) => Box::pin(actions::run(command, &config)).await,
        Command::Runs(command) => Box::pin(runs::run(command, &config)).await,
        Command::Queries(command) => Box::pin(queries::run(command, &config)).await,
        Command::Jobs(command) => Box::pin(runs::jobs(command, &config)).await,
        Command::Content(command) => Box::pin(content::run(command, &config)).await,
        Command::Outbox(command) => Box::pin(outbox::run(command, &config)).await,
        Command::WriteBack(command) => Box::pin(write_back::run(command, &config)).await,
        Command::Pseudonyms(command) => Box::pin(pseudonyms::run(command, &config)).await,
        Command::TrackRecord {
            use_case,
            output,
            caller,
        } => track_record::show(use_case, output.format, &caller, &config).await,
        Command::Phase(command) => Box::pin(runs::phases(command, &config)).await,
        Command::Config(ConfigCommand::Check)
        | Command::Version
        | Command::Files(_)
        | Command::Emulator(_) => {
            unreachable!("these need no services and were run before")
        }
    }
}

/// Services log what they do; interactive commands keep the screen for their own output.
fn start_telemetry(cli: &Cli, config: &Config) -> anyhow::Result<TelemetryGuard> {
    let serves = matches!(cli.command, Command::Up(_) | Command::Serve { .. });
    let quiet = "error".to_owned();
    let filter = match &cli.log {
        Some(filter) => filter.clone(),
        None if serves => config.telemetry.filter.clone(),
        None => quiet,
    };
    let service_name = match &cli.command {
        Command::Serve { service } => format!("foretide-{}", service.name()),
        _ => "foretide".to_owned(),
    };
    let options = TelemetryOptions {
        service_name,
        json: config.telemetry.format == LogFormat::Json,
        filter,
        otlp_endpoint: config
            .telemetry
            .otlp_endpoint
            .as_ref()
            .map(ToString::to_string),
    };
    Ok(foretide_telemetry::init(&options)?)
}
