//! The counting in KQL and the counting from files agree, on a real KQL engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan};
use foretide_ingestion::Config;
use foretide_ingestion::config::FilesConfig;
use foretide_ingestion::source::Run;
use foretide_lake::buckets::BucketStore;
use foretide_service_runtime::testing::TestContext;
use foretide_synthetic_workspace::{Plan, Workspace};
use foretide_test_support::{KqlEngine, or_skip};
use serde_json::{Value, json};

type Counts = BTreeMap<(DateTime<Utc>, String, String, String), f64>;

/// Sound rows, each once, as plain files and as tables of the engine.
fn write_tables(workspace: &Workspace, folder: &Path) -> String {
    let mut script = String::new();
    for table in SentinelTable::ALL {
        let mut lines: Vec<&str> = workspace
            .rows(table)
            .iter()
            .map(|row| &*row.line)
            .filter(|line| {
                let row: Option<Value> = serde_json::from_str(line).ok();
                row.is_some_and(|row| {
                    row["TimeGenerated"]
                        .as_str()
                        .is_some_and(|time| time.ends_with('Z'))
                })
            })
            .collect();
        lines.sort_unstable();
        lines.dedup();
        let path = folder.join(format!("{table}.ndjson"));
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        script.push_str(&KqlEngine::table_statement(table.name(), &path));
    }
    script
}

async fn from_files(
    folder: &Path,
    span: TimeSpan,
    as_of: DateTime<Utc>,
) -> BTreeMap<Measure, Counts> {
    let context = TestContext::new("ingestion", as_of, &[]);
    let config = Config {
        files: Some(FilesConfig::folder(folder)),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    let ingestion = foretide_ingestion::open(&context.ctx, config)
        .await
        .unwrap();
    let run = Run {
        run_id: RunId::new(),
        as_of,
    };
    let outcomes = ingestion.ingest(run, &[], &|_, _, _| {}).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.error.is_empty()));
    let buckets = BucketStore::new(context.ctx.lake.clone());
    let mut all = BTreeMap::new();
    for measure in Measure::ALL {
        let rows = buckets.rows(measure, span, as_of).await.unwrap();
        let counts = rows
            .into_iter()
            .map(|row| {
                (
                    (row.event_time, row.severity, row.product, row.tactic),
                    row.value,
                )
            })
            .collect();
        all.insert(measure, counts);
    }
    all
}

async fn from_kql(
    engine: &KqlEngine,
    measure: Measure,
    span: TimeSpan,
    as_of: DateTime<Utc>,
) -> Counts {
    let path = format!(
        "{}/queries/{}.kql",
        env!("CARGO_MANIFEST_DIR"),
        measure.name()
    );
    let literal = |moment: DateTime<Utc>| {
        format!(
            "datetime({})",
            moment.to_rfc3339_opts(SecondsFormat::Millis, true)
        )
    };
    let query = format!(
        "let windowStart = {};\nlet windowEnd = {};\nlet asOf = {};\n{}",
        literal(span.start),
        literal(span.end),
        literal(as_of),
        fs::read_to_string(path).unwrap()
    );
    let http = foretide_http::client(&foretide_http::ClientOptions::default()).unwrap();
    let request = http
        .post(format!("{}/v1/rest/query", engine.url()))
        .json(&json!({"db": "workspace", "csl": query}));
    let response = request.send().await.unwrap();
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{measure}: {body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let table = &body["Tables"][0];
    let place = |name: &str| {
        let columns = table["Columns"].as_array().unwrap();
        columns
            .iter()
            .position(|column| column["ColumnName"] == name)
    };
    let text = |row: &Value, name: &str| {
        place(name)
            .and_then(|at| row[at].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let rows = table["Rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let hour = text(row, "Hour")
            .parse()
            .unwrap_or_else(|_| panic!("{row}"));
        let value = row[place("Value").unwrap()].as_f64().unwrap();
        (
            (
                hour,
                text(row, "Severity"),
                text(row, "Product"),
                text(row, "Tactic"),
            ),
            value,
        )
    })
    .collect()
}

#[tokio::test]
async fn every_query_counts_what_the_files_source_counts() {
    let plan = Plan {
        history_days: 6,
        replay_days: 0,
        volume: 0.4,
        ..Plan::contoso(3, "2026-11-02".parse().unwrap())
    };
    let workspace = Workspace::generate(&plan).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = write_tables(&workspace, folder.path());
    let init = folder.path().join("init.sql");
    fs::write(&init, script).unwrap();
    let Some(engine) = or_skip(KqlEngine::start_with(Some(&init)).await).unwrap() else {
        return;
    };
    let span = workspace.span();
    let as_of = span.end + TimeDelta::days(3);
    let expected = from_files(folder.path(), span, as_of).await;
    for measure in Measure::ALL {
        let counted = from_kql(&engine, measure, span, as_of).await;
        let expected = &expected[&measure];
        assert!(!expected.is_empty(), "{measure}");
        assert_eq!(
            counted.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{measure}"
        );
        for (place, value) in &counted {
            assert!(
                (value - expected[place]).abs() <= 1e-6 * value.abs(),
                "{measure} {place:?}: {value} {}",
                expected[place]
            );
        }
    }
}
