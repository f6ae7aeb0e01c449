//! From a predicted window to what stands in Sentinel, and back again: rows that can be seen, a
//! watchlist, a planning incident that a person approved, a forecast that was withdrawn.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use foretide_api::actions::v1::{Proposal, ProposalState};
use foretide_api::orchestration::v1::Run;
use foretide_e2e::{Contoso, Installation, Setup, Shape, Soc};
use foretide_test_support::{KqlEngine, or_skip, wait_until};
use serde_json::{Value, json};

const SURGES: &str = "Predicted_Attack_Surge_CL";
const FORECASTS: &str = "PredictiveAlerting_CL";
const INCIDENTS: &str = "Microsoft.SecurityInsights/incidents";
const ITEMS: &str = "Microsoft.SecurityInsights/watchlists/watchlistItems";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_predicted_stands_in_sentinel_until_it_is_taken_back() -> anyhow::Result<()> {
    let mut contoso = Contoso::with_history(84)?;
    let today = contoso.advance_to_today()?;
    let engine = or_skip(KqlEngine::start().await)?;
    let mut installation = Setup::new(Shape::OneProcess)?
        .working_for(&contoso)
        .with("/auditor/initial_phases/risk_period", json!("assisted"))
        .acting_in_sentinel(engine.as_ref())?
        .start()
        .await?;
    let told = async {
        let soc = Soc::of(&installation)?;
        let run = soc.forecast("risk_period", today).await?;
        let forecast = windows_stand(&installation, &run)?;
        if engine.is_some() {
            rows_are_seen(&installation, &run).await?;
        }
        the_watchlist_names_what_carries_the_window(&installation).await?;
        the_content_pack_knows_the_phase(&installation).await?;
        a_person_lets_the_incident_be_written(&installation, &soc).await?;
        a_person_takes_the_forecast_back(&installation, &forecast).await
    }
    .await;
    if told.is_err() {
        eprintln!("{}", installation.logs());
    }
    told
}

/// The newest row of each key: true when it stands.
fn standing(installation: &Installation, table: &str) -> BTreeMap<String, bool> {
    let mut newest: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for row in installation.emulator.rows(table) {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let said = (text("IssuedAt"), row["Withdrawn"] != true);
        let known = newest.entry(text("IdempotencyKey")).or_default();
        *known = said.max(known.clone());
    }
    let stands = newest.into_iter();
    stands.map(|(key, (_, stands))| (key, stands)).collect()
}

fn windows_stand(installation: &Installation, run: &Run) -> anyhow::Result<String> {
    let rows = installation.emulator.rows(SURGES);
    let acting = rows
        .iter()
        .find(|row| row["RunId"] == run.run_id && row["Acts"] == true);
    let acting = acting.context("the announced campaign raised no window")?;
    ensure!(
        standing(installation, SURGES)
            .values()
            .all(|stands| *stands)
    );
    Ok(acting["ForecastId"]
        .as_str()
        .context("a forecast's id")?
        .to_owned())
}

async fn rows_are_seen(installation: &Installation, run: &Run) -> anyhow::Result<()> {
    let batches = wait_until(PATIENCE, "all rows can be queried", || async {
        let line = [
            "write-back",
            "status",
            "--run",
            &run.run_id,
            "--format",
            "json",
        ];
        let output = installation.cli("operator", &line).await?.success()?;
        let batches: Vec<Value> = serde_json::from_str(&output.stdout)?;
        let seen = batches.iter().all(|batch| batch["state"] == "visible");
        Ok(seen.then_some(batches))
    })
    .await?;
    for table in [FORECASTS, SURGES] {
        let batch = batches.iter().find(|batch| batch["table"] == table);
        let batch = batch.with_context(|| format!("no batch of {table}"))?;
        ensure!(batch["rows_seen"] == batch["rows"], "{batch}");
        ensure!(batch["visible_after_seconds"].is_number(), "{batch}");
    }
    Ok(())
}

async fn the_watchlist_names_what_carries_the_window(
    installation: &Installation,
) -> anyhow::Result<()> {
    wait_until(PATIENCE, "the watchlist has the scope", || async {
        let items = installation.emulator.arm_resources(ITEMS);
        let mut scopes = items
            .iter()
            .map(|item| &item["properties"]["itemsKeyValue"]["Scope"]);
        Ok(scopes
            .any(|scope| scope == "risk_period/total")
            .then_some(()))
    })
    .await
}

async fn the_content_pack_knows_the_phase(installation: &Installation) -> anyhow::Result<()> {
    let line = ["content", "plan", "--format", "json"];
    let output = installation.cli("operator", &line).await?.success()?;
    let plan: Value = serde_json::from_str(&output.stdout)?;
    let held: Vec<&str> = plan["held_back"]
        .as_array()
        .context("what is held back")?
        .iter()
        .filter_map(|held| held["needs"].as_str())
        .collect();
    ensure!(
        !held.is_empty() && held.iter().all(|needs| *needs == "proactive"),
        "the phase is assisted: {held:?}"
    );
    Ok(())
}

async fn planning(soc: &Soc) -> anyhow::Result<Proposal> {
    let waiting = soc.proposals(ProposalState::Waiting).await?;
    let planning = waiting
        .into_iter()
        .find(|proposal| proposal.action_kind == "planning_incident");
    planning.context("no planning incident was proposed")
}

async fn a_person_lets_the_incident_be_written(
    installation: &Installation,
    soc: &Soc,
) -> anyhow::Result<()> {
    let proposal = planning(soc).await?;
    let incidents = || installation.emulator.arm_resources(INCIDENTS);
    ensure!(incidents().is_empty(), "written before anybody approved");
    let (id, hash) = (&proposal.proposal_id, &proposal.payload_hash);
    let line = ["actions", "approve", id, "--payload-hash", hash];
    installation.cli("approver", &line).await?.success()?;
    let written = incidents();
    ensure!(written.len() == 1, "{written:?}");
    let properties = &written[0]["properties"];
    ensure!(properties["status"] == "New", "{properties}");
    ensure!(properties.to_string().contains("foretide-planning"));
    let rows = installation.emulator.rows("SecurityIncident");
    let is_left_out_of_counts = |row: &Value| {
        let title = row["Title"].as_str();
        title.is_some_and(|title| title.starts_with("Foretide:"))
    };
    ensure!(
        !rows.is_empty() && rows.iter().all(is_left_out_of_counts),
        "{rows:?}"
    );
    Ok(())
}

async fn a_person_takes_the_forecast_back(
    installation: &Installation,
    forecast: &str,
) -> anyhow::Result<()> {
    let line = [
        "write-back",
        "withdraw",
        forecast,
        "--use-case",
        "risk_period",
        "--reason",
        "the campaign was called off",
    ];
    let output = installation.cli("operator", &line).await?.success()?;
    ensure!(output.stdout.contains("was withdrawn"), "{}", output.stdout);
    let windows = standing(installation, SURGES);
    ensure!(windows.values().all(|stands| !stands), "{windows:?}");
    let hours = standing(installation, FORECASTS);
    ensure!(
        hours.values().any(|stands| !stands),
        "no hour was taken back"
    );
    wait_until(PATIENCE, "the watchlist is empty", || async {
        let items = installation.emulator.arm_resources(ITEMS);
        Ok(items.is_empty().then_some(()))
    })
    .await?;
    let incidents = installation.emulator.arm_resources(INCIDENTS);
    ensure!(
        incidents[0]["properties"]["status"] != "Closed",
        "nothing is ever closed"
    );
    Ok(())
}
