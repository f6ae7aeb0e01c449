//! The Log Analytics source against a workspace that is faked on loopback.

use std::sync::Arc;

use chrono::TimeDelta;
use foretide_db::DatabaseConfig;
use foretide_domain::{Measure, SentinelTable};
use foretide_ingestion::Config;
use foretide_lake::arrivals::ArrivalStore;
use foretide_service_runtime::testing::TestContext;
use foretide_test_support::{Postgres, or_skip};
use serde_json::{Value, json};

use crate::workspace::{Fault, IncidentRow, SignInRow, Workspace, reading};
use crate::world::{World, at};

const NOON: &str = "2026-11-20T12:00:00Z";

fn incident(name: u32, created: &str, severity: &'static str) -> IncidentRow {
    let created = at(created);
    IncidentRow {
        name,
        created,
        closed: None,
        severity,
        generated: created,
        ingested: created + TimeDelta::minutes(3),
    }
}

fn workspace_with_incidents() -> Arc<Workspace> {
    let workspace = Arc::new(Workspace::default());
    let mut rows = workspace.rows();
    rows.now = at("2026-12-31T00:00:00Z");
    rows.incidents = vec![
        incident(1, "2026-11-12T10:20:00Z", "High"),
        incident(2, "2026-11-19T10:20:00Z", "High"),
        incident(3, "2026-11-20T11:10:00Z", "Low"),
    ];
    drop(rows);
    workspace
}

async fn world_of(workspace: &Arc<Workspace>, change: &Value) -> World {
    let context = TestContext::new("ingestion", at("2026-11-23T00:00:00Z"), &[]);
    world_in(context, workspace, change).await
}

async fn world_in(context: TestContext, workspace: &Arc<Workspace>, change: &Value) -> World {
    let config = Config {
        tables: vec![SentinelTable::SecurityIncident, SentinelTable::SigninLogs],
        log_analytics: Some(reading(workspace, change).await),
        state_folder: Some(context.folder.path().join("state")),
        ..Config::default()
    };
    World::start(context, config).await
}

#[tokio::test]
async fn counts_become_buckets_and_only_changed_days_are_written_again() {
    let workspace = workspace_with_incidents();
    let world = world_of(&workspace, &json!({})).await;
    let summary = world.ingest(NOON).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(summary["SecurityIncident"].buckets_written, 3);
    assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
    let buckets = async || {
        let objects = world.lake().await.into_iter();
        objects
            .filter(|(path, _)| path.starts_with("buckets/"))
            .count()
    };
    let before = buckets().await;
    world.ingest("2026-11-20T13:00:00Z").await;
    assert_eq!(buckets().await, before);
    // comes in nine days late, and another changes its severity
    let late = IncidentRow {
        ingested: at("2026-11-20T13:30:00Z"),
        ..incident(4, "2026-11-11T08:00:00Z", "Low")
    };
    let raised = IncidentRow {
        generated: at("2026-11-20T13:20:00Z"),
        ingested: at("2026-11-20T13:25:00Z"),
        ..incident(2, "2026-11-19T10:20:00Z", "Low")
    };
    workspace.rows().incidents.extend([late, raised]);
    workspace.rows().asked.clear();
    world.ingest("2026-11-20T14:00:00Z").await;
    assert_eq!(buckets().await, before + 2);
    let asked = workspace.rows().asked.clone();
    let counts = asked.iter().filter(|name| *name == "counts/incidents");
    assert_eq!(counts.count(), 2, "only the days touched: {asked:?}");
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T13:00:00Z")
            .await,
        3.0
    );
    assert_eq!(
        world
            .buckets(Measure::Incidents, "2026-11-20T14:00:00Z")
            .await,
        workspace.expected(Measure::Incidents, at("2026-11-20T14:00:00Z"))
    );
}

#[tokio::test]
async fn an_incomplete_slow_or_large_answer_is_asked_for_in_halves() {
    for fault in [Fault::Partial, Fault::Slow] {
        let workspace = workspace_with_incidents();
        workspace.rows().faults = [fault, fault, fault].into();
        let world = world_of(&workspace, &json!({})).await;
        let summary = world.ingest(NOON).await;
        assert_eq!(summary["SecurityIncident"].error, "");
        assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
    }
    let workspace = workspace_with_incidents();
    workspace.rows().most_rows = Some(1);
    let world = world_of(&workspace, &json!({})).await;
    let summary = world.ingest(NOON).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
}

#[tokio::test]
async fn a_table_that_is_refused_does_not_stop_the_others_and_is_taken_up_again() {
    let workspace = workspace_with_incidents();
    workspace.rows().faults = [Fault::Refused].into();
    let world = world_of(&workspace, &json!({})).await;
    let summary = world.ingest(NOON).await;
    let error = &summary["SecurityIncident"].error;
    assert!(error.contains("BadArgumentError"), "{error}");
    assert_eq!(summary["SigninLogs"].error, "");
    let watermarks = world.watermarks().await;
    assert!(
        watermarks
            .iter()
            .all(|mark| mark.table != "SecurityIncident")
    );
    let summary = world.ingest(NOON).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
}

