//! Killed at any point and run again, a run ends the same.

use std::fs;

use foretide_domain::{Measure, RunId};
use foretide_lake::buckets::BucketRow;

use crate::world::{Incident, Summary, World, at};

const NOW: &str = "2026-11-21T00:00:00Z";
const MEASURES: [Measure; 2] = [Measure::Incidents, Measure::IncidentsClosed];

async fn world_with_incidents() -> World {
    let world = World::new().await;
    let lines: String = (0..40)
        .map(|number| {
            Incident::new(number, i64::from(number) * 30, "High")
                .logged(i64::from(number) * 30 + 5)
                .closed(i64::from(number) * 30 + 4)
                .line()
        })
        .collect();
    world.write("SecurityIncident.ndjson", lines);
    world
}

async fn all_buckets(world: &World) -> Vec<Vec<BucketRow>> {
    let mut all = Vec::new();
    for measure in MEASURES {
        all.push(world.buckets(measure, NOW).await);
    }
    all
}

async fn run(world: &World, run_id: RunId) -> Summary {
    world
        .try_ingest(run_id, at(NOW), &["SecurityIncident"])
        .await
        .unwrap()
}

/// What an undisturbed run gives.
async fn undisturbed() -> (Vec<Vec<BucketRow>>, u64) {
    let world = world_with_incidents().await;
    let summary = run(&world, RunId::new()).await;
    (
        all_buckets(&world).await,
        summary["SecurityIncident"].rows_read,
    )
}

/// Runs into the obstacle, removes it, and runs again, once as the same run and once as another.
async fn survives(obstruct: impl AsyncFn(&World), clear: impl AsyncFn(&World)) {
    let expected = undisturbed().await;
    for same_run in [true, false] {
        let mut world = world_with_incidents().await;
        let first = RunId::new();
        obstruct(&world).await;
        let summary = run(&world, first).await;
        assert_ne!(
            summary["SecurityIncident"].error, "",
            "the obstacle must be hit"
        );
        assert!(
            world.watermarks().await.is_empty(),
            "a failed run leaves no mark"
        );
        clear(&world).await;
        world.restart().await;
        let second = if same_run { first } else { RunId::new() };
        let summary = run(&world, second).await;
        assert_eq!(summary["SecurityIncident"].error, "");
        assert_eq!(
            (
                all_buckets(&world).await,
                summary["SecurityIncident"].rows_read
            ),
            expected
        );
        assert_eq!(summary["SecurityIncident"].rows_duplicate, 0);
        let again = run(&world, RunId::new()).await;
        assert_eq!(again["SecurityIncident"].rows_read, 0);
    }
}

async fn block(world: &World, path: &str) {
    let path = world.folder().path().join("lake").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "in the way").unwrap();
}

async fn unblock(world: &World, path: &str) {
    fs::remove_file(world.folder().path().join("lake").join(path)).unwrap();
}

#[tokio::test]
async fn before_the_first_event_file() {
    survives(
        async |world| block(world, "events").await,
        async |world| unblock(world, "events").await,
    )
    .await;
}

#[tokio::test]
async fn between_two_event_files() {
    let path = "events/counted-incidents";
    survives(
        async |world| block(world, path).await,
        async |world| unblock(world, path).await,
    )
    .await;
}

#[tokio::test]
async fn between_events_and_buckets() {
    survives(
        async |world| block(world, "buckets").await,
        async |world| unblock(world, "buckets").await,
    )
    .await;
}

#[tokio::test]
async fn between_two_bucket_files() {
    let path = "buckets/incidents_closed";
    survives(
        async |world| block(world, path).await,
        async |world| unblock(world, path).await,
    )
    .await;
}

async fn statement(world: &World, sql: &str) {
    use foretide_db::Database;
    use sea_orm::ConnectionTrait;
    let database = Database::connect(&world.context.ctx.database, "ingestion")
        .await
        .unwrap();
    database.connection().execute_unprepared(sql).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn at_every_statement_of_the_ledger() {
    for table in ["source_object", "event_file", "table_state"] {
        let make = format!(
            "CREATE TRIGGER boom BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'killed'); END"
        );
        survives(
            async |world| statement(world, &make).await,
            async |world| statement(world, "DROP TRIGGER boom").await,
        )
        .await;
    }
}

#[tokio::test]
async fn what_arrives_between_the_crash_and_the_repetition_is_read_too() {
    let mut world = world_with_incidents().await;
    let run_id = RunId::new();
    block(&world, "buckets").await;
    run(&world, run_id).await;
    unblock(&world, "buckets").await;
    world.append(
        "SecurityIncident.ndjson",
        &Incident::new(100, 10, "Low").line(),
    );
    world.restart().await;
    run(&world, run_id).await;
    assert_eq!(world.count(Measure::Incidents, NOW).await, 41.0);
}
