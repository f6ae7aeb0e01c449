//! Lineage in a real MLflow, and what happens while it is away.

use std::time::Duration;

use anyhow::{Context, ensure};
use foretide_api::training::v1::{
    GetChampionRequest, GetLedgerStatusRequest, GetLedgerStatusResponse, ModelVersion,
};
use foretide_e2e::{Contoso, Setup, Shape, Soc};
use foretide_test_support::{Mlflow, or_skip, wait_until};
use serde_json::{Value, json};

const USE_CASE: &str = "attack_volume";

#[tokio::test(flavor = "multi_thread")]
async fn training_is_told_to_mlflow_and_outlives_its_absence() -> anyhow::Result<()> {
    let Some(mut mlflow) = or_skip(Mlflow::start().await)? else {
        return Ok(());
    };
    let mut contoso = Contoso::with_history(42)?;
    let installation = Setup::new(Shape::OneProcess)?
        .reading(contoso.export())
        .with("/trainer/mlflow", json!({"url": mlflow.url()}))
        .with(
            "/trainer/ledger",
            json!({"first_wait_ms": 200, "longest_wait_ms": 1000}),
        )
        .start()
        .await?;
    let soc = Soc::of(&installation)?;

    soc.forecast(USE_CASE, contoso.now()).await?;
    ledger_becomes(&soc, 1, 0).await?;
    let first = champion(&soc).await?;
    mlflow_knows_it_all(&mlflow, &first).await?;

    mlflow.stop()?;
    let later = contoso.advance_to_today()?;
    soc.forecast_with_training(USE_CASE, later).await?;
    let second = champion(&soc).await?;
    assert_eq!(
        second.version,
        first.version + 1,
        "training went on without MLflow"
    );
    let status = ledger(&soc).await?;
    assert_eq!((status.delivered, status.pending), (1, 1));

    mlflow.resume().await?;
    ledger_becomes(&soc, 2, 0).await?;
    mlflow_knows_it_all(&mlflow, &champion(&soc).await?).await
}

async fn champion(soc: &Soc) -> anyhow::Result<ModelVersion> {
    let answer = soc
        .operator
        .trainer()
        .get_champion(GetChampionRequest {
            use_case: USE_CASE.to_owned(),
        })
        .await?;
    answer
        .into_inner()
        .model_version
        .context("there is no champion")
}

async fn ledger(soc: &Soc) -> anyhow::Result<GetLedgerStatusResponse> {
    let answer = soc
        .operator
        .trainer()
        .get_ledger_status(GetLedgerStatusRequest {})
        .await?;
    Ok(answer.into_inner())
}

async fn ledger_becomes(soc: &Soc, delivered: u64, pending: u64) -> anyhow::Result<()> {
    let what = format!("{delivered} ledger entries are delivered");
    wait_until(Duration::from_secs(60), &what, || async {
        let status = ledger(soc).await?;
        Ok(((status.delivered, status.pending) == (delivered, pending)).then_some(()))
    })
    .await
}

/// Run with parameters, metrics and dataset; artefact; model version; alias.
async fn mlflow_knows_it_all(mlflow: &Mlflow, version: &ModelVersion) -> anyhow::Result<()> {
    let by_alias = get(
        mlflow,
        &format!(
            "registered-models/alias?name={}&alias=champion",
            version.name
        ),
    )
    .await?;
    let registered = &by_alias["model_version"];
    assert_eq!(registered["version"], version.version.to_string());
    let run_id = registered["run_id"]
        .as_str()
        .context("the version has no run")?;
    assert_eq!(run_id, version.mlflow_run_id);

    let run = get(mlflow, &format!("runs/get?run_id={run_id}")).await?;
    let data = &run["run"]["data"];
    for part in ["params", "metrics", "tags"] {
        let count = data[part].as_array().map_or(0, Vec::len);
        ensure!(count > 0, "the MLflow run has no {part}: {data}");
    }
    let datasets = &run["run"]["inputs"]["dataset_inputs"];
    ensure!(
        datasets
            .to_string()
            .contains(&version.training_set_sha256[..8]),
        "the run's dataset is not the training set: {datasets}"
    );
    let files = get(
        mlflow,
        &format!("artifacts/list?run_id={run_id}&path=model"),
    )
    .await?;
    ensure!(
        files.to_string().contains("onnx"),
        "no ONNX artefact: {files}"
    );
    Ok(())
}

async fn get(mlflow: &Mlflow, path: &str) -> anyhow::Result<Value> {
    let client = foretide_http::client(&foretide_http::ClientOptions::default())?;
    let url = format!("{}/api/2.0/mlflow/{path}", mlflow.url());
    let answer = client.get(&url).send().await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    ensure!(status.is_success(), "{url} answered {status}: {body}");
    Ok(body)
}
