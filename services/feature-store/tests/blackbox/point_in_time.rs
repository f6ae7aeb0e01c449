//! What was known then is told as it was then.

use foretide_domain::Measure;
use tonic::Code;

use crate::workspace::{Workspace, hour, row, series};

const TOTAL: &str = "attack_volume/total";

#[tokio::test]
async fn actuals_are_told_as_they_were_known() {
    let mut workspace = Workspace::with_days(3).await;
    let mut day = (0..24)
        .map(|of_day| row(hour(1, of_day), "High", "Microsoft Defender XDR", 1.0))
        .collect::<Vec<_>>();
    day[5].value = 8.0;
    workspace
        .ingest(Measure::Incidents, 1, hour(2, 6), day)
        .await;

    let then = workspace
        .actuals(&[TOTAL], hour(1, 4), hour(1, 7), hour(2, 0))
        .await
        .unwrap();
    assert_eq!(series(&then.series, TOTAL).values, [1.0, 1.0, 1.0]);
    let later = workspace
        .actuals(&[TOTAL], hour(1, 4), hour(1, 7), hour(3, 0))
        .await
        .unwrap();
    assert_eq!(series(&later.series, TOTAL).values, [1.0, 8.0, 1.0]);
}

#[tokio::test]
async fn the_series_that_occur_are_told_when_none_is_named() {
    let mut workspace = Workspace::with_days(2).await;
    let all = workspace
        .actuals(&[], hour(0, 0), hour(2, 0), hour(2, 0))
        .await
        .unwrap();
    let names: Vec<_> = all
        .series
        .iter()
        .map(|series| series.series_id.as_str())
        .collect();
    assert_eq!(names[..2], [TOTAL, "attack_volume/severity=High"]);
    assert_eq!(names.len(), 7);
    assert!(all.series.iter().all(|series| series.values.len() == 48));
}

#[tokio::test]
async fn a_series_that_never_occurred_is_zero() {
    let mut workspace = Workspace::with_days(2).await;
    let id = "attack_volume/severity=Informational";
    let found = workspace
        .actuals(&[id], hour(0, 0), hour(0, 3), hour(2, 0))
        .await
        .unwrap();
    assert_eq!(series(&found.series, id).values, [0.0, 0.0, 0.0]);
}

#[tokio::test]
async fn hours_settle_some_time_after_they_began_and_never_past_the_newest_data() {
    let mut workspace = Workspace::with_days(3).await;
    let mut settled = async |known_at| {
        let answer = workspace
            .actuals(&[TOTAL], hour(0, 0), hour(1, 0), known_at)
            .await
            .unwrap();
        answer.settled_until.unwrap().to_moment().unwrap()
    };
    assert_eq!(
        settled(hour(3, 0)).await,
        hour(2, 22),
        "two hours before the moment"
    );
    let some_minutes_later = hour(3, 0) + chrono::TimeDelta::minutes(59);
    assert_eq!(settled(some_minutes_later).await, hour(2, 22));
    assert_eq!(
        settled(hour(9, 0)).await,
        hour(2, 23),
        "nothing newer is known"
    );
    assert_eq!(
        settled(hour(2, 5)).await,
        hour(1, 23),
        "the third day is not known yet"
    );
}

#[tokio::test]
async fn a_span_is_cut_to_what_can_be_known() {
    let mut workspace = Workspace::with_days(2).await;
    let found = workspace
        .actuals(&[TOTAL], hour(-9, 0), hour(9, 0), hour(2, 0))
        .await
        .unwrap();
    let total = series(&found.series, TOTAL);
    assert_eq!(total.start.unwrap().to_moment().unwrap(), hour(0, 0));
    assert_eq!(total.values.len(), 48);
    let before = workspace
        .actuals(&[TOTAL], hour(-9, 0), hour(-8, 0), hour(2, 0))
        .await
        .unwrap();
    assert!(series(&before.series, TOTAL).values.is_empty());
}

#[tokio::test]
async fn a_first_day_that_begins_late_is_left_out() {
    let mut workspace = Workspace::empty().await;
    let partial = vec![row(hour(0, 14), "High", "Microsoft Defender XDR", 1.0)];
    workspace
        .ingest(Measure::Incidents, 0, hour(1, 0), partial)
        .await;
    workspace.ingest_usual_day(1, hour(2, 0)).await;
    let found = workspace
        .actuals(&[TOTAL], hour(0, 0), hour(2, 0), hour(2, 0))
        .await
        .unwrap();
    assert_eq!(
        series(&found.series, TOTAL)
            .start
            .unwrap()
            .to_moment()
            .unwrap(),
        hour(1, 0)
    );
}

#[tokio::test]
async fn before_anything_was_known_ingest_must_run_first() {
    let mut workspace = Workspace::with_days(2).await;
    let refusal = workspace
        .actuals(&[TOTAL], hour(0, 0), hour(1, 0), hour(0, 12))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert!(
        refusal.message().contains("ingest has read no row"),
        "{}",
        refusal.message()
    );
}
