//! What cannot be scored is refused with what and why, and leaves nothing behind.

use std::path::PathBuf;

use foretide_api::scoring::v1::{ListForecastsRequest, ScoreRequest};
use foretide_domain::{Role, RunId};
use tonic::{Code, Status};

use crate::world::{Setting, World, artefact, frame, request};

async fn refusal(world: &World) -> Status {
    let refused = world
        .score(RunId::new(), "attack_volume")
        .await
        .unwrap_err();
    let list = ListForecastsRequest {
        use_case: "attack_volume".to_owned(),
        ..ListForecastsRequest::default()
    };
    let kept = world
        .client()
        .list_forecasts(list)
        .await
        .unwrap()
        .into_inner();
    assert!(kept.forecasts.is_empty());
    refused
}

#[tokio::test]
async fn without_onnx_runtime_scoring_says_what_is_missing() {
    for onnx_library in [None, Some(PathBuf::from("/nowhere/libonnxruntime.so"))] {
        let world = World::with(Setting {
            onnx_library,
            ..Setting::default()
        })
        .await;
        world.is_ready("attack_volume").await;
        let refused = refusal(&world).await;
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("ONNX Runtime"), "{refused}");
    }
}

#[tokio::test]
async fn without_a_champion_training_comes_first() {
    let world = World::new().await;
    world.has_features(1.0);
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "trainer: train it first");
}

#[tokio::test]
async fn an_artefact_that_is_not_the_registered_one_is_refused() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    world
        .trainer
        .champion
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .artefact_sha256 = "0".repeat(64);
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("damaged"), "{refused}");

    let escape = "../../../etc/passwd".to_owned();
    world
        .trainer
        .champion
        .lock()
        .unwrap()
        .as_mut()
        .unwrap()
        .artefact_path = escape;
    assert_eq!(refusal(&world).await.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn artefacts_that_are_no_models_are_refused() {
    let world = World::new().await;
    world.has_features(1.0);
    let good = artefact();
    let truncated = good[..good.len() / 2].to_vec();
    for bad in [vec![], b"not a model".to_vec(), truncated] {
        world.has_champion("attack_volume", bad).await;
        assert_eq!(refusal(&world).await.code(), Code::FailedPrecondition);
    }
    // A good champion afterwards is served.
    world.has_champion("attack_volume", good).await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
}

#[tokio::test]
async fn the_feature_stores_refusal_is_passed_on() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    *world.feature_store.answer.lock().unwrap() = None;
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.message(), "feature store: not up yet");
}

#[tokio::test]
async fn frames_that_do_not_fit_are_refused() {
    type Spoil = fn(&mut foretide_api::features::v1::GetScoringFrameResponse);
    let spoils: [(Spoil, &str); 7] = [
        (|f| f.start = None, "start"),
        (|f| f.series.clear(), "none of the champion's series"),
        (|f| f.regressors.clear(), "holiday"),
        (|f| f.series[0].values[3] = f64::NAN, "NaN"),
        (|f| f.series[1].values[3] = -4.0, "-4"),
        (|f| f.series[0].values.truncate(100), "attack_volume/total"),
        (|f| f.hour_of_week[0] = 168, "168"),
    ];
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    for (spoil, expected) in spoils {
        world.feature_store_answers(move |query| {
            let mut frame = frame(query, 1.0, 1.0);
            spoil(&mut frame);
            Ok(frame)
        });
        let refused = refusal(&world).await;
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(
            refused.message().contains(expected),
            "{expected}: {refused}"
        );
    }
}

#[tokio::test]
async fn hostile_requests_are_refused_by_field() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let good = request(RunId::new(), "attack_volume");
    let cases = [
        (
            ScoreRequest {
                run_id: "1; drop table".to_owned(),
                ..good.clone()
            },
            "run_id",
        ),
        (
            ScoreRequest {
                use_case: String::new(),
                ..good.clone()
            },
            "use_case",
        ),
        (
            ScoreRequest {
                as_of: None,
                ..good.clone()
            },
            "as_of",
        ),
        (
            ScoreRequest {
                horizon_hours: 337,
                ..good.clone()
            },
            "horizon_hours",
        ),
        (
            ScoreRequest {
                horizon_hours: u32::MAX,
                ..good.clone()
            },
            "horizon_hours",
        ),
        // Allowed in general, but farther than this model was calibrated for.
        (
            ScoreRequest {
                horizon_hours: 300,
                ..good.clone()
            },
            "horizon_hours",
        ),
    ];
    for (request, field) in cases {
        let refused = world.score_request(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(field), "{refused}");
    }
    let unknown = ScoreRequest {
        use_case: "no_such_thing".to_owned(),
        ..good.clone()
    };
    assert_eq!(
        world.score_request(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
    let viewer = world
        .client_with(&[Role::Viewer])
        .score(good)
        .await
        .unwrap_err();
    assert_eq!(viewer.code(), Code::PermissionDenied);
}
