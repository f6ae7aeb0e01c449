//! What the scorer gets.

use foretide_calendar::{CalendarConfig, Campaign};
use foretide_domain::{ArrivalLag, Measure, RunId, SentinelTable};
use foretide_feature_store::config::Config;
use foretide_lake::arrivals::ArrivalStore;

use crate::workspace::{Workspace, hour, row, series};

const TOTAL: &str = "attack_volume/total";

#[tokio::test]
async fn history_ends_where_the_horizon_begins() {
    let mut workspace = Workspace::with_days(5).await;
    let as_of = hour(5, 0) + chrono::TimeDelta::minutes(17);
    let frame = workspace.scoring_frame(as_of, 72, 48).await.unwrap();
    assert_eq!(frame.start.unwrap().to_moment().unwrap(), hour(5, 0));
    assert_eq!(frame.series.len(), 7);
    let total = series(&frame.series, TOTAL);
    assert_eq!(total.start.unwrap().to_moment().unwrap(), hour(3, 0));
    assert_eq!(total.values.len(), 48);
    assert_eq!(total.values[12], 4.0);
    assert_eq!(frame.history_hour_of_week.len(), 48);
    assert_eq!(frame.hour_of_week.len(), 72);
    assert_eq!(frame.hour_of_week[0], 5 * 24, "Saturday 00:00");
    let names: Vec<_> = frame
        .regressors
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "holiday_flag",
            "patch_tuesday",
            "end_of_quarter",
            "campaign",
            "own_rule_change",
            "connector_onboarding"
        ]
    );
    assert!(
        frame
            .regressors
            .iter()
            .all(|column| column.values.len() == 120)
    );
    assert_eq!(frame.completeness, 1.0);
}

#[tokio::test]
async fn a_short_history_is_given_as_it_is() {
    let mut workspace = Workspace::with_days(2).await;
    let frame = workspace.scoring_frame(hour(2, 0), 24, 1000).await.unwrap();
    assert_eq!(series(&frame.series, TOTAL).values.len(), 48);
    assert_eq!(frame.history_hour_of_week.len(), 48);
    assert_eq!(frame.regressors[0].values.len(), 72);
}

#[tokio::test]
async fn a_series_of_long_ago_is_still_there() {
    let mut workspace = Workspace::with_days(6).await;
    let rare = vec![row(hour(0, 0), "Informational", "Rare", 2.0)];
    workspace
        .ingest(Measure::Incidents, 0, hour(6, 0), rare)
        .await;
    let frame = workspace.scoring_frame(hour(6, 0), 24, 24).await.unwrap();
    let rare = series(&frame.series, "attack_volume/product=Rare");
    assert_eq!(rare.values, [0.0; 24]);
}

#[tokio::test]
async fn completeness_falls_when_rows_usually_come_late() {
    let mut workspace = Workspace::with_days(8).await;
    let store = ArrivalStore::new(workspace.context.ctx.lake.clone());
    let late = ArrivalLag::new([(60, 500.0), (1440, 500.0)]);
    let table = SentinelTable::SecurityIncident;
    let learnt = store.write(table, hour(8, 0), RunId::new(), &late);
    learnt.await.unwrap();
    let frame = workspace.scoring_frame(hour(8, 0), 24, 24).await.unwrap();
    assert!(frame.completeness > 0.6 && frame.completeness < 0.8);
}

#[tokio::test]
async fn completeness_falls_when_the_newest_data_is_missing() {
    let mut workspace = Workspace::with_days(8).await;
    let complete = workspace.scoring_frame(hour(8, 0), 24, 24).await.unwrap();
    assert_eq!(complete.completeness, 1.0);
    let half_a_day_later = workspace.scoring_frame(hour(8, 12), 24, 24).await.unwrap();
    assert!((half_a_day_later.completeness - 0.5).abs() < 1e-9);
    let a_day_later = workspace.scoring_frame(hour(9, 0), 24, 24).await.unwrap();
    assert_eq!(a_day_later.completeness, 0.0);
}

#[tokio::test]
async fn campaigns_and_the_local_clock_reach_into_the_horizon() {
    let config = Config {
        calendar: CalendarConfig {
            country: "DE".to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            campaigns: vec![Campaign {
                name: "drill".to_owned(),
                start: hour(2, 3),
                end: hour(2, 5),
            }],
            ..CalendarConfig::default()
        },
        ..Config::default()
    };
    let mut workspace = Workspace::with_config(config).await;
    workspace.ingest_usual_day(0, hour(1, 0)).await;
    workspace.ingest_usual_day(1, hour(2, 0)).await;
    let frame = workspace.scoring_frame(hour(2, 0), 6, 1).await.unwrap();
    let campaign = frame
        .regressors
        .iter()
        .find(|column| column.name == "campaign")
        .unwrap();
    assert_eq!(campaign.values, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(
        frame.hour_of_week[0],
        2 * 24 + 1,
        "Wednesday 01:00 in Berlin"
    );
}
