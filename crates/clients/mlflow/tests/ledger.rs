//! A training run's lineage, from experiment to alias, on a fake MLflow and, when there is one, on a
//! real server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use chrono::{DateTime, Utc};
use foretide_http::ClientOptions;
use foretide_mlflow::testing::FakeMlflow;
use foretide_mlflow::{
    Credentials, Dataset, Metric, MlflowClient, MlflowError, NewRun, Run, RunStatus, Tag,
};
use url::Url;

fn client(url: Url) -> MlflowClient {
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    MlflowClient::new(url, Credentials::None, http).unwrap()
}

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

async fn begin_run(mlflow: &MlflowClient, experiment_id: &str, our_run: &str) -> Run {
    let run = NewRun {
        experiment_id: experiment_id.to_owned(),
        name: "train".to_owned(),
        started_at: noon(),
        tags: vec![Tag::new("foretide.run_id", our_run)],
    };
    mlflow.create_run(&run).await.unwrap()
}

fn dataset() -> Dataset {
    Dataset {
        name: "attack_volume_hourly".to_owned(),
        digest: "0123456789abcdef0123456789abcdef".to_owned(),
        source_type: "local".to_owned(),
        source: r#"{"uri":"training-sets/x.parquet"}"#.to_owned(),
        schema: r#"{"mlflow_colspec":[]}"#.to_owned(),
        profile: r#"{"num_rows":10}"#.to_owned(),
    }
}

/// The whole recipe, as the trainer's ledger walks it. Names are unique, so that a real server may
/// hold the rows of earlier runs.
async fn walk_the_lineage(mlflow: &MlflowClient) {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let (name, our_run) = (format!("foretide-{unique}"), unique.clone());
    let experiment = mlflow
        .experiment(&name, &[Tag::new("use_case", "attack_volume")])
        .await
        .unwrap();
    assert_eq!(mlflow.experiment(&name, &[]).await.unwrap(), experiment);

    let marker = Tag::new("foretide.run_id", our_run.as_str());
    assert!(
        mlflow
            .find_run(&experiment, &marker)
            .await
            .unwrap()
            .is_none()
    );
    let run = begin_run(mlflow, &experiment, &our_run).await;
    let id = run.info.run_id.as_str();
    let found = mlflow
        .find_run(&experiment, &marker)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.info.run_id, id);
    assert_eq!(found.tag("foretide.run_id"), Some(our_run.as_str()));

    mlflow.log_training_input(id, &dataset()).await.unwrap();
    let params: Vec<_> = (0..250).map(|i| Tag::new(format!("p{i}"), "x")).collect();
    let metrics: Vec<_> = (0..1_500)
        .map(|i| Metric {
            key: format!("m{i}"),
            value: f64::from(i),
            timestamp: noon().timestamp_millis(),
            step: 0,
        })
        .collect();
    for _again in 0..2 {
        mlflow
            .log_batch(id, &metrics, &params, &[Tag::new("phase", "shadow")])
            .await
            .unwrap();
    }
    let changed = mlflow.log_batch(id, &[], &[Tag::new("p0", "y")], &[]).await;
    assert!(
        matches!(changed, Err(MlflowError::Invalid { .. })),
        "{changed:?}"
    );
    let read = mlflow.run(id).await.unwrap();
    assert_eq!(read.data.params.len(), 250);
    assert_eq!(read.data.metrics.len(), 1_500);

    let onnx = Bytes::from_static(b"\x08\x09onnx");
    mlflow
        .put_artifact(&run, "model/model.onnx", onnx.clone())
        .await
        .unwrap();
    assert_eq!(
        mlflow.artifact(&run, "model/model.onnx").await.unwrap(),
        onnx
    );
    let absent = mlflow.artifact(&run, "model/none").await;
    assert!(
        matches!(absent, Err(MlflowError::NotFound { .. })),
        "{absent:?}"
    );

    let unregistered = mlflow.create_model_version(&name, &run, "model", &[]).await;
    assert!(
        matches!(unregistered, Err(MlflowError::NotFound { .. })),
        "{unregistered:?}"
    );
    mlflow
        .ensure_registered_model(&name, "hourly")
        .await
        .unwrap();
    mlflow
        .ensure_registered_model(&name, "hourly")
        .await
        .unwrap();
    assert!(
        mlflow
            .model_version_of_run(&name, id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        mlflow
            .version_by_alias(&name, "champion")
            .await
            .unwrap()
            .is_none()
    );
    let version = mlflow
        .create_model_version(&name, &run, "model", &[Tag::new("sha256", "abc")])
        .await
        .unwrap();
    assert_eq!(version.version, "1");
    mlflow
        .tag_model_version(&name, "1", &Tag::new("known_at", "2026"))
        .await
        .unwrap();
    mlflow.set_alias(&name, "champion", "1").await.unwrap();
    let champion = mlflow
        .version_by_alias(&name, "champion")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (champion.version.as_str(), champion.run_id.as_str()),
        ("1", id)
    );
    assert_eq!(
        (champion.tag("sha256"), champion.tag("known_at")),
        (Some("abc"), Some("2026"))
    );
    assert_eq!(
        mlflow
            .model_version_of_run(&name, id)
            .await
            .unwrap()
            .unwrap()
            .version,
        "1"
    );
    let reserved = mlflow.set_alias(&name, "latest", "1").await;
    assert!(
        matches!(reserved, Err(MlflowError::Invalid { .. })),
        "{reserved:?}"
    );

    mlflow
        .end_run(id, RunStatus::Finished, noon())
        .await
        .unwrap();
    assert_eq!(mlflow.run(id).await.unwrap().info.status, "FINISHED");
}

