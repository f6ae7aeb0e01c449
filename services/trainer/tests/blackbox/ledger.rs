//! MLflow is told of every version, in order, however long it takes.

use foretide_domain::RunId;
use foretide_mlflow::testing::FakeMlflow;
use serde_json::Value;

use crate::world::{HISTORY_HOURS, Setting, World, history};

async fn world_with(mlflow: &FakeMlflow) -> World {
    World::with(Setting {
        mlflow: Some(mlflow.url()),
        ..Setting::default()
    })
    .await
}

fn tag<'a>(tags: &'a Value, key: &str) -> &'a str {
    let tags = tags.as_array().unwrap();
    tags.iter().find(|tag| tag["key"] == key).unwrap()["value"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn a_version_and_its_lineage_are_in_mlflow() {
    let mlflow = FakeMlflow::start().await;
    let world = world_with(&mlflow).await;
    let set = world.has_history().await;
    let run_id = RunId::new();
    let (version, _) = world.train(run_id).await.unwrap();
    let status = world.ledger_becomes(|status| status.delivered == 1).await;
    assert!(status.configured && status.pending == 0 && status.last_error.is_empty());

    let (again, _) = world.train(run_id).await.unwrap();
    let contents = mlflow.contents();
    let run = &contents.runs[&again.mlflow_run_id];
    assert_eq!(
        tag(&run["data"]["tags"], "foretide.run_id"),
        run_id.to_string()
    );
    assert_eq!(run["info"]["status"], "FINISHED");
    let dataset = &run["inputs"]["dataset_inputs"][0]["dataset"];
    assert_eq!(dataset["digest"], set.sha256[..32]);
    assert!(dataset["source"].as_str().unwrap().contains(&set.path));
    let metrics = run["data"]["metrics"].as_array().unwrap();
    for key in [
        "pinball/attack_volume/total",
        "coverage_80/attack_volume/severity:High",
    ] {
        assert!(metrics.iter().any(|metric| metric["key"] == key), "{key}");
    }
    let root = format!("1/{}/artifacts/model", again.mlflow_run_id);
    assert!(contents.artifacts[&format!("{root}/model.onnx")].len() > 1_000);
    let card =
        String::from_utf8(contents.artifacts[&format!("{root}/MODEL_CARD.md")].clone()).unwrap();
    assert!(card.contains("| attack_volume/total |"), "{card}");
    assert!(card.contains("| 1 to 6 ahead |"), "{card}");
    let registered = &contents.versions["attack_volume"][0];
    assert_eq!(tag(&registered["tags"], "sha256"), version.artefact_sha256);
    let champion = ("attack_volume".to_owned(), "champion".to_owned());
    assert_eq!(contents.aliases[&champion], "1");
}

#[tokio::test]
async fn a_stopped_mlflow_loses_nothing_and_training_goes_on() {
    let mlflow = FakeMlflow::start().await;
    mlflow.fail_at(Some("/api/"));
    let world = world_with(&mlflow).await;
    world.has_history().await;
    world.train(RunId::new()).await.unwrap();
    world.has_table(&mut history(HISTORY_HOURS, 3.0)).await;
    world.train(RunId::new()).await.unwrap();
    let waiting = world
        .ledger_becomes(|status| !status.last_error.is_empty())
        .await;
    assert_eq!((waiting.pending, waiting.delivered), (2, 0));
    assert!(
        waiting.last_error.contains("MLflow is not available"),
        "{}",
        waiting.last_error
    );

    mlflow.fail_at(None);
    world.ledger_becomes(|status| status.delivered == 2).await;
    let contents = mlflow.contents();
    let versions = &contents.versions["attack_volume"];
    let ours: Vec<_> = versions
        .iter()
        .map(|one| tag(&one["tags"], "foretide.version"))
        .collect();
    assert_eq!(ours, ["1", "2"], "in order");
    let champion = ("attack_volume".to_owned(), "champion".to_owned());
    assert_eq!(contents.aliases[&champion], "2");
}

#[tokio::test]
async fn a_delivery_that_breaks_off_anywhere_is_taken_up_without_doubles() {
    for broken in [
        "runs/log-inputs",
        "log-batch",
        "mlflow-artifacts",
        "model-versions/create",
        "registered-models/alias",
        "runs/update",
    ] {
        let mlflow = FakeMlflow::start().await;
        mlflow.fail_at(Some(broken));
        let world = world_with(&mlflow).await;
        world.has_history().await;
        world.train(RunId::new()).await.unwrap();
        world
            .ledger_becomes(|status| !status.last_error.is_empty())
            .await;
        mlflow.fail_at(None);
        world.ledger_becomes(|status| status.delivered == 1).await;
        let contents = mlflow.contents();
        assert_eq!(contents.runs.len(), 1, "{broken}");
        assert_eq!(contents.versions["attack_volume"].len(), 1, "{broken}");
        let run = contents.runs.values().next().unwrap();
        assert_eq!(
            run["inputs"]["dataset_inputs"].as_array().unwrap().len(),
            1,
            "{broken}"
        );
    }
}

#[tokio::test]
async fn without_mlflow_the_ledger_waits_and_a_later_start_delivers_it() {
    let world = World::new().await;
    world.has_history().await;
    world.train(RunId::new()).await.unwrap();
    let waiting = world.ledger().await;
    assert!(!waiting.configured);
    assert_eq!((waiting.pending, waiting.delivered), (1, 0));

    let mlflow = FakeMlflow::start().await;
    let world = world.restart(Some(mlflow.url())).await;
    world.ledger_becomes(|status| status.delivered == 1).await;
    assert_eq!(mlflow.contents().versions["attack_volume"].len(), 1);
}
