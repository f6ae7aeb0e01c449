//! Wrong, missing and hostile input: a clear refusal, never a crash.

use foretide_api::features::v1 as wire;
use foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient;
use foretide_api::timestamp;
use foretide_domain::{Role, RunId};
use foretide_service_runtime::Credentials;
use secrecy::SecretString;
use tonic::{Code, Status};

use crate::workspace::{Workspace, hour};

const TOTAL: &str = "attack_volume/total";

fn assert_refused(refusal: &Status, code: Code, words: &[&str]) {
    assert_eq!(refusal.code(), code, "{refusal:?}");
    for word in words {
        assert!(
            refusal.message().contains(word),
            "{word:?} is not in {:?}",
            refusal.message()
        );
    }
}

#[tokio::test]
async fn an_unknown_use_case_lists_the_known_ones() {
    let mut workspace = Workspace::empty().await;
    let request = wire::GetScoringFrameRequest {
        use_case: "no_such_thing".to_owned(),
        as_of: timestamp(hour(1, 0)),
        horizon_hours: 1,
        history_hours: 1,
    };
    let refusal = workspace
        .client
        .get_scoring_frame(request)
        .await
        .unwrap_err();
    assert_refused(
        &refusal,
        Code::NotFound,
        &["no_such_thing", "attack_volume, risk_period"],
    );

    for name in [
        "",
        "../../etc/passwd",
        "Attack Volume",
        "a'; DROP TABLE online_value; --",
    ] {
        let request = wire::GetOnlineValuesRequest {
            use_case: name.to_owned(),
            ..Default::default()
        };
        let refusal = workspace
            .client
            .get_online_values(request)
            .await
            .unwrap_err();
        assert_refused(&refusal, Code::InvalidArgument, &["use_case"]);
    }
}

#[tokio::test]
async fn missing_fields_are_named() {
    let mut workspace = Workspace::empty().await;
    let request = wire::BuildTrainingSetRequest {
        run_id: RunId::new().to_string(),
        use_case: "attack_volume".to_owned(),
        known_at: None,
    };
    let refusal = workspace
        .client
        .build_training_set(request)
        .await
        .unwrap_err();
    assert_refused(&refusal, Code::InvalidArgument, &["known_at", "missing"]);

    let request = wire::MaterializeRequest {
        run_id: "not-a-uuid".to_owned(),
        use_case: "attack_volume".to_owned(),
        as_of: timestamp(hour(1, 0)),
    };
    let refusal = workspace.client.materialize(request).await.unwrap_err();
    assert_refused(&refusal, Code::InvalidArgument, &["run_id", "UUID"]);

    let request = wire::GetActualsRequest {
        use_case: "attack_volume".to_owned(),
        known_at: timestamp(hour(1, 0)),
        ..Default::default()
    };
    let refusal = workspace.client.get_actuals(request).await.unwrap_err();
    assert_refused(&refusal, Code::InvalidArgument, &["span", "missing"]);
}

#[tokio::test]
async fn hours_have_bounds() {
    let mut workspace = Workspace::with_days(1).await;
    for horizon in [0, 337, 1_000_000_000] {
        let refusal = workspace
            .scoring_frame(hour(1, 0), horizon, 24)
            .await
            .unwrap_err();
        assert_refused(
            &refusal,
            Code::InvalidArgument,
            &["horizon_hours", "1 to 336"],
        );
    }
    for history in [0, 1_000_000_000] {
        let refusal = workspace
            .scoring_frame(hour(1, 0), 24, history)
            .await
            .unwrap_err();
        assert_refused(
            &refusal,
            Code::InvalidArgument,
            &["history_hours", "from 1 to"],
        );
    }
    let refusal = workspace
        .actuals(&[], hour(1, 0), hour(0, 0), hour(1, 0))
        .await
        .unwrap_err();
    assert_refused(
        &refusal,
        Code::InvalidArgument,
        &["span", "end after it starts"],
    );
}

