//! `up` and `serve`.

use crate::cli::UpArgs;
use crate::config::Config;
use crate::services::ServiceName;
use crate::{identity, process};

/// All services in this process until it is asked to stop.
pub(super) async fn up(args: &UpArgs, mut config: Config) -> anyhow::Result<()> {
    if args.no_calendar {
        config.orchestrator.calendar.enabled = false;
    }
    let running = process::start_all(&config, config.clock()).await?;
    let _note = running.state.write(&config.data_dir)?;
    identity::announce(&running.identity, &running.state.console);
    running.until_stopped().await
}

/// One service until it is asked to stop.
pub(super) async fn serve(service: ServiceName, config: &Config) -> anyhow::Result<()> {
    process::start_one(config, service, config.clock())
        .await?
        .until_stopped()
        .await
}
