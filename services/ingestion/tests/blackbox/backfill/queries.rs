//! Backfills by the query API: what they will scan, the budget, throttling.

use std::sync::Arc;

use chrono::TimeDelta;
use foretide_api::ingestion::v1::{BackfillState, PlanBackfillRequest};
use foretide_domain::{Measure, SentinelTable};
use foretide_ingestion::Config;
use foretide_service_runtime::testing::TestContext;
use serde_json::{Value, json};
use tonic::Code;

use super::{NOW, request};
use crate::workspace::{Fault, IncidentRow, Workspace, reading};
use crate::world::{World, at};

const LATER: &str = "2026-12-01T00:00:00Z";

fn incident(name: u32, days_before: i64) -> IncidentRow {
    let created = at("2026-11-22T10:20:00Z") - TimeDelta::days(days_before);
    IncidentRow {
        name,
        created,
        closed: None,
        severity: "High",
        generated: created,
        ingested: created + TimeDelta::minutes(3),
    }
}

/// A workspace with an incident on each of 21 days and a quarter of a GB a day.
fn workspace() -> Arc<Workspace> {
    let workspace = Arc::new(Workspace::default());
    let mut rows = workspace.rows();
    rows.now = at("2026-12-31T00:00:00Z");
    rows.incidents = (0..21)
        .map(|day| incident(u32::try_from(day).unwrap(), day))
        .collect();
    rows.usage = (0..21)
        .map(|day| {
            (
                at("2026-11-22T10:00:00Z") - TimeDelta::days(day),
                "SecurityIncident",
                250.0,
            )
        })
        .collect();
    drop(rows);
    workspace
}

