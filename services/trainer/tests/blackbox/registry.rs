//! Versions are made once a run, numbered, and the newest is champion.

use foretide_api::training::v1::{
    GetChampionRequest, GetModelVersionRequest, ListModelVersionsRequest,
};
use foretide_domain::RunId;
use tonic::Code;

use crate::world::{HISTORY_HOURS, World, history, now};

#[tokio::test]
async fn a_training_makes_a_checked_champion_and_tells_its_progress() {
    let world = World::new().await;
    let set = world.has_history().await;
    let run_id = RunId::new();
    let (version, stages) = world.train(run_id).await.unwrap();
    assert_eq!(
        (version.name.as_str(), version.version),
        ("attack_volume", 1)
    );
    assert_eq!(version.alias, "champion");
    assert_eq!(version.run_id, run_id.to_string());
    assert_eq!(version.training_set_sha256, set.sha256);
    assert_eq!(version.spec_hash, "spec-1");
    assert_eq!(version.history_hours as usize, HISTORY_HOURS);
    assert!(
        version.onnx_max_relative_error <= 1e-5,
        "{}",
        version.onnx_max_relative_error
    );
    assert_eq!(version.series.len(), 2);
    for series in &version.series {
        assert!(series.learning, "six weeks are few");
        assert!(
            series.scores.iter().any(|score| score.kind == series.kind),
            "{series:?}"
        );
        assert!(!series.note.is_empty());
        let weights: f64 = series.weights.iter().map(|one| one.weight).sum();
        assert!((weights - 1.0).abs() < 1e-9, "{series:?}");
        let (first, last) = (
            series.coverage_by_horizon.first().unwrap(),
            series.coverage_by_horizon.last().unwrap(),
        );
        assert_eq!((first.first_hour, last.last_hour), (1, 72));
        assert_eq!(series.coverage_by_weekday.len(), 7);
        for day in &series.coverage_by_weekday {
            let coverage = day.coverage.unwrap();
            assert!(coverage.hours > 0 && coverage.share_80 <= coverage.share_95);
        }
    }
    assert!(
        stages.iter().any(|stage| stage == "backtesting series"),
        "{stages:?}"
    );

    let lake = &world.context.ctx.lake;
    lake.get(&version.artefact_path, Some(&version.artefact_sha256))
        .await
        .unwrap();
    let champion = GetChampionRequest {
        use_case: "attack_volume".to_owned(),
    };
    let champion = world
        .client()
        .get_champion(champion)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(champion.model_version.unwrap(), version);
}

#[tokio::test]
async fn the_same_run_again_finds_its_version() {
    let world = World::new().await;
    world.has_history().await;
    let run_id = RunId::new();
    let (first, _) = world.train(run_id).await.unwrap();
    let (again, _) = world.train(run_id).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(*world.feature_store.asked.lock().unwrap(), 1);
    let elsewhen = world
        .train_as_of(run_id, now() - chrono::TimeDelta::days(1))
        .await;
    assert_eq!(elsewhen.unwrap_err().code(), Code::AlreadyExists);

    let world = world.restart(None).await;
    assert_eq!(
        world.train(run_id).await.unwrap().0,
        first,
        "after a restart too"
    );
}

#[tokio::test]
async fn the_same_run_twice_at_once_makes_one_version() {
    let world = World::new().await;
    world.has_history().await;
    let run_id = RunId::new();
    let (one, other) = tokio::join!(world.train(run_id), world.train(run_id));
    assert_eq!(one.unwrap().0, other.unwrap().0);
    let all = ListModelVersionsRequest {
        use_case: "attack_volume".to_owned(),
        limit: 0,
    };
    let all = world
        .client()
        .list_model_versions(all)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(all.model_versions.len(), 1);
}

#[tokio::test]
async fn a_later_training_takes_the_alias_over_and_the_earlier_version_stays() {
    let world = World::new().await;
    world.has_history().await;
    let (first, _) = world.train(RunId::new()).await.unwrap();
    world.has_table(&mut history(HISTORY_HOURS, 3.0)).await;
    let (second, _) = world.train(RunId::new()).await.unwrap();
    assert_eq!(second.version, 2);
    assert_ne!(first.artefact_sha256, second.artefact_sha256);
    let list = ListModelVersionsRequest {
        use_case: "attack_volume".to_owned(),
        limit: 1,
    };
    let listed = world
        .client()
        .list_model_versions(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.model_versions, [second]);
    let earlier = GetModelVersionRequest {
        name: "attack_volume".to_owned(),
        version: 1,
    };
    let earlier = world
        .client()
        .get_model_version(earlier)
        .await
        .unwrap()
        .into_inner();
    let earlier = earlier.model_version.unwrap();
    assert_eq!(earlier.alias, "");
    assert_eq!(earlier.artefact_sha256, first.artefact_sha256);
}

#[tokio::test]
async fn the_same_training_set_makes_the_same_bytes() {
    let world = World::new().await;
    world.has_history().await;
    let (first, _) = world.train(RunId::new()).await.unwrap();
    let (second, _) = world.train(RunId::new()).await.unwrap();
    assert_eq!(first.artefact_sha256, second.artefact_sha256);
    assert_eq!((first.version, second.version), (1, 2));
}
