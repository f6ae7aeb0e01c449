//! A real KQL engine, so that queries are executed and not only parsed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    process::{Launch, ManagedProcess},
    tools::{StartError, existing, tools_dir},
    wait::{free_port, get_ok, wait_until},
};

const WHAT: &str = "the KQL engine";

/// `duckdb-kql serve`: the Kusto REST API over a DuckDB database, loopback only.
#[derive(Debug)]
pub struct KqlEngine {
    _process: ManagedProcess,
    port: u16,
    _folder: TempDir,
}

impl KqlEngine {
    /// Starts an engine over an empty, writable database called `workspace`.
    ///
    /// # Errors
    /// When the engine is not installed, or does not come up.
    pub async fn start() -> Result<Self, StartError> {
        Self::start_with(None).await
    }

    /// Starts an engine over a database called `workspace`, made by the DuckDB script `init` (for
    /// example `CREATE TABLE SecurityIncident AS SELECT * FROM read_json_auto('…')`).
    ///
    /// # Errors
    /// When the engine is not installed, or does not come up.
    pub async fn start_with(init: Option<&Path>) -> Result<Self, StartError> {
        let program = existing(WHAT, tools_dir().join("kql/bin/duckdb-kql"))?;
        Self::launch(program, init)
            .await
            .map_err(StartError::failed(WHAT))
    }

    async fn launch(program: PathBuf, init: Option<&Path>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("foretide-kql-").tempdir()?;
        let port = free_port()?;
        let mut arguments = vec![
            "serve".into(),
            folder.path().join("workspace.duckdb").into_os_string(),
            format!("--port={port}").into(),
            "--allow-write".into(),
        ];
        if let Some(script) = init {
            arguments.extend(["--init".into(), script.as_os_str().to_owned()]);
        }
        let mut process = ManagedProcess::spawn(&Launch {
            program,
            arguments,
            log: folder.path().join("engine.log"),
            ..Launch::default()
        })?;
        let url = format!("http://127.0.0.1:{port}/");
        wait_until(Duration::from_secs(120), "the KQL engine answers", || {
            let running = process.check_running();
            let url = &url;
            async move {
                running?;
                Ok(get_ok(url).await?.then_some(()))
            }
        })
        .await?;
        Ok(Self {
            _process: process,
            port,
            _folder: folder,
        })
    }

    /// Address of the Kusto REST API; queries go to `/v1/rest/query` with database `workspace`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
