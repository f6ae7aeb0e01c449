//! The main job on data that nobody here wrote: counts of real honeypots, and real Sentinel sample
//! tables. They lie beside the repository and are read in place; without them these stories say so
//! and end.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::{
    governance::v1::{Evaluation, ListEvaluationsRequest},
    ingestion::v1::{
        IngestRequest, IngestSummary, ListQuarantineRequest, ListWatermarksRequest,
        ingest_response::Event,
    },
    timestamp,
    training::v1::GetChampionRequest,
};
use foretide_domain::RunId;
use foretide_e2e::{Installation, Setup, Shape, Soc};
use foretide_test_support::repository_root;
use serde_json::json;

const HOSTS: [(&str, &str); 5] = [
    ("marx_groucho_norcal", "honeypot in Northern California"),
    ("marx_groucho_oregon", "honeypot in Oregon"),
    ("marx_groucho_sa", "honeypot in South America"),
    ("marx_groucho_sydney", "honeypot in Sydney"),
    ("marx_groucho_us_east", "honeypot in the Eastern US"),
];

/// A folder beside the repository, if this machine has it.
fn beside_the_repository(path: &str) -> Option<PathBuf> {
    let folder = repository_root().join("../shared").join(path);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the real data are not beside this repository (../shared/{path})");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn honeypot_counts_are_forecast_and_judged() -> anyhow::Result<()> {
    let Some(folder) = beside_the_repository("bench/security") else {
        return Ok(());
    };
    let series: serde_json::Map<_, _> = HOSTS
        .iter()
        .map(|(id, product)| ((*id).to_owned(), json!({"product": product})))
        .collect();
    let counts = json!([{"path": "hourly.csv.gz", "measure": "incidents", "series": series}]);
    let installation = Setup::new(Shape::OneProcess)?
        .with(
            "/ingestion/files",
            json!({"locations": [{"url": folder}], "counts": counts}),
        )
        .with("/feature_store/calendar", json!({"timezone": "UTC"}))
        .with("/orchestrator/retrain_after_days", json!(28))
        .start()
        .await?;
    let soc = Soc::of(&installation)?;

    // Eight weeks before the end of the record, then once a week: every forecast but the last ones
    // settles and is judged.
    let first: DateTime<Utc> = "2013-07-13T06:00:00Z".parse()?;
    for week in 0..9 {
        soc.forecast("attack_volume", first + TimeDelta::weeks(week))
            .await?;
    }
    let judged = evaluations(&soc, "attack_volume/total").await?;
    ensure!(
        judged.len() >= 8,
        "only {} forecasts were judged",
        judged.len()
    );
    report(&installation, &soc, &judged).await
}

async fn evaluations(soc: &Soc, series_id: &str) -> anyhow::Result<Vec<Evaluation>> {
    let answer = soc
        .operator
        .auditor()
        .list_evaluations(ListEvaluationsRequest {
            use_case: "attack_volume".to_owned(),
            series_id: series_id.to_owned(),
            limit: 100,
        })
        .await?;
    Ok(answer.into_inner().evaluations)
}

