//! Every counterpart comes up, answers, survives a restart where it must, and is gone afterwards.

use std::{net::TcpStream, time::Duration};

use foretide_test_support::{Azurite, KqlEngine, Mlflow, Postgres, get_ok, or_skip, wait_until};
use serde_json::{Value, json};

fn listens(url: &str) -> bool {
    let address = url::Url::parse(url).expect("counterparts give addresses");
    let host = address.host_str().expect("with a host").to_owned();
    let port = address.port().expect("and a port");
    TcpStream::connect((host, port)).is_ok()
}

#[tokio::test]
async fn postgres_takes_connections_until_it_is_dropped() -> anyhow::Result<()> {
    let Some(mut postgres) = or_skip(Postgres::start().await)? else {
        return Ok(());
    };
    let url = postgres.url();
    assert!(listens(&url));
    postgres.stop()?;
    assert!(!listens(&url), "a stopped server does not listen");
    postgres.resume().await?;
    assert!(listens(&url), "it comes back on the same port");
    let folder = postgres.folder().to_path_buf();
    drop(postgres);
    assert!(!listens(&url));
    assert!(!folder.exists(), "the cluster's files are gone");
    Ok(())
}

#[tokio::test]
async fn mlflow_keeps_its_store_over_a_restart() -> anyhow::Result<()> {
    let Some(mut mlflow) = or_skip(Mlflow::start().await)? else {
        return Ok(());
    };
    let client = foretide_http::client(&foretide_http::ClientOptions::default())?;
    let made: Value = client
        .post(format!(
            "{}/api/2.0/mlflow/experiments/create",
            mlflow.url()
        ))
        .json(&json!({"name": "restart"}))
        .send()
        .await?
        .json()
        .await?;
    mlflow.stop()?;
    assert!(!listens(&mlflow.url()));
    mlflow.resume().await?;
    let found: Value = client
        .get(format!(
            "{}/api/2.0/mlflow/experiments/get-by-name?experiment_name=restart",
            mlflow.url()
        ))
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(found["experiment"]["experiment_id"], made["experiment_id"]);
    Ok(())
}

#[tokio::test]
async fn azurite_makes_containers() -> anyhow::Result<()> {
    let Some(azurite) = or_skip(Azurite::start().await)? else {
        return Ok(());
    };
    azurite.create_container("lake").await?;
    azurite.create_container("lake").await?;
    Ok(())
}

#[tokio::test]
async fn the_kql_engine_executes_queries() -> anyhow::Result<()> {
    let Some(kql) = or_skip(KqlEngine::start().await)? else {
        return Ok(());
    };
    let answer: Value = foretide_http::client(&foretide_http::ClientOptions::default())?
        .post(format!("{}/v1/rest/query", kql.url()))
        .json(&json!({"db": "workspace", "csl": "datatable(a:int)[1, 2, 3] | where a > 1 | count"}))
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(answer["Tables"][0]["Rows"], json!([[2]]));
    Ok(())
}

#[tokio::test]
async fn a_wait_names_what_it_waited_for() {
    let waited = wait_until(Duration::from_millis(60), "pigs fly", || async {
        Ok(None::<()>)
    })
    .await;
    let message = waited.expect_err("pigs do not fly").to_string();
    assert!(message.contains("pigs fly"), "{message}");
    assert!(
        !get_ok("http://127.0.0.1:1/")
            .await
            .expect("a client can be made")
    );
}
