//! A real MLflow tracking server and model registry.

use std::time::Duration;

use tempfile::TempDir;

use crate::{
    process::{Launch, ManagedProcess},
    tools::{StartError, existing, tools_dir},
    wait::{free_port, get_ok, wait_until},
};

const WHAT: &str = "MLflow";

/// An MLflow server on SQLite and a local artefact folder. Its data live as long as this value, so
/// it can be stopped and resumed.
#[derive(Debug)]
pub struct Mlflow {
    process: Option<ManagedProcess>,
    launch: Launch,
    port: u16,
    _folder: TempDir,
}

impl Mlflow {
    /// Starts a server with an empty store.
    ///
    /// # Errors
    /// When MLflow is not installed, or does not come up.
    pub async fn start() -> Result<Self, StartError> {
        let program = existing(WHAT, tools_dir().join("mlflow/bin/mlflow"))?;
        let prepare = || -> anyhow::Result<Self> {
            let folder = tempfile::Builder::new()
                .prefix("foretide-mlflow-")
                .tempdir()?;
            let port = free_port()?;
            let launch = Launch {
                program,
                arguments: vec![
                    "server".into(),
                    "--host=127.0.0.1".into(),
                    format!("--port={port}").into(),
                    "--workers=1".into(),
                    format!(
                        "--backend-store-uri=sqlite:///{}/mlflow.db",
                        folder.path().display()
                    )
                    .into(),
                    format!(
                        "--artifacts-destination={}/artifacts",
                        folder.path().display()
                    )
                    .into(),
                ],
                environment: vec![
                    ("MLFLOW_DISABLE_TELEMETRY".to_owned(), "true".into()),
                    (
                        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION".to_owned(),
                        "false".into(),
                    ),
                ],
                folder: Some(folder.path().to_path_buf()),
                log: folder.path().join("server.log"),
                ..Launch::default()
            };
            Ok(Self {
                process: None,
                launch,
                port,
                _folder: folder,
            })
        };
        let mut mlflow = prepare().map_err(StartError::failed(WHAT))?;
        mlflow.resume().await.map_err(StartError::failed(WHAT))?;
        Ok(mlflow)
    }

    /// Starts the server again after [`Mlflow::stop`], on the same port with the same data.
    ///
    /// # Errors
    /// When the server does not answer in time.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let mut process = ManagedProcess::spawn(&self.launch)?;
        let health = format!("{}/health", self.url());
        wait_until(Duration::from_secs(120), "MLflow answers", || {
            let running = process.check_running();
            let health = &health;
            async move {
                running?;
                Ok(get_ok(health).await?.then_some(()))
            }
        })
        .await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server; its store stays.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop()?;
        }
        Ok(())
    }

    /// Address of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
