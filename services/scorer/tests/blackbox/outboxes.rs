//! Rows and audit events leave once they can, and nothing is lost until then.

use std::collections::HashSet;

use foretide_api::outbox::v1::outbox_service_client::OutboxServiceClient;
use foretide_api::outbox::v1::{DropItemRequest, RetryItemRequest};
use foretide_api::writeback::v1::write_back_service_client::WriteBackServiceClient;
use foretide_api::writeback::v1::{ListBatchesRequest, WaitingRows};
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_domain::{Role, RunId};
use foretide_outbox::{Outbox, State};
use foretide_service_runtime::AuthedChannel;
use serde_json::Value;

use crate::fakes::FakeWorkspace;
use crate::world::{Setting, World, eventually};

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
    assert_eq!(keys(&rows).len(), 144);
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
    workspace.refuses_with(Some(403));
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
async fn rows_that_the_workspace_refuses_are_shown_and_block_nobody() {
    let (workspace, url) = FakeWorkspace::start().await;
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    let refused = RunId::new();
    workspace.refuses_rows_of(Some(refused.to_string()));
    let summary = world.score(refused, "attack_volume").await.unwrap();
    assert_eq!((summary.rows_delivered, summary.rows_pending), (0, 0));
    let undelivered = waiting(&world).await;
    assert_eq!(undelivered.len(), 1, "{undelivered:?}");
    assert_eq!(
        (
            undelivered[0].table.as_str(),
            undelivered[0].rows,
            undelivered[0].refused
        ),
        ("PredictiveAlerting_CL", 144, true)
    );
    assert!(
        undelivered[0].problem.contains("refuses the rows"),
        "{undelivered:?}"
    );

    let summary = world.score(RunId::new(), "attack_volume").await.unwrap();
    assert_eq!((summary.rows_delivered, summary.rows_pending), (144, 0));
    let outbox = tasks(&world).await;
    assert_eq!(outbox.list(State::Waiting, 10).await.unwrap(), []);
    let kept = outbox.list(State::Refused, 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].run_id), (1, Some(refused)));

    // the same again is refused again, and what is in order then arrives
    retry(&world, &kept[0].key).await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
    assert_eq!(waiting(&world).await, undelivered);
    workspace.refuses_rows_of(None);
    retry(&world, &kept[0].key).await;
    world.score(RunId::new(), "attack_volume").await.unwrap();
    assert_eq!(waiting(&world).await, []);
    let rows = workspace.rows();
    assert_eq!((rows.len(), keys(&rows).len()), (4 * 144, 4 * 144));
}

#[tokio::test]
async fn two_scorers_over_one_database_send_every_row_once() {
    for database in TestDatabase::every_engine().await {
        let (workspace, url) = FakeWorkspace::start().await;
        workspace.refuses_with(Some(403));
        let replica = async || {
            let world = World::with(Setting {
                workspace: Some(url.clone()),
                database: Some(database.config.clone()),
                ..Setting::default()
            })
            .await;
            world.is_ready("attack_volume").await;
            world
        };
        let scorers = [replica().await, replica().await];
        for scorer in scorers.iter().cycle().take(10) {
            let summary = scorer.score(RunId::new(), "attack_volume").await.unwrap();
            assert_eq!(summary.rows_pending, 144);
        }
        workspace.refuses_with(None);
        eventually("every row arrives", || {
            keys(&workspace.rows()).len() == 1_440
        })
        .await;
        let outbox = tasks(&scorers[0]).await;
        while outbox.counts(None).await.unwrap().waiting > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(workspace.rows().len(), 1_440);
        let mut client = write_back(&scorers[1]);
        let answer = client.list_batches(ListBatchesRequest::default()).await;
        let batches = answer.unwrap().into_inner().batches;
        let rows: Vec<_> = batches.iter().map(|batch| batch.rows).collect();
        assert_eq!(rows, [144; 10]);
    }
}

fn keys(rows: &[Value]) -> HashSet<String> {
    rows.iter()
        .map(|row| row["IdempotencyKey"].to_string())
        .collect()
}

fn write_back(world: &World) -> WriteBackServiceClient<AuthedChannel> {
    WriteBackServiceClient::new(world.server.channel_of("vera", &[Role::Viewer]))
}

async fn retry(world: &World, key: &str) {
    let operator = world.server.channel_of("olga", &[Role::Operator]);
    let request = RetryItemRequest {
        channel: String::new(),
        key: key.to_owned(),
    };
    let mut client = OutboxServiceClient::new(operator);
    client.retry_item(request).await.unwrap();
}

#[tokio::test]
async fn refused_rows_that_a_person_gives_up_are_not_shown_any_more() {
    let (workspace, url) = FakeWorkspace::start().await;
    let world = World::writing_to(&url).await;
    world.is_ready("attack_volume").await;
    workspace.refuses_with(Some(400));
    world.score(RunId::new(), "attack_volume").await.unwrap();
    assert_eq!(waiting(&world).await.len(), 1);
    let outbox = tasks(&world).await;
    let refused = outbox.list(State::Refused, 10).await.unwrap();
    let request = DropItemRequest {
        channel: String::new(),
        key: refused[0].key.clone(),
    };
    let operator = world.server.channel_of("olga", &[Role::Operator]);
    let mut client = OutboxServiceClient::new(operator);
    let dropped = client.drop_item(request).await.unwrap().into_inner();
    assert_eq!(dropped.item.unwrap().state, "dropped");
    assert_eq!(waiting(&world).await, []);
    let events = &world.auditor.events;
    eventually("the auditor hears of it", || {
        let events = events.lock().unwrap();
        events
            .values()
            .any(|event| event.action == "outbox.item_dropped" && event.actor == "olga")
    })
    .await;
}

async fn waiting(world: &World) -> Vec<WaitingRows> {
    let mut client = write_back(world);
    let answer = client.list_batches(ListBatchesRequest::default()).await;
    answer.unwrap().into_inner().waiting
}

/// What the scorer has to bring into the workspace.
async fn tasks(world: &World) -> Outbox {
    let database = Database::connect(&world.context.ctx.database, "scorer").await;
    Outbox::new(database.unwrap(), "write_back")
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
    let details: Value = serde_json::from_str(&event.details_json).unwrap();
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
