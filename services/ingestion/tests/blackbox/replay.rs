//! A recorded workspace replayed on a simulated clock.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{Measure, RunId, SentinelTable, TimeSpan, floor_hour};
use foretide_synthetic_workspace::{Plan, Workspace, append_arrivals, write_export};
use serde_json::Value;

use crate::world::{Incident, World, at};

#[tokio::test]
async fn rows_wait_until_they_are_due_whatever_their_order() {
    let world = World::new().await;
    let order = [50, 10, 90, 30, 70];
    let lines: String = order
        .iter()
        .map(|minutes| Incident::new(u32::try_from(*minutes).unwrap(), *minutes, "High").line())
        .collect();
    world.write("SecurityIncident.ndjson", lines);
    for (as_of, read) in [
        ("2026-11-20T00:35:00Z", 2),
        ("2026-11-20T00:55:00Z", 1),
        ("2026-11-20T00:56:00Z", 0),
        ("2026-11-20T03:00:00Z", 2),
    ] {
        let summary = world.ingest(as_of).await;
        let incidents = &summary["SecurityIncident"];
        assert_eq!(
            (incidents.rows_read, incidents.rows_duplicate),
            (read, 0),
            "{as_of}"
        );
    }
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T00:40:00Z")
            .await,
        2.0
    );
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-11-20T03:00:00Z")
            .await,
        5.0
    );
}

fn small_plan() -> Plan {
    Plan {
        history_days: 4,
        replay_days: 2,
        volume: 0.4,
        ..Plan::contoso(7, "2026-11-02".parse().unwrap())
    }
}

/// Incidents by hour, counted from the rows by another way than the service's.
fn counted_by_hand(workspace: &Workspace, as_of: DateTime<Utc>) -> BTreeMap<DateTime<Utc>, f64> {
    let mut incidents: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    for row in workspace.rows(SentinelTable::SecurityIncident) {
        let Ok(value) = serde_json::from_str::<Value>(&row.line) else {
            continue;
        };
        let time = |name: &str| {
            value[name]
                .as_str()
                .and_then(|text| text.parse::<DateTime<Utc>>().ok())
        };
        if time("TimeGenerated").is_none() || row.arrived_at > as_of {
            continue;
        }
        incidents.insert(
            value["IncidentName"].as_str().unwrap().to_owned(),
            time("CreatedTime").unwrap(),
        );
    }
    let mut hours = BTreeMap::new();
    for created in incidents.values() {
        *hours.entry(floor_hour(*created)).or_default() += 1.0;
    }
    hours
}

async fn by_hour(
    world: &World,
    span: TimeSpan,
    as_of: DateTime<Utc>,
) -> BTreeMap<DateTime<Utc>, f64> {
    let mut hours = BTreeMap::new();
    for row in world.buckets_in(Measure::Incidents, span, as_of).await {
        *hours.entry(row.event_time).or_default() += row.value;
    }
    hours
}

#[tokio::test]
async fn a_synthetic_workspace_replays_to_the_counts_made_by_hand() {
    let world = World::new().await;
    let workspace = Workspace::generate(&small_plan()).unwrap();
    write_export(&workspace, &world.path(""), &mut |_| {}).unwrap();
    let end = workspace.span().end + TimeDelta::days(2);
    let mut as_of = small_plan().replay_start();
    while as_of <= end {
        let summary = world.try_ingest(RunId::new(), as_of, &[]).await.unwrap();
        assert!(
            summary.values().all(|table| table.error.is_empty()),
            "{summary:?}"
        );
        assert_eq!(
            by_hour(&world, workspace.span(), as_of).await,
            counted_by_hand(&workspace, as_of),
            "{as_of}"
        );
        as_of += TimeDelta::hours(6);
    }
    // every row was either counted, a repetition, or refused with a reason
    let total: u64 = world
        .watermarks()
        .await
        .iter()
        .map(|table| table.rows_total)
        .sum();
    assert_eq!(total, workspace.row_count() as u64);
    let refused: usize = world.quarantine("").await.len();
    assert!(refused > 0, "the synthetic workspace has broken rows");
}

#[tokio::test]
async fn a_file_that_grows_and_one_that_is_there_at_once_give_the_same() {
    let workspace = Workspace::generate(&small_plan()).unwrap();
    let (span, growing, whole) = (workspace.span(), World::new().await, World::new().await);
    let end = span.end + TimeDelta::days(2);
    let mut from = DateTime::<Utc>::MIN_UTC;
    let mut as_of = span.start + TimeDelta::days(1);
    write_export(&workspace, &whole.path(""), &mut |_| {}).unwrap();
    while as_of <= end {
        let arrivals = TimeSpan::new(from, as_of + TimeDelta::milliseconds(1)).unwrap();
        append_arrivals(&workspace, &growing.path(""), arrivals).unwrap();
        from = arrivals.end;
        for world in [&growing, &whole] {
            world.try_ingest(RunId::new(), as_of, &[]).await.unwrap();
        }
        for measure in Measure::ALL {
            let (one, two) = (
                growing.buckets_in(measure, span, as_of).await,
                whole.buckets_in(measure, span, as_of).await,
            );
            assert_eq!(one, two, "{measure} as of {as_of}");
        }
        as_of += TimeDelta::days(1);
    }
    let days: BTreeSet<_> = growing
        .lake()
        .await
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert!(
        days.iter()
            .any(|path| path.starts_with("buckets/unique_attacker_ips/"))
    );
}

#[tokio::test]
async fn an_earlier_moment_sees_what_was_known_then() {
    let world = World::new().await;
    world.write(
        "SecurityIncident.ndjson",
        Incident::new(1, 10, "Low").line() + &Incident::new(1, 10, "High").logged(500).line(),
    );
    world.ingest("2026-11-20T01:00:00Z").await;
    world.ingest("2026-11-20T12:00:00Z").await;
    let severity = async |known_at: &str| {
        world.buckets(Measure::Incidents, known_at).await[0]
            .severity
            .clone()
    };
    assert_eq!(severity("2026-11-20T01:00:00Z").await, "Low");
    assert_eq!(severity("2026-11-20T12:00:00Z").await, "High");
    assert!(
        world
            .buckets(Measure::Incidents, "2026-11-20T00:59:59Z")
            .await
            .is_empty()
    );
    assert_eq!(
        world.watermarks().await[0]
            .event_time
            .unwrap()
            .to_moment()
            .unwrap(),
        at("2026-11-20T08:20:00Z")
    );
}
