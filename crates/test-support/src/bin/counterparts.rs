//! Starts real counterparts, runs a command with their addresses in its environment, stops them:
//! `counterparts postgres mlflow azurite kql -- cargo test`.

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use foretide_test_support::{Azurite, KqlEngine, Mlflow, Postgres};

/// Keeps the counterparts alive while the command runs.
#[derive(Default)]
struct Started {
    environment: Vec<(&'static str, String)>,
    postgres: Option<Postgres>,
    mlflow: Option<Mlflow>,
    azurite: Option<Azurite>,
    kql: Option<KqlEngine>,
}

impl Started {
    async fn start(&mut self, name: &str) -> anyhow::Result<()> {
        match name {
            "postgres" => {
                let postgres = self.postgres.insert(Postgres::start().await?);
                self.environment
                    .push(("FORETIDE_TEST_POSTGRES_URL", postgres.url()));
            }
            "mlflow" => {
                let mlflow = self.mlflow.insert(Mlflow::start().await?);
                self.environment
                    .push(("FORETIDE_TEST_MLFLOW_URL", mlflow.url()));
            }
            "azurite" => {
                let azurite = self.azurite.insert(Azurite::start().await?);
                azurite.create_container("lake").await?;
                self.environment
                    .push(("FORETIDE_TEST_AZURITE", azurite.url()));
            }
            "kql" => {
                let kql = self.kql.insert(KqlEngine::start().await?);
                self.environment.push(("FORETIDE_TEST_KQL_URL", kql.url()));
            }
            other => bail!("no counterpart is called {other}: postgres, mlflow, azurite or kql"),
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let split = arguments
        .iter()
        .position(|argument| argument == "--")
        .context("say: counterparts <name>... -- <command>...")?;
    let (names, command) = (&arguments[..split], &arguments[split + 1..]);
    let (program, command_arguments) = command
        .split_first()
        .context("there is no command after --")?;

    let mut started = Started::default();
    tokio::runtime::Runtime::new()?.block_on(async {
        for name in names {
            started.start(name).await?;
        }
        anyhow::Ok(())
    })?;
    for (variable, address) in &started.environment {
        eprintln!("{variable}={address}");
    }
    let status = Command::new(program)
        .args(command_arguments)
        .envs(started.environment.iter().map(|(key, value)| (key, value)))
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    drop(started);
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
