//! The history of a large workspace, read by an ingestion service of its own.
//!
//! The emulator stands for the workspace: tens of millions of rows, of which it holds only counts that
//! are known to add up. The service is the product's own process, asked as the orchestrator asks it;
//! what it took is read from the kernel afterwards, and what it wrote is added up from its lake.

use std::{path::Path, time::Duration, time::Instant};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use foretide_api::{
    ingestion::v1::{GetQueryCostsRequest, IngestRequest, TableSummary, ingest_response::Event},
    timestamp,
};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan};
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, GeneratedConfig};
use foretide_lake::{Lake, LakeConfig, buckets::BucketStore};
use foretide_service_runtime::{PeerUrls, Peers};
use foretide_synthetic_workspace::{LargePlan, LargeWorkspace};
use foretide_test_support::{ForetideOutput, ForetideProcess, foretide, free_port};
use secrecy::SecretString;
use serde_json::json;

use crate::clock;

const SERVICE_TOKEN: &str = "token-of-the-services-at-scale";
const OPERATOR_TOKEN: &str = "token-of-the-operator-at-scale";
/// Days that are added up at once when the lake is checked.
const DAYS_AT_ONCE: i64 = 30;
/// Linux counts processor time in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// What is read, and under which limits.
#[derive(Debug, Clone)]
pub struct Backfill {
    /// The workspace; it ends where the history does.
    pub workspace: LargePlan,
    /// Days of history that are asked for.
    pub history_days: u32,
    /// Tables that are read; all when empty.
    pub tables: Vec<SentinelTable>,
    /// Rows that the workspace gives in one answer.
    pub row_limit: usize,
}

/// What it took.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Measures that were read.
    pub measures: usize,
    /// Tables that were read.
    pub tables: usize,
    /// Hours of history.
    pub hours: usize,
    /// Aggregate rows that are in the lake.
    pub buckets: u64,
    /// Rows of the workspace that they stand for.
    pub rows_behind: u64,
    /// From the request to the summary.
    pub elapsed: Duration,
    /// Processor time of the service in that time.
    pub processor: Duration,
    /// Most memory that the service held since its start (`VmHWM`), bytes.
    pub peak_bytes: u64,
    /// The same before the first question, bytes.
    pub idle_bytes: u64,
    /// What the workspace was asked.
    pub costs: Costs,
}

/// What the workspace was asked.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// Queries.
    pub queries: usize,
    /// Of them, those whose answers were too large, and were asked for in halves.
    pub too_large: usize,
    /// Bytes that the workspace had to scan.
    pub bytes_scanned: u64,
}

/// An ingestion service over a workspace. Both stop when dropped.
#[derive(Debug)]
pub struct Reader {
    process: ForetideProcess,
    peers: Peers,
    emulator: EmulatorHandle,
    config: String,
    folder: tempfile::TempDir,
}

impl Backfill {
    /// Reads the history with a service of its own and checks that the lake holds what the workspace
    /// declares, measure by measure.
    ///
    /// # Errors
    /// When something does not start, a table is not read, or a total differs.
    pub async fn run(&self) -> anyhow::Result<Taken> {
        let workspace = LargeWorkspace::new(&self.workspace)?;
        let history = self.history()?;
        let mut running = self.start().await?;
        let process = running.process.process().id();
        let idle_bytes = peak_bytes(process)?;
        let processor = processor_time(process)?;
        let begun = Instant::now();
        let summaries = running.ingest(history).await?;
        let elapsed = begun.elapsed();
        let processor = processor_time(process)?.saturating_sub(processor);
        let peak_bytes = peak_bytes(process)?;
        for table in &summaries {
            ensure!(table.error.is_empty(), "{}: {}", table.table, table.error);
        }
        let tables = self.tables();
        let measures = Measure::ALL.into_iter();
        let measures: Vec<Measure> = measures
            .filter(|measure| tables.contains(&measure.table()))
            .collect();
        running.check_totals(&workspace, &measures, history).await?;
        let rows_behind = tables.iter().map(|table| workspace.rows(*table, history));
        Ok(Taken {
            measures: measures.len(),
            tables: tables.len(),
            hours: history.hours(),
            buckets: summaries.iter().map(|table| table.buckets_written).sum(),
            rows_behind: rows_behind.sum(),
            elapsed,
            processor,
            peak_bytes,
            idle_bytes,
            costs: running.costs().await?,
        })
    }

    /// The days that are asked for.
    ///
    /// # Errors
    /// When the workspace cannot be.
    pub fn history(&self) -> anyhow::Result<TimeSpan> {
        let end = LargeWorkspace::new(&self.workspace)?.span().end;
        Ok(TimeSpan {
            start: end - TimeDelta::days(self.history_days.into()),
            end,
        })
    }

    fn tables(&self) -> Vec<SentinelTable> {
        if self.tables.is_empty() {
            SentinelTable::ALL.to_vec()
        } else {
            self.tables.clone()
        }
    }

