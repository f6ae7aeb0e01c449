//! From accepted to visible, late, or never there.

use chrono::TimeDelta;
use foretide_db::testing::TestDatabase;
use foretide_emulator::{Fault, FaultAction};
use foretide_write_back::BatchState;
use serde_json::json;

use crate::desk::{Desk, QUERIES, table};

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::seconds(seconds)
}

#[tokio::test]
async fn rows_that_come_late_are_seen_and_timed() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.accepted(144).await;
        desk.will_count(0);
        assert_eq!(desk.look_after(seconds(0)).await.state, BatchState::Waiting);
        desk.will_count(143);
        let nearly = desk.look_after(seconds(7)).await;
        assert_eq!((nearly.state, nearly.rows_seen), (BatchState::Waiting, 143));
        desk.will_count(144);
        let seen = desk.look_after(seconds(11)).await;
        assert_eq!((seen.state, seen.looks), (BatchState::Visible, 3));
        assert_eq!(seen.visible_after, Some(seconds(18)));
        let questions = desk.azure.requests(QUERIES).len();
        desk.look_after(seconds(600)).await;
        assert_eq!(desk.azure.requests(QUERIES).len(), questions, "it is over");
        let asked = desk.azure.requests(QUERIES)[0].body.to_string();
        assert!(asked.contains(&desk.run.to_string()), "{asked}");
        drop(desk.kept);
    }
}

#[tokio::test]
async fn rows_that_are_not_there_in_time_are_flagged_and_nothing_is_sent() {
    let desk = Desk::open(TestDatabase::sqlite()).await;
    desk.accepted(3).await;
    desk.will_count(2);
    let overdue = desk.look_after(TimeDelta::minutes(20)).await;
    assert_eq!((overdue.state, overdue.rows_seen), (BatchState::Overdue, 2));
    desk.will_count(3);
    let late = desk.look_after(TimeDelta::hours(2)).await;
    assert_eq!(late.state, BatchState::Visible);
    assert_eq!(late.visible_after, Some(TimeDelta::minutes(140)));
    assert!(desk.azure.requests("/dataCollectionRules/").is_empty());
}

#[tokio::test]
async fn what_never_comes_is_given_up_after_a_day() {
    let desk = Desk::open(TestDatabase::sqlite()).await;
    desk.accepted(3).await;
    desk.will_count(0);
    let missing = desk.look_after(TimeDelta::hours(25)).await;
    assert_eq!(missing.state, BatchState::Missing);
    let questions = desk.azure.requests(QUERIES).len();
    desk.look_after(TimeDelta::hours(1)).await;
    assert_eq!(desk.azure.requests(QUERIES).len(), questions);
}

#[tokio::test]
async fn answers_that_say_nothing_are_told_and_asked_again() {
    let desk = Desk::open(TestDatabase::sqlite()).await;
    desk.accepted(3).await;
    let unreadable = [
        json!("<html>"),
        json!({"tables": []}),
        table(&json!("three")),
        json!({"tables": table(&json!(3))["tables"], "error": {"code": "PartialError", "message": "cut"}}),
    ];
    for answer in unreadable {
        desk.will_answer(answer.clone());
        let batch = desk.look_after(TimeDelta::minutes(1)).await;
        assert_eq!(batch.state, BatchState::Waiting, "{answer}");
        assert_eq!(batch.rows_seen, 0, "{answer}");
    }
    for status in [400, 401, 403, 404] {
        desk.azure
            .add_fault(Fault::at(QUERIES, 1, FaultAction::status(status)));
        let batch = desk.look_after(TimeDelta::minutes(1)).await;
        assert_eq!(batch.state, BatchState::Waiting, "{status}");
        assert!(batch.problem.is_some(), "{status}");
    }
    desk.azure
        .add_fault(Fault::at(QUERIES, 1, FaultAction::throttle(3_600)));
    let throttled = desk.look_after(TimeDelta::minutes(1)).await;
    assert!(throttled.problem.is_some(), "{throttled:?}");
    desk.will_count(4);
    let seen = desk.look_after(TimeDelta::minutes(1)).await;
    assert_eq!((seen.state, seen.problem), (BatchState::Visible, None));
}

#[tokio::test]
async fn rows_accepted_later_for_the_same_run_are_looked_for_together() {
    let desk = Desk::open(TestDatabase::sqlite()).await;
    desk.accepted(100).await;
    desk.will_count(100);
    assert_eq!(desk.look_after(seconds(1)).await.state, BatchState::Visible);
    desk.accepted(44).await;
    let more = desk.only_batch().await;
    assert_eq!((more.rows, more.state), (144, BatchState::Waiting));
    // as after a restart: the read-back is another one, the table the same
    desk.will_count(144);
    let seen = desk.look_after(seconds(30)).await;
    assert_eq!(seen.visible_after, Some(seconds(30)));
}
