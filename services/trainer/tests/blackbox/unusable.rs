//! What cannot be trained is refused with what and why, and leaves nothing behind.

use std::path::PathBuf;

use bytes::Bytes;
use foretide_api::timestamp;
use foretide_api::training::v1::{
    GetChampionRequest, GetModelVersionRequest, ListModelVersionsRequest, TrainRequest,
};
use foretide_domain::{Role, RunId};
use polars::prelude::Column;
use tonic::{Code, Status};

use crate::world::{HISTORY_HOURS, Setting, World, history, now};

async fn refusal(world: &World) -> Status {
    let refused = world.train(RunId::new()).await.unwrap_err();
    let champion = GetChampionRequest {
        use_case: "attack_volume".to_owned(),
    };
    let nothing = world.client().get_champion(champion).await.unwrap_err();
    assert_eq!(nothing.code(), Code::NotFound, "{nothing}");
    assert!(nothing.message().contains("train it first"), "{nothing}");
    refused
}

#[tokio::test]
async fn without_onnx_runtime_training_says_what_is_missing() {
    for onnx_library in [None, Some(PathBuf::from("/nowhere/libonnxruntime.so"))] {
        let world = World::with(Setting {
            onnx_library,
            ..Setting::default()
        })
        .await;
        world.has_history().await;
        let refused = refusal(&world).await;
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("ONNX Runtime"), "{refused}");
    }
}

#[tokio::test]
async fn the_feature_stores_refusal_is_passed_on() {
    let world = World::new().await;
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "feature store: no buckets yet");
}

#[tokio::test]
async fn a_damaged_or_missing_training_set_is_refused() {
    let world = World::new().await;
    let mut set = world.has_history().await;
    set.sha256 = "0".repeat(64);
    *world.feature_store.answer.lock().unwrap() = Some(set.clone());
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("damaged"), "{refused}");

    for path in ["training-sets/none.parquet", "../../etc/passwd", ""] {
        set.path = path.to_owned();
        *world.feature_store.answer.lock().unwrap() = Some(set.clone());
        assert_eq!(
            refusal(&world).await.code(),
            Code::FailedPrecondition,
            "{path}"
        );
    }

    let lake = &world.context.ctx.lake;
    let stored = lake
        .put_immutable("training-sets/x.parquet", Bytes::from_static(b"PAR1 no"))
        .await;
    let stored = stored.unwrap();
    (set.path, set.sha256) = (stored.path, stored.sha256);
    *world.feature_store.answer.lock().unwrap() = Some(set);
    assert_eq!(refusal(&world).await.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn tables_that_are_no_training_set_are_refused_by_column() {
    let world = World::new().await;
    let hours = HISTORY_HOURS;
    let cases = [
        (
            Column::new("attack_volume/total".into(), vec![-1.0; hours]),
            "-1",
        ),
        (
            Column::new("attack_volume/total".into(), vec![f64::NAN; hours]),
            "NaN",
        ),
        (
            Column::new("attack_volume/total".into(), vec!["x"; hours]),
            "must be f64",
        ),
        (
            Column::new("hour_of_week".into(), vec![200_u32; hours]),
            "200",
        ),
        (
            Column::new("DROP TABLE".into(), vec![0.0; hours]),
            "DROP TABLE",
        ),
    ];
    for (column, expected) in cases {
        let mut table = history(hours, 1.0);
        table.with_column(column).unwrap();
        world.has_table(&mut table).await;
        let refused = refusal(&world).await;
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        assert!(refused.message().contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn too_little_history_is_refused_with_what_is_needed() {
    let world = World::new().await;
    world.has_table(&mut history(13 * 24, 1.0)).await;
    let refused = refusal(&world).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("at least"), "{refused}");
}

#[tokio::test]
async fn hostile_requests_are_refused_by_field() {
    let world = World::new().await;
    let good = TrainRequest {
        run_id: RunId::new().to_string(),
        use_case: "attack_volume".to_owned(),
        as_of: timestamp(now()),
    };
    let cases = [
        (
            TrainRequest {
                run_id: "1; drop table".to_owned(),
                ..good.clone()
            },
            Code::InvalidArgument,
            "run_id",
        ),
        (
            TrainRequest {
                use_case: "../x".to_owned(),
                ..good.clone()
            },
            Code::InvalidArgument,
            "use_case",
        ),
        (
            TrainRequest {
                as_of: None,
                ..good.clone()
            },
            Code::InvalidArgument,
            "as_of",
        ),
        (
            TrainRequest {
                as_of: Some(foretide_api::Timestamp {
                    seconds: i64::MAX,
                    nanos: -1,
                }),
                ..good.clone()
            },
            Code::InvalidArgument,
            "as_of",
        ),
    ];
    for (request, code, field) in cases {
        let refused = world.client().train(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(field), "{refused}");
    }
    let unknown = TrainRequest {
        use_case: "no_such_thing".to_owned(),
        ..good.clone()
    };
    let mut stream = world.client().train(unknown).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::NotFound);
    let viewer = world
        .client_with(&[Role::Viewer])
        .train(good)
        .await
        .unwrap_err();
    assert_eq!(viewer.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn questions_out_of_bounds_are_refused() {
    let world = World::new().await;
    let too_many = ListModelVersionsRequest {
        use_case: "attack_volume".to_owned(),
        limit: 501,
    };
    let refused = world
        .client()
        .list_model_versions(too_many)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let none = GetModelVersionRequest {
        name: "attack_volume".to_owned(),
        version: u32::MAX,
    };
    let refused = world.client().get_model_version(none).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}