#[tokio::test]
async fn what_queries_cost_is_written_down_and_a_spent_budget_ends_them() {
    let workspace = workspace_with_incidents();
    workspace.rows().statistics =
        Some(json!({"query": {"executionTime": 0.5, "dataProcessedKB": 1_000_000}}));
    let cost = json!({"cost": {
        "price_per_gb": {"basic": 0.01},
        "plans": {"SecurityIncident": "basic"},
        "budget": {"gigabytes_a_day": 3.0},
    }});
    let world = world_of(&workspace, &cost).await;
    let summary = world.ingest(NOON).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    let error = &summary["SigninLogs"].error;
    assert!(error.contains("gigabytes_a_day"), "{error}");
    assert_eq!(workspace.rows().asked.len(), 3);
    let report = world.query_costs().await;
    assert_eq!(report.queries.len(), 3);
    let day = report.day.unwrap();
    assert_eq!(day.bytes_scanned, 3 * 1_024_000_000);
    assert!((day.price - 0.03072).abs() < 1e-9, "{}", day.price);
    let newest = &report.queries[0];
    assert_eq!(newest.statement, "newest/SecurityIncident");
    assert_eq!(newest.execution_ms, Some(500));
    assert!(!newest.is_estimated);
    // still over: nothing is asked
    world.ingest("2026-11-20T13:00:00Z").await;
    assert_eq!(workspace.rows().asked.len(), 3);
}

#[tokio::test]
async fn a_table_on_the_basic_plan_is_searched_over_all_that_its_queries_read() {
    let workspace = workspace_with_incidents();
    let plans = json!({"cost": {"plans": {"SecurityIncident": "basic"}}});
    let world = world_of(&workspace, &plans).await;
    let summary = world.ingest(NOON).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
    let rows = workspace.rows();
    let of_incidents = rows
        .asked
        .iter()
        .filter(|name| name.starts_with("counts/incidents") || *name == "newest/SecurityIncident");
    assert_eq!(rows.searched.len(), of_incidents.count());
    assert!(rows.asked.len() > rows.searched.len());
    // ten days of history, a month in which the same thing is told again, a day for clocks
    assert_eq!(
        rows.searched[0],
        "2026-10-10T00:00:00.000Z/2026-11-21T12:00:00.000Z"
    );
}

#[tokio::test]
async fn how_late_rows_come_in_is_learnt() {
    let workspace = workspace_with_incidents();
    {
        let mut rows = workspace.rows();
        for minute in 0..400 {
            let generated = at("2026-11-20T00:00:00Z") + TimeDelta::minutes(minute);
            let lag = if minute % 10 == 0 { 300 } else { 4 };
            rows.sign_ins.push(SignInRow {
                failed: true,
                address: 1,
                generated,
                ingested: generated + TimeDelta::minutes(lag),
            });
        }
    }
    let world = world_of(&workspace, &json!({})).await;
    world.ingest(NOON).await;
    let store = ArrivalStore::new(world.context.ctx.lake.clone());
    let lag = store
        .read(SentinelTable::SigninLogs, at(NOON))
        .await
        .unwrap();
    assert_eq!(
        (lag.quantile(0.5), lag.quantile(0.99)),
        (Some(5), Some(480))
    );
    let hour = at("2026-11-20T11:00:00Z");
    let shares = [12, 14, 20]
        .map(|later| lag.completeness(hour, at("2026-11-20T00:00:00Z") + TimeDelta::hours(later)));
    assert!(shares[0] > 0.8 && shares[0] < 0.95, "{shares:?}");
    assert!(shares[0] < shares[1] && shares[1] < shares[2]);
    let known = world.completeness("2026-11-20T12:00:00Z", 3).await;
    let sign_ins = known.iter().find(|table| table.table == "SigninLogs");
    let sign_ins = sign_ins.unwrap();
    assert_eq!(sign_ins.hours.len(), 3);
    assert!((sign_ins.hours[2].completeness - shares[0]).abs() < 1e-9);
    assert_eq!(sign_ins.p50_minutes, 5);
}

#[tokio::test]
async fn the_ledger_of_queries_serves_on_postgresql_as_well() {
    let Some(postgres) = or_skip(Postgres::start().await).unwrap() else {
        return;
    };
    let mut context = TestContext::new("ingestion", at("2026-11-23T00:00:00Z"), &[]);
    context.ctx.database = DatabaseConfig::new(postgres.url());
    let workspace = workspace_with_incidents();
    workspace.rows().statistics = Some(json!({"query": {"dataProcessedKB": 1_000_000}}));
    let cost = json!({"cost": {"price_per_gb": {"analytics": 0.01}}});
    let world = world_in(context, &workspace, &cost).await;
    assert_eq!(world.query_costs().await.day.unwrap().queries, 0);
    for as_of in [NOON, "2026-11-20T13:00:00Z"] {
        for summary in world.ingest(as_of).await.values() {
            assert_eq!(summary.error, "");
        }
    }
    assert_eq!(world.count(Measure::Incidents, NOON).await, 3.0);
    let spent = world.query_costs().await.month.unwrap();
    let asked = u64::try_from(workspace.rows().asked.len()).unwrap();
    assert_eq!(
        (spent.queries, spent.bytes_scanned),
        (asked, asked * 1_024_000_000)
    );
}
