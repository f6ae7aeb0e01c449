//! Real counts and real Sentinel sample tables, read in place; skipped where they are not at hand.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan};
use foretide_ingestion::config::{CountsColumns, CountsConfig, FilesConfig, MappingConfig};
use foretide_ingestion::source::Run;
use foretide_ingestion::{Config, TableOutcome};
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_service_runtime::testing::TestContext;

/// A folder beside the repository.
fn beside(path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    if !folder.is_dir() {
        eprintln!("skipped: {path} is not beside the repository");
        return None;
    }
    Some(folder)
}

async fn ingest(files: FilesConfig, as_of: DateTime<Utc>) -> (TestContext, Vec<TableOutcome>) {
    let context = TestContext::new("ingestion", as_of, &[]);
    let config = Config {
        files: Some(files),
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
    for outcome in &outcomes.tables {
        assert_eq!(outcome.error, "", "{}", outcome.table);
    }
    (context, outcomes.tables)
}

async fn buckets(
    context: &TestContext,
    measure: Measure,
    from: &str,
    to: &str,
    as_of: DateTime<Utc>,
) -> Vec<BucketRow> {
    let span = TimeSpan::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
    BucketStore::new(context.ctx.lake.clone())
        .rows(measure, span, as_of)
        .await
        .unwrap()
}

fn outcome(outcomes: &[TableOutcome], table: SentinelTable) -> &TableOutcome {
    outcomes
        .iter()
        .find(|outcome| outcome.table == table)
        .unwrap()
}

#[tokio::test]
async fn the_honeypot_counts_are_taken_hour_by_hour() {
    let Some(folder) = beside("bench/security") else {
        return;
    };
    let mut files = FilesConfig::folder(&folder);
    let series = ["marx_dpt3389", "marx_dpt1433", "marx_udp"];
    files.counts.push(CountsConfig {
        path: "hourly.csv.gz".to_owned(),
        measure: Measure::Incidents,
        columns: CountsColumns::default(),
        series: series
            .map(|name| {
                let labels = foretide_ingestion::config::CountsLabels {
                    product: name.to_owned(),
                    ..Default::default()
                };
                (name.to_owned(), labels)
            })
            .into(),
    });
    let as_of = "2013-09-10T00:00:00Z".parse().unwrap();
    let (context, outcomes) = ingest(files, as_of).await;
    let incidents = outcome(&outcomes, SentinelTable::SecurityIncident);
    assert_eq!(incidents.report.rows_quarantined, 0);
    assert!(
        incidents.report.rows_read > 50_000,
        "{:?}",
        incidents.report
    );
    let rows = buckets(
        &context,
        Measure::Incidents,
        "2013-03-01T00:00:00Z",
        "2013-10-01T00:00:00Z",
        as_of,
    )
    .await;
    for name in series {
        assert!(
            rows.iter().filter(|row| row.product == name).count() > 2000,
            "{name}"
        );
    }
    println!(
        "rows {}, buckets {}",
        incidents.report.rows_read,
        rows.len()
    );
}

#[tokio::test]
async fn the_sentinel_sample_tables_are_read_through_mappings() {
    let Some(folder) = beside("fixtures/fetched/sentinel/sample-tables") else {
        return;
    };
    let text = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let mut files = FilesConfig::folder(&folder);
    let alerts = MappingConfig {
        table: SentinelTable::SecurityAlert,
        columns: text(&[("AlertSeverity", "Severity")]),
        values: [].into(),
    };
    let logons = MappingConfig {
        table: SentinelTable::SigninLogs,
        columns: text(&[("ResultType", "EventID"), ("IPAddress", "IpAddress")]),
        values: [("ResultType".to_owned(), text(&[("4624", "0")]))].into(),
    };
    files.mappings.insert("alertlist.csv".to_owned(), alerts);
    files.mappings.insert("host_logons.csv".to_owned(), logons);
    let as_of = "2019-06-01T00:00:00Z".parse().unwrap();
    let (context, outcomes) = ingest(files, as_of).await;
    for (table, measure) in [
        (SentinelTable::SecurityAlert, Measure::Alerts),
        (SentinelTable::SigninLogs, Measure::UniqueSourceIpsDaily),
    ] {
        let report = &outcome(&outcomes, table).report;
        let rows = buckets(
            &context,
            measure,
            "2018-01-01T00:00:00Z",
            "2019-06-01T00:00:00Z",
            as_of,
        )
        .await;
        println!("{table}: {report:?}, {} buckets", rows.len());
        assert!(
            report.rows_read > 10 && report.rows_quarantined * 10 < report.rows_read,
            "{table}: {report:?}"
        );
        assert!(!rows.is_empty(), "{table}");
    }
}
