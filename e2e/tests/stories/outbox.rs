//! Rows that the workspace refuses: an operator sees them, has them sent again, and finds them there.

use std::time::Duration;

use anyhow::{Context, ensure};
use foretide_api::governance::v1::ListAuditRequest;
use foretide_e2e::{Contoso, Installation, Setup, Shape, Soc};
use foretide_emulator::{Fault, FaultAction};
use foretide_test_support::wait_until;
use serde_json::Value;

const INGESTION: &str = "/dataCollectionRules/";
const FORECASTS: &str = "PredictiveAlerting_CL";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_are_listed_and_arrive_once_an_operator_has_them_sent_again()
-> anyhow::Result<()> {
    let mut contoso = Contoso::with_history(84)?;
    let today = contoso.advance_to_today()?;
    let mut installation = Setup::new(Shape::OneProcess)?
        .working_for(&contoso)
        .start()
        .await?;
    let told = async {
        let soc = Soc::of(&installation)?;
        let fault = Fault::at(INGESTION, u32::MAX, FaultAction::status(400));
        installation.emulator.add_fault(fault);
        let run_id = soc.start_run("forecast", "attack_volume", today).await?;
        soc.await_run(&run_id).await?;
        ensure!(installation.emulator.rows(FORECASTS).is_empty());
        let refused = refused_rows(&installation).await?;
        ensure!(refused["run_id"] == run_id, "{refused}");
        let reason = refused["reason"].as_str().context("a reason")?;
        ensure!(reason.contains("refuses the rows"), "{reason}");
        installation.emulator.reset();
        let key = refused["key"].as_str().context("a key")?;
        an_operator_has_it_sent_again(&installation, key).await
    }
    .await;
    if told.is_err() {
        eprintln!("{}", installation.logs());
    }
    told
}

async fn listed(installation: &Installation, state: &str) -> anyhow::Result<Vec<Value>> {
    let line = [
        "outbox",
        "list",
        "--service",
        "scorer",
        "--state",
        state,
        "--format",
        "json",
    ];
    let output = installation.cli("operator", &line).await?.success()?;
    let items: Vec<Value> = serde_json::from_str(&output.stdout)?;
    let is_rows = |item: &Value| {
        item["key"]
            .as_str()
            .is_some_and(|key| key.starts_with("rows/"))
    };
    Ok(items.into_iter().filter(is_rows).collect())
}

async fn refused_rows(installation: &Installation) -> anyhow::Result<Value> {
    let refused = listed(installation, "refused").await?;
    refused.into_iter().next().context("nothing is refused")
}

async fn an_operator_has_it_sent_again(
    installation: &Installation,
    key: &str,
) -> anyhow::Result<()> {
    let line = ["outbox", "retry", "scorer", key];
    let output = installation.cli("operator", &line).await?.success()?;
    ensure!(output.stdout.contains("is sent again"), "{}", output.stdout);
    wait_until(PATIENCE, "the rows arrive", || async {
        Ok((!installation.emulator.rows(FORECASTS).is_empty()).then_some(()))
    })
    .await?;
    ensure!(listed(installation, "refused").await?.is_empty());
    wait_until(PATIENCE, "the audit log tells of it", || async {
        let mut auditor = installation.clients_of("operator")?.auditor();
        let answer = auditor.list_audit(ListAuditRequest::default()).await?;
        let mut records = answer.into_inner().records.into_iter();
        Ok(records
            .any(|record| record.action == "outbox.item_retried")
            .then_some(()))
    })
    .await
}