async fn world_of(workspace: &Arc<Workspace>, cost: &Value) -> World {
    let context = TestContext::new("ingestion", at(NOW), &[]);
    let config = Config {
        tables: vec![SentinelTable::SecurityIncident],
        log_analytics: Some(reading(workspace, cost).await),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    World::start(context, config).await
}

fn three_weeks() -> PlanBackfillRequest {
    request("2026-11-02", "2026-11-23")
}

/// Basic plan, at 10 a TB; SecurityIncident is counted by two queries.
fn basic(budget: &Value) -> Value {
    json!({"cost": {
        "price_per_gb": {"basic": 0.01},
        "plans": {"SecurityIncident": "basic"},
        "budget": budget,
    }})
}

#[tokio::test]
async fn the_quote_follows_from_usage_and_the_plan_and_the_newest_weeks_are_asked_first() {
    let workspace = workspace();
    let world = world_of(&workspace, &basic(&json!({}))).await;
    let quote = world.plan(three_weeks()).await.unwrap();
    let figures = quote.quote.clone().unwrap();
    assert_eq!((figures.parts, figures.queries), (3, 6));
    // 21 days of 250 MB, by two measures
    assert_eq!(figures.bytes, Some(2 * 21 * 250_000_000));
    assert!((figures.price - 0.105).abs() < 1e-9, "{}", figures.price);
    assert_eq!(quote.tables[0].plan, "basic");
    assert!(figures.beyond_budget.is_empty());
    workspace.rows().asked.clear();
    workspace.rows().spans.clear();
    world.begin(&quote.backfill_id, None).await.unwrap();
    let done = world.at_rest(&quote.backfill_id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(workspace.rows().asked.len(), 6);
    let starts = workspace.rows().spans.clone();
    assert!(starts.is_sorted_by(|a, b| a >= b), "{starts:?}");
    assert_eq!(
        world.buckets(Measure::Incidents, LATER).await,
        workspace.expected(Measure::Incidents, at(NOW))
    );
    // a run that comes later asks for its own history, and writes nothing twice
    let before = world.lake().await.len();
    world.ingest("2026-11-23T01:00:00Z").await;
    let buckets = world.lake().await.len() - before;
    assert!(buckets <= 1, "only what is learnt of lags: {buckets}");
}

#[tokio::test]
async fn beyond_the_budget_nothing_starts_unless_its_cost_is_accepted() {
    let workspace = workspace();
    let world = world_of(
        &workspace,
        &basic(&json!({"gigabytes_a_day": 3.0, "money_a_month": 9.0})),
    )
    .await;
    let quote = world.plan(three_weeks()).await.unwrap();
    let beyond = quote.quote.unwrap().beyond_budget;
    assert!(beyond.contains("gigabytes_a_day is 3 GB"), "{beyond}");
    assert!(!beyond.contains("money"), "{beyond}");
    let id = quote.backfill_id;
    let refused = world.begin(&id, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("--accept-cost"), "{refused}");
    let little = world.begin(&id, Some(2.0)).await.unwrap_err();
    assert_eq!(little.code(), Code::FailedPrecondition);
    assert!(
        little.message().contains("10.500 GB are quoted"),
        "{little}"
    );
    assert_eq!(world.count(Measure::Incidents, LATER).await, 0.0);

    let started = world.begin(&id, Some(11.0)).await.unwrap();
    assert_eq!(started.accepted_gigabytes, Some(11.0));
    let done = world.at_rest(&id).await;
    assert_eq!(done.state(), BackfillState::Done, "{}", done.note);
    assert_eq!(world.count(Measure::Incidents, LATER).await, 21.0);
}

#[tokio::test]
async fn it_rests_when_more_is_scanned_than_accepted_and_goes_on_when_more_is() {
    let workspace = workspace();
    let world = world_of(&workspace, &basic(&json!({"gigabytes_a_day": 3.0}))).await;
    let quote = world.plan(three_weeks()).await.unwrap();
    let id = quote.backfill_id;
    // the workspace scans far more than Usage tells
    workspace.rows().statistics = Some(json!({"query": {"dataProcessedKB": 6_000_000}}));
    world.begin(&id, Some(11.0)).await.unwrap();
    let resting = world.at_rest(&id).await;
    assert_eq!(resting.state(), BackfillState::Paused);
    assert!(resting.note.contains("11 GB"), "{}", resting.note);
    let progress = resting.progress.unwrap();
    assert_eq!((progress.parts_done, progress.parts_failed), (1, 0));
    world.resume(&id, Some(100.0)).await.unwrap();
    let done = world.at_rest(&id).await;
    assert_eq!(
        (done.state(), done.note.as_str()),
        (BackfillState::Done, "")
    );
    assert_eq!(world.count(Measure::Incidents, LATER).await, 21.0);
}

#[tokio::test]
async fn throttled_and_broken_answers_cost_time_and_nothing_else() {
    let workspace = workspace();
    let world = world_of(&workspace, &json!({})).await;
    let quote = world.plan(three_weeks()).await.unwrap();
    workspace.rows().faults = [Fault::Busy, Fault::Broken, Fault::Partial, Fault::Busy].into();
    world.begin(&quote.backfill_id, None).await.unwrap();
    let done = world.at_rest(&quote.backfill_id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(
        world.buckets(Measure::Incidents, LATER).await,
        workspace.expected(Measure::Incidents, at(NOW))
    );
}

#[tokio::test]
async fn a_window_that_is_refused_fails_alone_and_is_retried_alone() {
    let workspace = workspace();
    let world = world_of(&workspace, &json!({})).await;
    let quote = world.plan(three_weeks()).await.unwrap();
    let id = quote.backfill_id;
    workspace.rows().faults = [Fault::Refused].into();
    world.begin(&id, None).await.unwrap();
    let failed = world.at_rest(&id).await;
    assert_eq!(failed.state(), BackfillState::Failed);
    assert_eq!(failed.failed_parts.len(), 1);
    assert!(failed.failed_parts[0].error.contains("BadArgumentError"));
    assert_eq!(world.count(Measure::Incidents, LATER).await, 14.0);
    workspace.rows().asked.clear();
    world.retry(&id).await.unwrap();
    assert_eq!(world.at_rest(&id).await.state(), BackfillState::Done);
    assert_eq!(workspace.rows().asked.len(), 2, "only the failed window");
    assert_eq!(world.count(Measure::Incidents, LATER).await, 21.0);
}

#[tokio::test]
async fn without_usage_the_quote_says_that_it_does_not_know() {
    let workspace = workspace();
    workspace.rows().usage.clear();
    let world = world_of(&workspace, &json!({})).await;
    let quote = world.plan(three_weeks()).await.unwrap();
    let figures = quote.quote.unwrap();
    assert_eq!((figures.bytes, figures.price), (None, 0.0));
    assert!(
        figures.remarks[0].contains("Usage"),
        "{:?}",
        figures.remarks
    );
}