#[tokio::test]
async fn the_lineage_on_the_fake() {
    let fake = FakeMlflow::start().await;
    walk_the_lineage(&client(fake.url())).await;
}

#[tokio::test]
async fn the_lineage_on_a_real_server() {
    let Ok(url) = std::env::var("FORETIDE_TEST_MLFLOW_URL") else {
        eprintln!(
            "skipped on a real MLflow: set FORETIDE_TEST_MLFLOW_URL to run this test there too"
        );
        return;
    };
    walk_the_lineage(&client(Url::parse(&url).unwrap())).await;
}

#[tokio::test]
async fn a_digest_that_the_server_would_refuse_is_not_sent() {
    let fake = FakeMlflow::start().await;
    let long = Dataset {
        digest: "a".repeat(64),
        ..dataset()
    };
    let refused = client(fake.url()).log_training_input("1", &long).await;
    assert!(
        matches!(refused, Err(MlflowError::Invalid { .. })),
        "{refused:?}"
    );
    assert!(fake.contents().requests.is_empty());
}

#[tokio::test]
async fn names_with_quotes_do_not_reach_a_filter() {
    let fake = FakeMlflow::start().await;
    let mlflow = client(fake.url());
    let hostile = Tag::new("foretide.run_id", "x' or tags.a = 'b");
    assert!(mlflow.find_run("1", &hostile).await.is_err());
    assert!(
        mlflow
            .model_version_of_run("a' or name='b", "1")
            .await
            .is_err()
    );
    assert!(fake.contents().requests.is_empty());
}

#[tokio::test]
async fn failures_are_decisions() {
    let fake = FakeMlflow::start().await;
    let mlflow = client(fake.url());
    type Meant = fn(&MlflowError) -> bool;
    let meanings: [(u16, &str, Meant); 8] = [
        (429, r#"{"error_code":"REQUEST_LIMIT_EXCEEDED"}"#, |e| {
            matches!(e, MlflowError::Throttled { .. })
        }),
        (401, "{}", |e| matches!(e, MlflowError::Unauthorized { .. })),
        (
            403,
            r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#,
            |e| matches!(e, MlflowError::Unauthorized { .. }),
        ),
        (
            403,
            "Invalid Host header - possible DNS rebinding attack detected",
            |e| matches!(e, MlflowError::HostNotAllowed),
        ),
        (
            503,
            r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"soon"}"#,
            |e| matches!(e, MlflowError::Unavailable { .. }),
        ),
        (500, "<html>", |e| {
            matches!(e, MlflowError::Unavailable { .. })
        }),
        (404, "<html>not mlflow", |e| {
            matches!(e, MlflowError::Malformed { .. })
        }),
        (200, "<html>not mlflow", |e| {
            matches!(e, MlflowError::Malformed { .. })
        }),
    ];
    for (status, body, is_meant) in meanings {
        fake.fail(1, status, body);
        let error = mlflow.run("1").await.unwrap_err();
        assert!(is_meant(&error), "{status} {body}: {error:?}");
    }
    let nobody = client(Url::parse("http://127.0.0.1:9").unwrap())
        .run("1")
        .await;
    assert!(
        matches!(nobody, Err(MlflowError::Unavailable { .. })),
        "{nobody:?}"
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    let http = foretide_http::client(&ClientOptions::default()).unwrap();
    for url in ["mailto:a@b", "file:///tmp/mlruns"] {
        let url = Url::parse(url).unwrap();
        let made = MlflowClient::new(url, Credentials::None, http.clone());
        assert!(matches!(made, Err(MlflowError::BadAddress { .. })));
    }
}
