//! kill -9 of a process in the middle of a run: the run ends well all the same, nothing is lost, and
//! nothing outside happens twice.

use std::collections::HashSet;

use anyhow::{Context, ensure};
use foretide_api::{
    actions::v1::ProposalState, orchestration::v1::RunState, scoring::v1::ListForecastsRequest,
    training::v1::ListModelVersionsRequest,
};
use foretide_e2e::{Contoso, Installation, Setup, Shape, Soc};
use foretide_test_support::{Postgres, or_skip};
use serde_json::json;

const USE_CASE: &str = "risk_period";

/// A day before Contoso's announced campaign.
fn a_day_before_the_campaign() -> anyhow::Result<Contoso> {
    let mut contoso = Contoso::with_history(56)?;
    contoso.advance_to_today()?;
    Ok(contoso)
}

fn assisted(setup: Setup, contoso: &Contoso) -> Setup {
    setup
        .working_for(contoso)
        .with("/auditor/initial_phases", json!({USE_CASE: "assisted"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_process_is_killed_while_it_ingests_and_while_it_scores() -> anyhow::Result<()> {
    let contoso = a_day_before_the_campaign()?;
    let setup = assisted(Setup::new(Shape::OneProcess)?, &contoso);
    let installation = setup.start().await?;
    killed_at(installation, &contoso, &[("up", "ingest"), ("up", "score")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_killed_one_after_the_other() -> anyhow::Result<()> {
    let Some(postgres) = or_skip(Postgres::start().await)? else {
        return Ok(());
    };
    let contoso = a_day_before_the_campaign()?;
    let setup = Setup::new(Shape::EightProcesses)?.on_postgres(postgres);
    let installation = assisted(setup, &contoso).start().await?;
    let kills = [
        ("ingestion", "ingest"),
        ("orchestrator", "train"),
        ("trainer", "train"),
        ("scorer", "score"),
    ];
    killed_at(installation, &contoso, &kills).await
}

/// Starts a run, kills each process when the run has reached the step, starts it again, and looks
/// at what is there in the end.
async fn killed_at(
    mut installation: Installation,
    contoso: &Contoso,
    kills: &[(&str, &str)],
) -> anyhow::Result<()> {
    let soc = Soc::of(&installation)?;
    let run_id = soc.start_run("forecast", USE_CASE, contoso.now()).await?;
    for (service, step) in kills {
        soc.await_step(&run_id, step).await?;
        let process = installation.process_of(service)?;
        process.kill_hard()?;
        process.restart().await?;
    }
    let run = soc.await_run(&run_id).await?;
    ensure!(
        run.state() == RunState::Succeeded,
        "the run ended as {:?}: {:?}\n{}",
        run.state(),
        run.steps,
        installation.logs()
    );
    everything_is_there_once(&installation, &soc, &run_id).await
}

/// Hours of all series of the one forecast of a use case.
async fn hours_forecast(soc: &Soc, use_case: &str) -> anyhow::Result<usize> {
    let request = ListForecastsRequest {
        use_case: use_case.to_owned(),
        limit: 10,
        ..ListForecastsRequest::default()
    };
    let answer = soc.operator.scorer().list_forecasts(request).await?;
    let forecasts = answer.into_inner().forecasts;
    assert_eq!(forecasts.len(), 1, "one forecast of {use_case}");
    Ok(usize::try_from(forecasts[0].horizon_hours)? * forecasts[0].series_ids.len())
}

async fn everything_is_there_once(
    installation: &Installation,
    soc: &Soc,
    run_id: &str,
) -> anyhow::Result<()> {
    let versions = soc
        .operator
        .trainer()
        .list_model_versions(ListModelVersionsRequest {
            use_case: USE_CASE.to_owned(),
            limit: 10,
        })
        .await?
        .into_inner()
        .model_versions;
    assert_eq!(versions.len(), 1, "one model version");

    // the run's own and the one that it watches
    let hours = hours_forecast(soc, USE_CASE).await? + hours_forecast(soc, "attack_volume").await?;

    let rows = installation.emulator.rows("PredictiveAlerting_CL");
    let keys: HashSet<&str> = rows
        .iter()
        .filter(|row| row["RunId"].as_str() == Some(run_id))
        .filter_map(|row| row["IdempotencyKey"].as_str())
        .collect();
    assert_eq!(
        keys.len(),
        hours,
        "every hour of every series, once by its key"
    );

    let waiting = soc.proposals(ProposalState::Waiting).await?;
    let proposal = waiting.first().context("no proposal waits")?;
    let windows: HashSet<&str> = waiting
        .iter()
        .map(|proposal| proposal.risk_window_id.as_str())
        .collect();
    assert_eq!(windows.len(), waiting.len(), "one proposal a risk window");
    soc.approve(&soc.approver, proposal).await?;
    assert_eq!(
        installation.emulator.requests("/workflows/").len(),
        1,
        "one card"
    );
    Ok(())
}