    /// Starts the workspace and the service. Nothing is read yet.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(&self) -> anyhow::Result<Reader> {
        let emulator = Emulator::start(
            EmulatorConfig {
                generated: Some(GeneratedConfig {
                    seed: self.workspace.seed,
                    start: self.workspace.start,
                    days: self.workspace.days,
                    rows: self.workspace.rows,
                }),
                query_row_limit: self.row_limit,
                ..EmulatorConfig::default()
            },
            clock().shared(),
        )
        .await?;
        let folder = tempfile::Builder::new()
            .prefix("foretide-scale-")
            .tempdir()?;
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let urls = PeerUrls {
            ingestion: url.clone(),
            feature_store: url.clone(),
            trainer: url.clone(),
            scorer: url.clone(),
            auditor: url.clone(),
            broker: url.clone(),
            orchestrator: url.clone(),
        };
        let config = folder.path().join("foretide.yaml");
        let mut written = self.config(&emulator, folder.path(), port);
        written["peers"] = json!(urls);
        // JSON is YAML.
        std::fs::write(&config, written.to_string())?;
        let config = config.display().to_string();
        let process = ForetideProcess::start(
            folder.path(),
            "ingestion",
            ["serve", "ingestion", "--config", &config],
            &[],
            &format!("{url}/healthz"),
        )
        .await?;
        let token = SecretString::from(SERVICE_TOKEN);
        Ok(Reader {
            process,
            peers: Peers::new(&urls, &token).map_err(anyhow::Error::msg)?,
            emulator,
            config,
            folder,
        })
    }

    fn config(&self, emulator: &EmulatorHandle, folder: &Path, port: u16) -> serde_json::Value {
        let identity = json!({
            "authority": emulator.base_url(),
            "tenant": EmulatorConfig::TENANT,
            "client_id": "00000000-0000-4000-8000-0000000000aa",
            "client_secret": "the emulator takes any secret",
        });
        json!({
            "data_dir": folder.join("data"),
            "simulated_time": clock().setting(),
            "listen": {"host": "127.0.0.1", "ingestion": port},
            "identity": {
                "service_token": SERVICE_TOKEN,
                "people": [
                    {"name": "operator", "roles": ["viewer", "operator"], "token": OPERATOR_TOKEN},
                ],
            },
            "telemetry": {"filter": "warn"},
            "ingestion": {
                "pseudonym_key": "00".repeat(32),
                "tables": self.tables(),
                "log_analytics": {
                    "workspace_id": "00000000-0000-4000-8000-00000000aaaa",
                    "endpoint": emulator.base_url(),
                    "identity": identity,
                    "history_days": self.history_days,
                },
            },
        })
    }
}

impl Reader {
    /// Reads the history.
    ///
    /// # Errors
    /// When the service does not.
    pub async fn ingest(&self, history: TimeSpan) -> anyhow::Result<Vec<TableSummary>> {
        let request = IngestRequest {
            run_id: RunId::new().to_string(),
            as_of: timestamp(history.end),
            tables: Vec::new(),
        };
        let mut answers = self.peers.ingestion().ingest(request).await?.into_inner();
        let mut summary = None;
        while let Some(answer) = answers.message().await? {
            if let Some(Event::Summary(last)) = answer.event {
                summary = Some(last);
            }
        }
        Ok(summary.context("the service gave no summary")?.tables)
    }

    /// Runs `foretide <arguments>` as the operator.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<ForetideOutput> {
        let mut line = vec!["--config", &self.config];
        line.extend(arguments);
        line.extend(["--as", "operator"]);
        foretide(self.folder.path(), line).await
    }

    /// Adds up what is in the lake.
    async fn check_totals(
        &self,
        workspace: &LargeWorkspace,
        measures: &[Measure],
        history: TimeSpan,
    ) -> anyhow::Result<()> {
        let lake = LakeConfig::folder(&self.folder.path().join("data/lake"));
        let buckets = BucketStore::new(Lake::open(&lake)?);
        for measure in measures {
            let mut total = 0.0;
            let mut start = history.start;
            while start < history.end {
                let end = history.end.min(start + TimeDelta::days(DAYS_AT_ONCE));
                let span = TimeSpan { start, end };
                let rows = buckets.rows(*measure, span, history.end).await?;
                total += rows.iter().map(|row| row.value).sum::<f64>();
                start = end;
            }
            let declared = workspace.total(*measure, history);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let difference = (total - declared as f64).abs();
            ensure!(
                difference < 0.5,
                "{measure}: the lake holds {total}, the workspace {declared}"
            );
        }
        Ok(())
    }

    async fn costs(&self) -> anyhow::Result<Costs> {
        let request = GetQueryCostsRequest {
            since: None,
            limit: 1000,
        };
        let costs = self.peers.ingestion().get_query_costs(request).await?;
        let queries = costs.into_inner().queries;
        let asked = self.emulator.requests("/v1/workspaces/").len();
        ensure!(
            queries.len() == asked,
            "{asked} queries were asked, {} are in the ledger",
            queries.len()
        );
        let too_large = queries.iter().filter(|query| query.outcome == "incomplete");
        Ok(Costs {
            queries: asked,
            too_large: too_large.count(),
            bytes_scanned: queries.iter().map(|query| query.bytes_scanned).sum(),
        })
    }
}

/// Most memory that a process has held since its start.
fn peak_bytes(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.context("the kernel tells no VmHWM")?.parse()?;
    Ok(kilobytes * 1024)
}

/// Processor time of a process and all its threads, in user and kernel.
fn processor_time(process: u32) -> anyhow::Result<Duration> {
    // the command's name in the second field may hold spaces, but ends with the last parenthesis
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat
        .rsplit_once(')')
        .context("the kernel's line is short")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<u64> {
        Ok(fields
            .get(at)
            .context("the kernel's line is short")?
            .parse()?)
    };
    Ok(TICK * u32::try_from(ticks(11)? + ticks(12)?)?)
}