#[tokio::test]
async fn an_empty_lake_tells_to_run_ingest_first() {
    let mut workspace = Workspace::empty().await;
    let words = ["incidents", "ingest has read no row"];
    let refusal = workspace.train_as_of(hour(1, 0)).await.unwrap_err();
    assert_refused(&refusal, Code::FailedPrecondition, &words);
    let refusal = workspace
        .scoring_frame(hour(1, 0), 24, 24)
        .await
        .unwrap_err();
    assert_refused(&refusal, Code::FailedPrecondition, &words);
    let refusal = workspace
        .actuals(&[], hour(0, 0), hour(1, 0), hour(1, 0))
        .await
        .unwrap_err();
    assert_refused(&refusal, Code::FailedPrecondition, &words);
    let refusal = workspace
        .materialize(RunId::new(), hour(1, 0))
        .await
        .unwrap_err();
    assert_refused(&refusal, Code::FailedPrecondition, &words);
    assert!(workspace.online(&[], &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_damaged_bucket_file_is_named() {
    for damage in [Damage::Garbage, Damage::Truncated, Damage::Emptied] {
        let mut workspace = Workspace::with_days(3).await;
        let listed = workspace
            .context
            .ctx
            .lake
            .list("buckets/incidents")
            .await
            .unwrap();
        let path = &listed[1].path;
        damage.apply(&workspace.file(path));
        let refusal = workspace.train_as_of(hour(3, 0)).await.unwrap_err();
        assert_refused(&refusal, Code::FailedPrecondition, &[path, "run ingest"]);
        let refusal = workspace
            .materialize(RunId::new(), hour(3, 0))
            .await
            .unwrap_err();
        assert_refused(&refusal, Code::FailedPrecondition, &[path]);
    }
}

enum Damage {
    Garbage,
    Truncated,
    Emptied,
}

impl Damage {
    fn apply(&self, file: &std::path::Path) {
        let mut bytes = std::fs::read(file).expect("the file is there");
        match self {
            Self::Garbage => {
                let middle = bytes.len() / 2;
                bytes[middle..].fill(0xA5);
            }
            Self::Truncated => bytes.truncate(bytes.len() / 2),
            Self::Emptied => bytes.clear(),
        }
        std::fs::write(file, bytes).expect("the file can be written");
    }
}

#[tokio::test]
async fn a_damaged_training_set_is_not_handed_out() {
    let mut workspace = Workspace::with_days(3).await;
    let set = workspace.train_as_of(hour(3, 0)).await.unwrap();
    Damage::Garbage.apply(&workspace.file(&set.path));
    let refusal = workspace.train_as_of(hour(3, 0)).await.unwrap_err();
    assert_refused(&refusal, Code::FailedPrecondition, &[&set.path, "damaged"]);
}

#[tokio::test]
async fn names_of_series_and_features_are_checked() {
    let mut workspace = Workspace::with_days(1).await;
    let (start, end) = (hour(0, 0), hour(1, 0));
    for (name, word) in [
        ("nonsense", "must look like"),
        ("attack_volume/colour=red", "unknown dimension"),
        ("risk_period/total", "no series of attack_volume"),
    ] {
        let refusal = workspace
            .actuals(&[name], start, end, hour(1, 0))
            .await
            .unwrap_err();
        assert_refused(&refusal, Code::InvalidArgument, &["series_ids", word]);
    }
    let many = vec![TOTAL; 2002];
    let refusal = workspace
        .actuals(&many, start, end, hour(1, 0))
        .await
        .unwrap_err();
    assert_refused(
        &refusal,
        Code::InvalidArgument,
        &["series_ids", "at most 2001"],
    );
    let refusal = workspace
        .online(&[TOTAL], &["no_such_feature"])
        .await
        .unwrap_err();
    assert_refused(
        &refusal,
        Code::InvalidArgument,
        &["features", "alerts_last_24h"],
    );
}

#[tokio::test]
async fn a_stranger_reads_nothing_and_a_viewer_starts_nothing() {
    let workspace = Workspace::with_days(1).await;
    let stranger = Credentials::bearer(&SecretString::from("a token nobody gave"));
    let mut client = FeatureStoreServiceClient::new(workspace.server.channel_with(stranger));
    let refusal = client
        .list_feature_views(wire::ListFeatureViewsRequest {})
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);

    let viewer = workspace.server.channel_of("vera", &[Role::Viewer]);
    let mut client = FeatureStoreServiceClient::new(viewer);
    client
        .list_feature_views(wire::ListFeatureViewsRequest {})
        .await
        .unwrap();
    let request = wire::BuildTrainingSetRequest {
        run_id: RunId::new().to_string(),
        use_case: "attack_volume".to_owned(),
        known_at: timestamp(hour(1, 0)),
    };
    let refusal = client.build_training_set(request).await.unwrap_err();
    assert_refused(&refusal, Code::PermissionDenied, &["vera", "operator"]);
}
