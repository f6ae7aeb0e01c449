//! `migrate`, `config check`, `version`.

use std::path::Path;

use anyhow::Context;
use foretide_db::Database;
use foretide_migrations::migrate as migrate_service;

use crate::config::Config;

/// Creates or updates every service's tables.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<()> {
    let database = config.database();
    macro_rules! migrate_each {
        ($($service:literal => $module:ident),* $(,)?) => {$({
            let opened = Database::connect(&database, $service)
                .await
                .context(concat!("cannot open the database of ", $service))?;
            migrate_service::<foretide_migrations::$module::Migrator>(&opened)
                .await
                .context(concat!("cannot migrate ", $service))?;
            println!("{:<14} up to date", $service);
        })*};
    }
    migrate_each! {
        "ingestion" => ingestion,
        "feature-store" => feature_store,
        "trainer" => trainer,
        "scorer" => scorer,
        "auditor" => auditor,
        "broker" => broker,
        "orchestrator" => orchestrator,
    }
    Ok(())
}

/// Says that the configuration is fine, and what it amounts to.
pub(super) fn print_checked(path: Option<&Path>, config: &Config) {
    let source = path.map_or_else(
        || "no file, all defaults".to_owned(),
        |path| path.display().to_string(),
    );
    println!("{source}: ok");
    println!("data folder  {}", config.data_dir.display());
    println!("lake         {}", config.lake().url);
    let source = match (&config.ingestion.files, &config.ingestion.log_analytics) {
        (Some(_), _) => "exported files",
        (None, Some(_)) => "Log Analytics query API",
        (None, None) => "none: set ingestion.files or ingestion.log_analytics before `up`",
    };
    println!("source       {source}");
    let use_cases: Vec<_> = config
        .use_cases
        .iter()
        .map(|use_case| use_case.id.as_str())
        .collect();
    println!("use cases    {}", use_cases.join(", "));
    println!("people       {}", config.identity.people.len());
}

/// Prints the version and what it was built for.
pub(super) fn print_version() {
    println!(
        "foretide {} ({}, {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
}
