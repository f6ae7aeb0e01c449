//! Answers recorded from MLflow 3.17.2, replayed: whatever is asked, the client reads what a real
//! server says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::StatusCode;
use axum::response::IntoResponse;
use foretide_http::ClientOptions;
use foretide_mlflow::{Credentials, Dataset, MlflowClient, MlflowError, Run, Tag};
use serde_json::Value;
use url::Url;

/// A server that answers everything with one recorded answer, and its client.
async fn server_answering(name: &str) -> MlflowClient {
    let recorded: Value = serde_json::from_str(include_str!("recorded/mlflow.json")).unwrap();
    let transcripts = recorded["transcripts"].as_array().unwrap();
    let transcript = transcripts.iter().find(|one| one["name"] == name).unwrap();
    let response = &transcript["response"];
    let status =
        StatusCode::from_u16(u16::try_from(response["status"].as_u64().unwrap()).unwrap()).unwrap();
    let body = match &response["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let app = axum::Router::new().fallback(move || async move { (status, body).into_response() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    MlflowClient::new(url, Credentials::None, http).unwrap()
}

fn run() -> Run {
    let mut run = Run::default();
    run.info.run_id = "93f385e3e9244f099b177026de7db4cb".to_owned();
    run.info.artifact_uri = format!("mlflow-artifacts:/1/{}/artifacts", run.info.run_id);
    run
}

#[tokio::test]
async fn reads_experiments_and_runs() {
    let mlflow = server_answering("experiments_get_by_name").await;
    assert_eq!(
        mlflow
            .experiment("sentinel-alert-volume", &[])
            .await
            .unwrap(),
        "1"
    );
    let found = server_answering("runs_search")
        .await
        .find_run("1", &Tag::new("a", "b"))
        .await;
    assert_eq!(found.unwrap().unwrap().info.run_id, run().info.run_id);
    let read = server_answering("runs_get").await.run("x").await.unwrap();
    assert_eq!(read.info.status, "FINISHED");
    let nan = read
        .data
        .metrics
        .iter()
        .find(|metric| metric.key == "nan_metric")
        .unwrap();
    assert!(nan.value.is_nan(), "NaN comes as text");
}

#[tokio::test]
async fn reads_versions_and_aliases() {
    let made = server_answering("model_versions_create_runs_source").await;
    let version = made
        .create_model_version("m", &run(), "model", &[])
        .await
        .unwrap();
    assert_eq!(
        (version.version.as_str(), version.status.as_str()),
        ("1", "READY")
    );
    let champion = server_answering("alias_get")
        .await
        .version_by_alias("m", "champion")
        .await;
    assert_eq!(champion.unwrap().unwrap().aliases, ["champion"]);
    let none = server_answering("alias_get_missing")
        .await
        .version_by_alias("m", "x")
        .await;
    assert!(none.unwrap().is_none());
    let found = server_answering("model_versions_search")
        .await
        .model_version_of_run("m", "r")
        .await;
    assert_eq!(found.unwrap().unwrap().version, "4");
}

#[tokio::test]
async fn reads_refusals_and_keeps_sql_out_of_them() {
    let error = server_answering("experiments_create_duplicate")
        .await
        .run("x")
        .await
        .unwrap_err();
    assert!(
        matches!(error, MlflowError::AlreadyExists { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("INSERT"), "{error}");
    let error = server_answering("runs_get_missing")
        .await
        .run("x")
        .await
        .unwrap_err();
    assert!(matches!(error, MlflowError::NotFound { .. }), "{error:?}");
    let error = server_answering("bad_host_header")
        .await
        .run("x")
        .await
        .unwrap_err();
    assert!(matches!(error, MlflowError::HostNotAllowed), "{error:?}");
    for refusal in [
        "runs_log_parameter_changed",
        "model_versions_create_foreign_source",
        "alias_set_reserved_latest",
    ] {
        let error = server_answering(refusal).await.run("x").await.unwrap_err();
        assert!(
            matches!(error, MlflowError::Invalid { .. }),
            "{refusal}: {error:?}"
        );
    }
    let exists = server_answering("registered_models_create_duplicate").await;
    exists.ensure_registered_model("m", "d").await.unwrap();
}

#[tokio::test]
async fn an_empty_answer_is_defaults_where_that_is_allowed_and_an_error_where_it_is_not() {
    let mlflow = server_answering("runs_create").await;
    let dataset = Dataset {
        name: "d".to_owned(),
        digest: "x".to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: String::new(),
        profile: String::new(),
    };
    mlflow.log_training_input("x", &dataset).await.unwrap();
    // A reply of something else holds no version.
    let made = mlflow.create_model_version("m", &run(), "model", &[]).await;
    assert!(
        matches!(made, Err(MlflowError::Malformed { .. })),
        "{made:?}"
    );
}
