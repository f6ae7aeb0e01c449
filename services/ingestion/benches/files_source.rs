//! Rows per second of the files source into Parquet, beside plain polars reading the same files.
//!
//! `cargo bench -p foretide-ingestion`. Both read one day-partitioned NDJSON export of the synthetic
//! workspace; polars only parses it and writes one Parquet file, the service also checks every row,
//! removes duplicates, pseudonymises, counts, and keeps its ledger.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use divan::Bencher;
use divan::counter::ItemsCount;
use foretide_domain::{RunId, SentinelTable};
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_ingestion::source::Run;
use foretide_service_runtime::testing::TestContext;
use foretide_synthetic_workspace::{Plan, Workspace, write_export};
use polars::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TABLES: [SentinelTable; 3] = [
    SentinelTable::SecurityIncident,
    SentinelTable::SigninLogs,
    SentinelTable::CommonSecurityLog,
];

fn main() {
    divan::main();
}

/// One workspace, as an export and as one sound NDJSON file a table.
struct Input {
    export: TempDir,
    plain: TempDir,
    workspace: Workspace,
}

impl Input {
    fn make() -> Self {
        let plan = Plan {
            history_days: 30,
            replay_days: 0,
            ..Plan::contoso(1, "2026-10-01".parse().expect("a date"))
        };
        let workspace = Workspace::generate(&plan).expect("a valid plan");
        let export = tempfile::tempdir().expect("a folder");
        write_export(&workspace, export.path(), &mut |_| {}).expect("an export");
        let plain = tempfile::tempdir().expect("a folder");
        for table in TABLES {
            let rows = workspace.rows(table).iter();
            let sound =
                rows.filter(|row| serde_json::from_str::<serde_json::Value>(&row.line).is_ok());
            let lines: Vec<&str> = sound.map(|row| &*row.line).collect();
            fs::write(
                plain.path().join(format!("{table}.ndjson")),
                lines.join("\n") + "\n",
            )
            .expect("a file");
        }
        Self {
            export,
            plain,
            workspace,
        }
    }

    fn rows(&self) -> usize {
        TABLES
            .iter()
            .map(|table| self.workspace.rows(*table).len())
            .sum()
    }
}

fn ingest(runtime: &Runtime, input: &Path, end: chrono::DateTime<chrono::Utc>) {
    let _inside = runtime.enter();
    let context = TestContext::new("ingestion", end, &[]);
    let config = Config {
        tables: TABLES.to_vec(),
        files: Some(FilesConfig::folder(input)),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    let folder = Arc::clone(&context.folder);
    runtime.block_on(async {
        let ingestion = foretide_ingestion::open(&context.ctx, config)
            .await
            .expect("a service");
        let run = Run {
            run_id: RunId::new(),
            as_of: end,
        };
        let outcomes = ingestion
            .ingest(run, &[], &|_, _, _| {})
            .await
            .expect("a run");
        assert!(
            outcomes
                .tables
                .iter()
                .all(|outcome| outcome.error.is_empty() && outcome.report.rows_read > 0)
        );
    });
    drop(folder);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn service_over_hourly_export_files(bencher: Bencher<'_, '_>) {
    let input = Input::make();
    let runtime = Runtime::new().expect("a runtime");
    let end = input.workspace.span().end + TimeDelta::days(3);
    bencher
        .counter(ItemsCount::new(input.rows()))
        .bench_local(|| ingest(&runtime, input.export.path(), end));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn service_over_one_file_a_table(bencher: Bencher<'_, '_>) {
    let input = Input::make();
    let runtime = Runtime::new().expect("a runtime");
    let end = input.workspace.span().end + TimeDelta::days(3);
    bencher
        .counter(ItemsCount::new(input.rows()))
        .bench_local(|| ingest(&runtime, input.plain.path(), end));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn plain_polars_over_one_file_a_table(bencher: Bencher<'_, '_>) {
    let input = Input::make();
    let out = tempfile::tempdir().expect("a folder");
    bencher
        .counter(ItemsCount::new(input.rows()))
        .bench_local(|| {
            for table in TABLES {
                let path: PathBuf = input.plain.path().join(format!("{table}.ndjson"));
                let file = fs::File::open(path).expect("the file");
                let mut frame = JsonReader::new(file)
                    .with_json_format(JsonFormat::JsonLines)
                    .finish()
                    .expect("sound rows");
                let target =
                    fs::File::create(out.path().join(format!("{table}.parquet"))).expect("a file");
                ParquetWriter::new(target)
                    .finish(&mut frame)
                    .expect("a table");
            }
        });
}
