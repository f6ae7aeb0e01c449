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

/// Tables with the columns that are queried, as DuckDB types.
const COLUMNS: [(&str, &str); 6] = [
    (
        "SecurityIncident",
        "TimeGenerated:'TIMESTAMP', IncidentName:'VARCHAR', CreatedTime:'TIMESTAMP', \
         LastModifiedTime:'TIMESTAMP', ClosedTime:'TIMESTAMP', Status:'VARCHAR', \
         Severity:'VARCHAR', ProviderName:'VARCHAR', AdditionalData:'JSON'",
    ),
    (
        "SecurityAlert",
        "TimeGenerated:'TIMESTAMP', SystemAlertId:'VARCHAR', AlertSeverity:'VARCHAR', \
         ProductName:'VARCHAR', Tactics:'VARCHAR'",
    ),
    (
        "SigninLogs",
        "TimeGenerated:'TIMESTAMP', ResultType:'VARCHAR', IPAddress:'VARCHAR', \
         CorrelationId:'VARCHAR'",
    ),
    (
        "CommonSecurityLog",
        "TimeGenerated:'TIMESTAMP', SimplifiedDeviceAction:'VARCHAR', DeviceAction:'VARCHAR', \
         SourceIP:'VARCHAR'",
    ),
    (
        "Usage",
        "TimeGenerated:'TIMESTAMP', StartTime:'TIMESTAMP', DataType:'VARCHAR', Quantity:'DOUBLE'",
    ),
    (
        "ThreatIntelIndicators",
        "TimeGenerated:'TIMESTAMP', Id:'VARCHAR', Created:'TIMESTAMP'",
    ),
];

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

    /// The DuckDB statement that makes a Sentinel table of a file of its rows (NDJSON), with the
    /// types the workspace has. Columns that no query of ours reads are left out, and so are lines
    /// that are no rows.
    ///
    /// # Panics
    /// When `table` is not one of the tables Foretide reads.
    #[must_use]
    pub fn table_statement(table: &str, rows: &Path) -> String {
        let (_, columns) = COLUMNS
            .iter()
            .find(|(name, _)| *name == table)
            .unwrap_or_else(|| panic!("{table} is not read: add its columns here"));
        format!(
            "CREATE TABLE {table} AS SELECT * FROM read_json('{}', format='newline_delimited', \
             ignore_errors=true, columns={{{columns}}});\n",
            rows.display()
        )
    }

    /// Address of the Kusto REST API; queries go to `/v1/rest/query` with database `workspace`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
