//! Feature rows in the lake, newest values online.

use foretide_api::features::v1 as wire;
use foretide_domain::{Measure, RunId};
use tonic::Code;

use crate::workspace::{Workspace, hour, numbers, row};

const TOTAL: &str = "attack_volume/total";
const LOW: &str = "attack_volume/severity=Low";

#[tokio::test]
async fn rows_are_stored_for_every_series_and_hour() {
    let mut workspace = Workspace::with_days(3).await;
    let run_id = RunId::new();
    let (stages, summary) = workspace.materialize(run_id, hour(3, 0)).await.unwrap();
    assert_eq!(stages.first().unwrap(), "reading buckets");
    assert_eq!((summary.features, summary.series), (16, 7));
    // Three days, and the hour of the moment itself.
    assert_eq!(summary.rows, 7 * 73);

    let files = workspace.feature_files().await;
    let millis = hour(3, 0).timestamp_millis();
    let short_hash = &summary.spec_hash[..16];
    assert_eq!(
        files,
        [format!(
            "features/attack_volume_hourly/{short_hash}/{millis}-{run_id}.parquet"
        )]
    );
    let table = workspace
        .context
        .ctx
        .lake
        .read_frame(&files[0], None)
        .await
        .unwrap();
    assert_eq!(table.height(), 511);
    let last_day = numbers(&table, "incidents_last_24h")[24..73].to_vec();
    assert!(last_day.iter().all(|sum| *sum == 27.0), "{last_day:?}");
}

#[tokio::test]
async fn online_values_are_those_of_the_moment() {
    let mut workspace = Workspace::with_days(3).await;
    workspace
        .materialize(RunId::new(), hour(3, 0))
        .await
        .unwrap();
    let values = workspace.online(&[TOTAL, LOW], &[]).await.unwrap();
    assert_eq!(values.len(), 32);
    let value = |series: &str, feature: &str| {
        let found = values
            .iter()
            .find(|value| value.series_id == series && value.feature == feature)
            .unwrap();
        assert_eq!(found.event_time.unwrap().to_moment().unwrap(), hour(3, 0));
        found.value
    };
    assert_eq!(value(TOTAL, "alerts_last_24h"), 5.0);
    assert_eq!(value(LOW, "alerts_last_24h"), 0.0);
    assert_eq!(value(TOTAL, "incident_open_count"), 3.0 * 26.0);
    assert_eq!(value(LOW, "incident_open_count"), 9.0);
    assert_eq!(value(TOTAL, "days_since_last_incident"), 0.0);
    assert_eq!(value(LOW, "days_since_last_incident"), 11.0 / 24.0);
    assert_eq!(value(LOW, "failed_logins_per_hour"), 2.0);
    assert_eq!(value(LOW, "unique_source_ips_per_day"), 9.0);
    assert_eq!(value(TOTAL, "ti_volume"), 0.0);
    assert_eq!(value(TOTAL, "day_of_week"), 3.0);
    assert_eq!(value(TOTAL, "is_business_hour"), 0.0);
}

#[tokio::test]
async fn the_same_run_again_changes_nothing() {
    let mut workspace = Workspace::with_days(3).await;
    let run_id = RunId::new();
    let (_, first) = workspace.materialize(run_id, hour(3, 0)).await.unwrap();
    let mut workspace = workspace.restarted().await;
    let (_, again) = workspace.materialize(run_id, hour(3, 0)).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(workspace.feature_files().await.len(), 1);

    let refusal = workspace.materialize(run_id, hour(2, 0)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::AlreadyExists);
    assert!(
        refusal.message().contains("use a new run id"),
        "{}",
        refusal.message()
    );
}

#[tokio::test]
async fn a_later_run_stores_only_what_may_have_changed() {
    let mut workspace = Workspace::with_days(3).await;
    workspace
        .materialize(RunId::new(), hour(3, 0))
        .await
        .unwrap();
    workspace.ingest_usual_day(3, hour(4, 0)).await;
    let (_, next_day) = workspace
        .materialize(RunId::new(), hour(4, 0))
        .await
        .unwrap();
    assert!(
        next_day.rows <= 7 * 49,
        "two days at most, got {} rows",
        next_day.rows
    );

    let late = vec![row(hour(1, 3), "High", "Microsoft Defender XDR", 2.0)];
    workspace
        .ingest(Measure::Incidents, 1, hour(4, 12), late)
        .await;
    let (_, after_late_rows) = workspace
        .materialize(RunId::new(), hour(4, 12))
        .await
        .unwrap();
    assert_eq!(
        after_late_rows.rows,
        7 * (3 * 24 + 13),
        "from the first changed day on"
    );
}

#[tokio::test]
async fn an_older_moment_does_not_overwrite_newer_values() {
    let mut workspace = Workspace::with_days(3).await;
    workspace
        .materialize(RunId::new(), hour(3, 0))
        .await
        .unwrap();
    workspace
        .materialize(RunId::new(), hour(2, 0))
        .await
        .unwrap();
    let values = workspace
        .online(&[TOTAL], &["incident_open_count"])
        .await
        .unwrap();
    assert_eq!(values[0].value, 78.0);
    assert_eq!(values[0].known_at.unwrap().to_moment().unwrap(), hour(3, 0));
}

#[tokio::test]
async fn views_are_listed_with_their_features_and_when_they_were_materialized() {
    let mut workspace = Workspace::with_days(3).await;
    let before = workspace
        .client
        .list_feature_views(wire::ListFeatureViewsRequest {})
        .await;
    let views = before.unwrap().into_inner().views;
    assert_eq!(views.len(), 2);
    assert!(views.iter().all(|view| view.materialized_at.is_none()));

    let (_, summary) = workspace
        .materialize(RunId::new(), hour(3, 0))
        .await
        .unwrap();
    let after = workspace
        .client
        .list_feature_views(wire::ListFeatureViewsRequest {})
        .await;
    let view = after.unwrap().into_inner().views.remove(0);
    assert_eq!(
        (view.name, view.spec_hash),
        (summary.view, summary.spec_hash)
    );
    assert_eq!(
        view.materialized_at.unwrap().to_moment().unwrap(),
        hour(3, 0)
    );
    let holiday = view
        .features
        .iter()
        .find(|feature| feature.name == "holiday_flag")
        .unwrap();
    assert_eq!(
        (holiday.kind.as_str(), holiday.unit.as_str()),
        ("known_future", "flag")
    );
}