/// Says what came out: rows in, buckets, series, models chosen, accuracy.
async fn report(
    installation: &Installation,
    soc: &Soc,
    judged: &[Evaluation],
) -> anyhow::Result<()> {
    let marks = soc
        .operator
        .ingestion()
        .list_watermarks(ListWatermarksRequest {})
        .await?
        .into_inner()
        .watermarks;
    for mark in &marks {
        println!(
            "{}: {} rows in, {} quarantined",
            mark.table, mark.rows_total, mark.rows_quarantined
        );
    }
    let buckets = installation.folder().join("data/lake/buckets/incidents");
    println!("{} days in the lake", std::fs::read_dir(buckets)?.count());

    let champion = soc
        .operator
        .trainer()
        .get_champion(GetChampionRequest {
            use_case: "attack_volume".to_owned(),
        })
        .await?
        .into_inner()
        .model_version
        .context("no model was trained")?;
    ensure!(champion.series.len() > HOSTS.len(), "a series is missing");
    for series in &champion.series {
        println!("{:<48} {} {}", series.series_id, series.kind, series.note);
    }

    let hours: u32 = judged.iter().map(|evaluation| evaluation.hours).sum();
    let mean = |value: fn(&Evaluation) -> f64| {
        let weighted: f64 = judged
            .iter()
            .map(|evaluation| value(evaluation) * f64::from(evaluation.hours))
            .sum();
        weighted / f64::from(hours)
    };
    let (coverage_80, coverage_95) = (mean(|e| e.coverage_80), mean(|e| e.coverage_95));
    println!(
        "total, {} forecasts over {hours} h: MAE {:.2}, pinball {:.2} (seasonal naive {:.2}), \
         coverage {:.1}% of 80%, {:.1}% of 95%",
        judged.len(),
        mean(|e| e.mae),
        mean(|e| e.pinball),
        mean(|e| e.naive_pinball),
        100.0 * coverage_80,
        100.0 * coverage_95,
    );
    ensure!(
        mean(|e| e.pinball) <= mean(|e| e.naive_pinball),
        "seasonal naive was better than what was served"
    );
    ensure!(
        (0.65..=0.95).contains(&coverage_80),
        "80% intervals held {coverage_80}"
    );
    ensure!(coverage_95 >= 0.85, "95% intervals held {coverage_95}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_tables_are_read_and_what_cannot_be_is_named() -> anyhow::Result<()> {
    let Some(folder) = beside_the_repository("fixtures/fetched/sentinel/sample-tables") else {
        return Ok(());
    };
    let mappings = json!({
        "alertlist.csv": {
            "table": "SecurityAlert",
            "columns": {"AlertSeverity": "Severity", "ProductName": "ProviderName"},
        },
    });
    let installation = Setup::new(Shape::OneProcess)?
        .with(
            "/ingestion/files",
            json!({"locations": [{"url": folder}], "mappings": mappings}),
        )
        .start()
        .await?;
    let soc = Soc::of(&installation)?;
    let summary = ingest(&soc, "2019-06-01T00:00:00Z".parse()?).await?;
    for table in &summary.tables {
        println!(
            "{}: {} objects, {} rows in, {} repeated, {} quarantined, {} buckets {}",
            table.table,
            table.objects_read,
            table.rows_read,
            table.rows_duplicate,
            table.rows_quarantined,
            table.buckets_written,
            table.error
        );
        ensure!(table.error.is_empty(), "{}: {}", table.table, table.error);
    }
    let alerts = summary
        .tables
        .iter()
        .find(|table| table.table == "SecurityAlert")
        .context("no alerts were read")?;
    assert_eq!(alerts.rows_read, 189, "every alert of the sample is read");
    assert_eq!(alerts.rows_quarantined, 0);
    ensure!(alerts.buckets_written > 0, "no alert was counted");
    let quarantined = soc
        .operator
        .ingestion()
        .list_quarantine(ListQuarantineRequest {
            table: "SecurityAlert".to_owned(),
            limit: 100,
        })
        .await?
        .into_inner()
        .rows;
    for row in &quarantined {
        ensure!(
            !row.reason.is_empty() && !row.object.is_empty(),
            "an unnamed refusal: {row:?}"
        );
    }
    Ok(())
}

async fn ingest(soc: &Soc, as_of: DateTime<Utc>) -> anyhow::Result<IngestSummary> {
    let mut events = soc
        .operator
        .ingestion()
        .ingest(IngestRequest {
            run_id: RunId::new().to_string(),
            as_of: timestamp(as_of),
            tables: Vec::new(),
        })
        .await?
        .into_inner();
    while let Some(answer) = events.message().await? {
        if let Some(Event::Summary(summary)) = answer.event {
            return Ok(summary);
        }
    }
    anyhow::bail!("the ingestion ended without a summary")
}
