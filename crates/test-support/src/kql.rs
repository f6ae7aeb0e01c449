//! A real KQL engine, so that queries are executed and not only parsed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use foretide_domain::SentinelTable;
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

    /// The DuckDB statement that makes a Sentinel table of a file of its rows (NDJSON), with the
    /// columns that are declared and the types the workspace has. Lines that are no rows are left
    /// out. `_IngestionTime` stands for what `ingestion_time()` gives in a workspace.
    #[must_use]
    pub fn table_statement(table: SentinelTable, rows: &Path) -> String {
        let declared = foretide_sentinel_tables::table(table).columns.iter();
        let mut columns: Vec<String> = declared
            .map(|column| format!("{}:'{}'", column.name, column.kind.duckdb()))
            .collect();
        columns.push("_ArrivalTime:'TIMESTAMP'".to_owned());
        format!(
            "CREATE TABLE {table} AS SELECT *, coalesce(_ArrivalTime, TimeGenerated) AS \
             _IngestionTime FROM read_json('{}', format='newline_delimited', ignore_errors=true, \
             columns={{{}}});\n",
            rows.display(),
            columns.join(", ")
        )
    }

    /// A query as the engine takes it: it has no `ingestion_time()`.
    #[must_use]
    pub fn dialect(query: &str) -> String {
        query.replace("ingestion_time()", "_IngestionTime")
    }

    /// Address of the Kusto REST API; queries go to `/v1/rest/query` with database `workspace`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
