//! `foretide emulator`: the Azure side on loopback, for clients under development.

use std::process::ExitCode;

use anyhow::Context;
use foretide_config::ConfigError;
use foretide_emulator::{
    Emulator, EmulatorConfig, EmulatorHandle, HttpsConfig, KqlEngineConfig, StartError,
};
use foretide_telemetry::TelemetryOptions;

use crate::cli::EmulatorArgs;
use crate::config::the_machines_clock;
use crate::process::stop_signal;

/// Serves until it is told to stop.
pub(super) fn run(args: &EmulatorArgs, filter: Option<&str>) -> ExitCode {
    let config = match config(args) {
        Ok(config) => config,
        Err(error) => return super::bad_config(&error),
    };
    foretide_http::install_tls_provider();
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime can be had")
        .and_then(|runtime| runtime.block_on(Box::pin(serve(config, filter))));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foretide: {error:#}");
            let is_config = matches!(error.downcast_ref(), Some(StartError::Config(_)));
            ExitCode::from(if is_config {
                foretide_config::EXIT_BAD_CONFIG
            } else {
                1
            })
        }
    }
}

/// What the file says, and what the command line says instead.
fn config(args: &EmulatorArgs) -> Result<EmulatorConfig, ConfigError> {
    let mut config = match &args.file {
        Some(file) => foretide_config::load(file, &|name| std::env::var(name).ok())?,
        None => EmulatorConfig::default(),
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if args.https.is_some() || args.ca_file.is_some() {
        let https = config.https.get_or_insert_with(HttpsConfig::default);
        https.listen = args.https.unwrap_or(https.listen);
        https.ca_file = args.ca_file.clone().or(https.ca_file.take());
    }
    if let Some(url) = &args.kql_engine {
        config.kql_engine = Some(KqlEngineConfig {
            url: url.clone(),
            database: args.kql_database.clone(),
        });
    }
    Ok(config)
}

async fn serve(config: EmulatorConfig, filter: Option<&str>) -> anyhow::Result<()> {
    let _telemetry = foretide_telemetry::init(&TelemetryOptions {
        service_name: "foretide-emulator".to_owned(),
        json: false,
        filter: filter.unwrap_or("info").to_owned(),
        otlp_endpoint: None,
    })?;
    let tenant = config.tenant.clone();
    let rules: Vec<String> = config.rules.iter().map(|rule| rule.id.clone()).collect();
    let ca_file = config
        .https
        .as_ref()
        .and_then(|https| https.ca_file.clone());
    let emulator = Emulator::start(config, the_machines_clock()).await?;
    println!("address      {}", emulator.base_url());
    if let Some(https) = emulator.https_url() {
        println!("with TLS     {https}");
        match ca_file {
            Some(file) => println!("authority    {}", file.display()),
            None => println!("authority    not written: give --ca-file FILE"),
        }
    }
    println!("tenant       {tenant}");
    println!("rules        {}", rules.join(", "));
    println!("webhook      {}", emulator.teams_webhook_url());
    until_stopped(emulator).await;
    Ok(())
}

async fn until_stopped(emulator: EmulatorHandle) {
    stop_signal().await;
    emulator.shutdown().await;
}
