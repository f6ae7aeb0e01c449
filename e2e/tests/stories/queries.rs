//! What a workspace was asked, as those see it who pay for it and rely on it.

use anyhow::ensure;
use foretide_domain::SentinelTable;
use foretide_e2e::Backfill;
use foretide_synthetic_workspace::LargePlan;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_queries_cost_and_how_complete_the_last_hours_are()
-> anyhow::Result<()> {
    let backfill = Backfill {
        workspace: LargePlan {
            seed: 7,
            start: "2024-01-01".parse()?,
            days: 30,
            rows: 500_000,
        },
        history_days: 20,
        tables: vec![SentinelTable::SecurityAlert, SentinelTable::SigninLogs],
        row_limit: 500_000,
    };
    let reader = backfill.start().await?;
    let before = reader.cli(&["queries", "costs"]).await?.success()?.stdout;
    ensure!(before.contains("today: 0 queries"), "{before}");

    for table in reader.ingest(backfill.history()?).await? {
        ensure!(table.error.is_empty(), "{}: {}", table.table, table.error);
    }

    let costs = reader.cli(&["queries", "costs"]).await?.success()?.stdout;
    ensure!(costs.contains("today: 5 queries"), "{costs}");
    for statement in [
        "counts/alerts",
        "counts/failed_logins",
        "counts/unique_source_ips_daily",
        "newest/SecurityAlert",
        "newest/SigninLogs",
    ] {
        ensure!(costs.contains(statement), "{statement} is missing: {costs}");
    }
    let line = ["queries", "costs", "--limit", "2", "--format", "json"];
    let shown: Value = serde_json::from_str(&reader.cli(&line).await?.success()?.stdout)?;
    ensure!(
        shown["queries"].as_array().map(Vec::len) == Some(2),
        "{shown}"
    );

    let line = ["queries", "completeness", "--as-of", "2024-01-31T00:00:00Z"];
    let completeness = reader.cli(&line).await?.success()?.stdout;
    for table in ["SecurityAlert", "SigninLogs"] {
        // rows lie in their hour and come in when it ends
        let row = completeness.lines().find(|line| line.contains(table));
        ensure!(
            row.is_some_and(|row| row.contains("60 min") && row.contains('%')),
            "{completeness}"
        );
    }
    Ok(())
}
