//! Rows and audit events leave once they can, and nothing is lost until then.

use std::collections::HashSet;

use foretide_domain::RunId;

use crate::fakes::FakeWorkspace;
use crate::world::{World, eventually};

#[tokio::test]
async fn rows_are_in_the_workspace_when_the_call_ends() {
    let (workspace, url) = FakeWorkspace::start().await;
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let summary = world.score(run_id, "attack_volume").await.unwrap();
    assert_eq!((summary.rows_delivered, summary.rows_pending), (144, 0));
    let rows = workspace.rows();
    assert_eq!(rows.len(), 144);
    let columns: Vec<_> = rows[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        columns,
        [
            "TimeGenerated",
            "IssuedAt",
            "RunId",
            "ForecastId",
            "UseCase",
            "SeriesId",
            "TargetTime",
            "Predicted",
            "Q025",
            "Q10",
            "Q50",
            "Q90",
            "Q975",
            "Horizon",
            "ModelName",
            "ModelVersion",
            "ModelKind",
            "Completeness",
            "Validity",
            "ValidUntil",
            "Drivers",
            "IdempotencyKey",
        ]
    );
    assert_eq!(rows[0]["IssuedAt"], "2026-11-23T06:00:00.0000000Z");
    assert_eq!(rows[1]["TargetTime"], "2026-11-23T07:00:00.0000000Z");
    assert_eq!(rows[1]["Horizon"], 2);
    assert_eq!(rows[0]["RunId"], run_id.to_string());
    assert_eq!(rows[0]["ModelVersion"], "7");
    let drivers = rows[0]["Drivers"].as_object().unwrap();
    let sum: f64 = drivers.values().map(|part| part.as_f64().unwrap()).sum();
    let predicted = rows[0]["Predicted"].as_f64().unwrap();
    assert!((sum - predicted).abs() < 1e-6 * predicted.max(1.0));
    let keys: HashSet<_> = rows
        .iter()
        .map(|row| row["IdempotencyKey"].to_string())
        .collect();
    assert_eq!(keys.len(), 144);
}

#[tokio::test]
async fn the_same_run_again_writes_no_row_twice() {
    let (workspace, url) = FakeWorkspace::start().await;
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    world.score(run_id, "attack_volume").await.unwrap();
    world.score(run_id, "attack_volume").await.unwrap();
    assert_eq!(workspace.rows().len(), 144);
}

#[tokio::test]
async fn a_refusing_workspace_holds_rows_back_but_not_the_forecast() {
    let (workspace, url) = FakeWorkspace::start().await;
    workspace.refuses_with(Some(403));
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let summary = world.score(run_id, "attack_volume").await.unwrap();
    assert_eq!((summary.rows_delivered, summary.rows_pending), (0, 144));
    world.forecast("attack_volume", "").await;
    workspace.refuses_with(None);
    eventually("rows arrive in the background", || {
        workspace.rows().len() == 144
    })
    .await;
}

#[tokio::test]
async fn rows_that_waited_over_a_restart_arrive() {
    let (workspace, url) = FakeWorkspace::start().await;
    workspace.refuses_with(Some(400));
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
    let world = world.restart(Some(url)).await;
    workspace.refuses_with(None);
    eventually("rows arrive after the restart", || {
        workspace.rows().len() == 144
    })
    .await;
    drop(world);
}

#[tokio::test]
async fn without_a_sink_nothing_waits() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let summary = world.score(RunId::new(), "attack_volume").await.unwrap();
    assert_eq!(
        (summary.rows, summary.rows_delivered, summary.rows_pending),
        (144, 0, 0)
    );
}

#[tokio::test]
async fn the_auditor_hears_of_every_forecast_once() {
    let world = World::new().await;
    *world.auditor.is_down.lock().unwrap() = true;
    world.is_ready("attack_volume").await;
    let run_id = RunId::new();
    let summary = world.score(run_id, "attack_volume").await.unwrap();
    world.score(run_id, "attack_volume").await.unwrap();
    world.score(RunId::new(), "attack_volume").await.unwrap();
    *world.auditor.is_down.lock().unwrap() = false;
    let events = &world.auditor.events;
    eventually("both events arrive", || events.lock().unwrap().len() == 2).await;
    let events = events.lock().unwrap();
    let event = events
        .values()
        .find(|event| event.run_id == run_id.to_string())
        .unwrap();
    assert_eq!(
        (event.actor.as_str(), event.action.as_str()),
        ("service:scorer", "forecast.issued")
    );
    assert_eq!(event.subject, format!("forecast/{}", summary.forecast_id));
    let details: serde_json::Value = serde_json::from_str(&event.details_json).unwrap();
    assert_eq!(details["model_version"], 7);
}

#[tokio::test]
async fn an_event_that_the_auditor_refuses_holds_no_other_up() {
    let world = World::new().await;
    world.is_ready("attack_volume").await;
    let (refused, taken) = (RunId::new(), RunId::new());
    *world.auditor.refuses.lock().unwrap() = Some(refused.to_string());
    world.score(refused, "attack_volume").await.unwrap();
    world.score(taken, "attack_volume").await.unwrap();
    let events = &world.auditor.events;
    eventually("the next event arrives", || {
        events.lock().unwrap().len() == 1
    })
    .await;
    let events = events.lock().unwrap();
    assert!(
        events
            .values()
            .all(|event| event.run_id == taken.to_string())
    );
}
