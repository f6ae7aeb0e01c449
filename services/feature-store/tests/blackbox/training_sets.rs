//! A training set has the promised columns, and the same pair gives the same bytes.

use polars::prelude::{DataType, TimeUnit, TimeZone};
use sha2::{Digest, Sha256};

use crate::workspace::{Workspace, hour, numbers, row};

#[tokio::test]
async fn a_training_set_has_one_row_an_hour_and_one_column_a_series() {
    let mut workspace = Workspace::with_days(10).await;
    let set = workspace.train_as_of(hour(10, 0)).await.unwrap();
    assert_eq!(set.view, "attack_volume_hourly");
    assert_eq!(
        set.regressors,
        [
            "holiday_flag",
            "patch_tuesday",
            "end_of_quarter",
            "campaign",
            "own_rule_change",
            "connector_onboarding"
        ]
    );
    assert_eq!(
        set.path,
        format!(
            "training-sets/{}/{}.parquet",
            &set.spec_hash[..16],
            hour(10, 0).timestamp_millis()
        )
    );
    // The last settled hour is two before the moment: ten days less one hour.
    assert_eq!((set.rows, set.series), (239, 7));
    let span = set.span.unwrap();
    assert_eq!(span.start.unwrap().to_moment().unwrap(), hour(0, 0));
    assert_eq!(span.end.unwrap().to_moment().unwrap(), hour(9, 23));

    let table = workspace.table(&set.path, &set.sha256).await;
    let names: Vec<_> = table
        .get_column_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "event_time",
            "hour_of_week",
            "x:holiday_flag",
            "x:patch_tuesday",
            "x:end_of_quarter",
            "x:campaign",
            "x:own_rule_change",
            "x:connector_onboarding",
            "attack_volume/total",
            "attack_volume/severity=High",
            "attack_volume/severity=High,product=Microsoft Defender XDR",
            "attack_volume/severity=Low",
            "attack_volume/severity=Low,product=Okta%2C Inc.",
            "attack_volume/product=Microsoft Defender XDR",
            "attack_volume/product=Okta%2C Inc.",
        ]
    );
    let utc = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    assert_eq!(table.column("event_time").unwrap().dtype(), &utc);
    let hours = table.column("hour_of_week").unwrap();
    assert_eq!(
        hours.u32().unwrap().get(30),
        Some(30),
        "the first hour is Monday 00:00"
    );

    let total = numbers(&table, "attack_volume/total");
    assert_eq!(total[11..14], [1.0, 4.0, 1.0]);
    let high = numbers(&table, "attack_volume/severity=High");
    let low = numbers(&table, "attack_volume/severity=Low");
    assert!(
        total
            .iter()
            .zip(high.iter().zip(low))
            .all(|(all, (high, low))| *all == high + low)
    );
    let patch_tuesday = numbers(&table, "x:patch_tuesday");
    assert_eq!(patch_tuesday.iter().sum::<f64>(), 24.0, "10 March 2026");
    assert_eq!(patch_tuesday[8 * 24], 1.0);
}

#[tokio::test]
async fn a_training_set_that_was_lost_is_rebuilt_to_the_same_bytes() {
    let mut workspace = Workspace::with_days(5).await;
    let set = workspace.train_as_of(hour(5, 0)).await.unwrap();
    let bytes = std::fs::read(workspace.file(&set.path)).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&bytes)), set.sha256);

    // Later data arrives, also for days of the set, and the file is lost.
    workspace.ingest_usual_day(5, hour(6, 0)).await;
    let late = vec![row(hour(2, 3), "Critical", "New Product", 40.0)];
    workspace
        .ingest(foretide_domain::Measure::Incidents, 2, hour(6, 0), late)
        .await;
    std::fs::remove_file(workspace.file(&set.path)).unwrap();

    let again = workspace.train_as_of(hour(5, 0)).await.unwrap();
    assert_eq!(again.sha256, set.sha256);
    assert_eq!(std::fs::read(workspace.file(&set.path)).unwrap(), bytes);

    let later = workspace.train_as_of(hour(6, 0)).await.unwrap();
    assert_ne!(later.sha256, set.sha256);
    let table = workspace.table(&later.path, &later.sha256).await;
    assert_eq!(
        numbers(&table, "attack_volume/product=New Product")[51],
        40.0
    );
}

#[tokio::test]
async fn a_training_set_is_found_again_after_a_restart_and_without_the_registry() {
    let mut workspace = Workspace::with_days(4).await;
    let set = workspace.train_as_of(hour(4, 0)).await.unwrap();
    let mut workspace = workspace.restarted().await;
    assert_eq!(workspace.train_as_of(hour(4, 0)).await.unwrap(), set);

    let folder = workspace.context.folder.clone();
    workspace.server.stop().await;
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    let context = foretide_service_runtime::testing::TestContext::reopen(
        "feature-store",
        hour(0, 0),
        &[],
        folder,
    );
    let built = foretide_feature_store::build(&context.ctx, Default::default())
        .await
        .unwrap();
    let server = foretide_service_runtime::testing::TestServer::start(&context.ctx, built).await;
    workspace.client =
        foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient::new(
            server.channel_as(foretide_domain::Principal::service("trainer")),
        );
    workspace.server = server;
    assert_eq!(workspace.train_as_of(hour(4, 0)).await.unwrap(), set);
}

#[tokio::test]
async fn a_past_that_was_changed_is_noticed() {
    let mut workspace = Workspace::with_days(4).await;
    let set = workspace.train_as_of(hour(4, 0)).await.unwrap();
    // Somebody writes buckets that claim to have been known before the set was built.
    let forged = vec![row(hour(1, 3), "High", "Microsoft Defender XDR", 400.0)];
    workspace
        .ingest(foretide_domain::Measure::Incidents, 1, hour(3, 0), forged)
        .await;
    std::fs::remove_file(workspace.file(&set.path)).unwrap();
    let refusal = workspace.train_as_of(hour(4, 0)).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
    assert!(
        refusal.message().contains(&set.path),
        "{}",
        refusal.message()
    );
}

#[tokio::test]
async fn two_callers_at_once_get_the_same_set() {
    let workspace = Workspace::with_days(4).await;
    let call = || {
        let mut client = workspace.client.clone();
        async move {
            let request = foretide_api::features::v1::BuildTrainingSetRequest {
                run_id: foretide_domain::RunId::new().to_string(),
                use_case: "risk_period".to_owned(),
                known_at: foretide_api::timestamp(hour(4, 0)),
            };
            client
                .build_training_set(request)
                .await
                .unwrap()
                .into_inner()
                .training_set
                .unwrap()
        }
    };
    let (first, second, third) = tokio::join!(call(), call(), call());
    assert_eq!((first.series, &first.sha256), (1, &second.sha256));
    assert_eq!(second.sha256, third.sha256);
}
