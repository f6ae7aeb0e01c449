//! Backfills from data export blobs and plain files.

use std::fs::File;
use std::io::Write;
use std::time::SystemTime;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_api::ingestion::v1::BackfillState;
use foretide_domain::Measure;

use super::{NOW, request};
use crate::world::{Incident, World, at, exported};

/// Five minutes of an export, an incident each, on so many days before the 23rd.
fn export_days(world: &World, days: i64) {
    for day in 0..days {
        let number = u32::try_from(day).unwrap();
        let minutes = (2 - day) * 1440 + 545;
        let incident = Incident::new(number, minutes, "High");
        world.append(
            &exported("securityincident", &folder(day)),
            &incident.line(),
        );
    }
}

/// The folder of 09:05 so many days before the 22nd.
fn folder(days_before: i64) -> String {
    let day = (at("2026-11-22T00:00:00Z") - TimeDelta::days(days_before)).date_naive();
    format!("{}/h=09/m=05", day.format("y=%Y/m=%m/d=%d"))
}

#[tokio::test]
async fn a_quote_tells_what_there_is_and_reads_nothing() {
    let world = World::new().await;
    export_days(&world, 5);
    world.write(
        "SecurityIncident/old.ndjson",
        Incident::new(90, 5, "Low").line(),
    );
    let quote = world
        .plan(request("2026-11-19", "2026-11-23"))
        .await
        .unwrap();
    assert_eq!(quote.state(), BackfillState::Quoted);
    let figures = quote.quote.clone().unwrap();
    let line = Incident::new(0, 0, "High").line().len() as u64;
    assert_eq!((figures.parts, figures.queries), (5, 0));
    assert_eq!(figures.rows, Some(5));
    assert!(
        figures.bytes.unwrap().abs_diff(5 * line) < 10,
        "{figures:?}"
    );
    assert!(figures.seconds > 0.0 && !figures.is_measured);
    assert_eq!((figures.beyond_budget.as_str(), figures.price), ("", 0.0));
    let table = &quote.tables[0];
    assert_eq!(table.table, "SecurityIncident");
    // four days of the export, and a file whose path tells no day
    assert_eq!((table.days, table.parts), (4, 5));
    assert!(world.lake().await.is_empty());
    assert!(world.watermarks().await.is_empty());
}

#[tokio::test]
async fn every_day_is_read_once_and_the_next_quote_knows_the_rate() {
    let world = World::new().await;
    export_days(&world, 6);
    let done = world.filled(request("2026-11-19", "2026-11-23")).await;
    assert_eq!(done.state(), BackfillState::Done);
    let progress = done.progress.unwrap();
    assert_eq!((progress.parts_done, progress.parts_left), (4, 0));
    assert_eq!((progress.rows, progress.rows_duplicate), (4, 0));
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        4.0
    );
    // a run reads the two days that are left, and nothing twice
    let summary = world.ingest("2026-11-23T01:00:00Z").await;
    assert_eq!(summary["SecurityIncident"].rows_read, 2);
    assert_eq!(summary["SecurityIncident"].rows_duplicate, 0);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        6.0
    );
    // nothing is left to quote, until something comes in late
    let nothing = world.plan(request("2026-11-19", "2026-11-23")).await;
    assert!(nothing.unwrap_err().message().contains("nothing to read"));
    world.append(
        &exported("securityincident", &folder(2)),
        &Incident::new(70, 546, "Low").line(),
    );
    let quote = world
        .plan(request("2026-11-19", "2026-11-23"))
        .await
        .unwrap();
    let figures = quote.quote.unwrap();
    assert_eq!((figures.parts, figures.rows), (1, Some(1)));
}

#[tokio::test]
async fn what_is_appended_and_what_begins_a_second_blob_is_read_with_its_day() {
    let world = World::new().await;
    export_days(&world, 3);
    let quote = world
        .plan(request("2026-11-20", "2026-11-23"))
        .await
        .unwrap();
    // after the quote: a late row, a repeated one, and a blob after 50,000 appends
    let path = exported("securityincident", &folder(1));
    let minutes = 1440 + 546;
    world.append(&path, &Incident::new(50, minutes, "Low").line());
    world.append(&path, &Incident::new(50, minutes, "Low").line());
    let second = path.replace("PT05M.json", "PT05M_1.json");
    world.append(&second, &Incident::new(51, minutes, "Low").line());
    world.begin(&quote.backfill_id, None).await.unwrap();
    let done = world.at_rest(&quote.backfill_id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        5.0
    );
    assert_eq!(done.progress.unwrap().rows_duplicate, 1);
}

#[tokio::test]
async fn a_service_that_ends_in_between_goes_on_where_it_was() {
    let mut world = World::new().await;
    export_days(&world, 20);
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let id = quote.backfill_id;
    world.begin(&id, None).await.unwrap();
    world.restart().await;
    world.restart().await;
    let done = world.at_rest(&id).await;
    assert_eq!(done.state(), BackfillState::Done);
    let progress = done.progress.unwrap();
    assert_eq!((progress.parts_done, progress.rows), (20, 20));
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        20.0
    );
}

#[tokio::test]
async fn paused_it_begins_nothing_and_resumed_it_ends() {
    let world = World::new().await;
    export_days(&world, 20);
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let id = quote.backfill_id;
    world.begin(&id, None).await.unwrap();
    let paused = world.pause(&id).await.unwrap();
    assert_eq!(paused.state(), BackfillState::Paused);
    // the part that was being read may end; none is begun after it
    let left = paused.progress.unwrap().parts_left;
    world.ingest("2026-11-10T00:00:00Z").await;
    let still = world.backfill(&id).await.unwrap().progress.unwrap();
    assert!(left - still.parts_left <= 1, "{left} {}", still.parts_left);
    world.resume(&id, None).await.unwrap();
    let done = world.at_rest(&id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        20.0
    );
}

#[tokio::test]
async fn a_line_that_is_cut_off_fails_its_part_until_it_is_whole() {
    let world = World::new().await;
    let path = "SecurityIncident.ndjson";
    let whole = Incident::new(1, 545, "High").line();
    let (head, tail) = Incident::new(2, 546, "High")
        .line()
        .split_at_checked(100)
        .map(|(head, tail)| (head.to_owned(), tail.to_owned()))
        .unwrap();
    world.write(path, format!("{whole}{head}"));
    let settle = || {
        let modified = at(NOW) - TimeDelta::hours(5);
        let file = File::options().write(true).open(world.path(path)).unwrap();
        file.set_modified(SystemTime::from(modified)).unwrap();
    };
    settle();
    let failed = world.filled(request("2026-11-19", "2026-11-23")).await;
    assert_eq!(failed.state(), BackfillState::Failed);
    let part = &failed.failed_parts[0];
    assert_eq!(part.object, path);
    assert!(part.error.contains("line 2 is cut off"), "{}", part.error);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        1.0
    );
    // again without a repair: the same, and nothing is written down twice
    let id = failed.backfill_id;
    world.retry(&id).await.unwrap();
    let again = world.at_rest(&id).await;
    assert_eq!(again.failed_parts[0].error, failed.failed_parts[0].error);
    assert_eq!(world.quarantine("SecurityIncident").await.len(), 1);

    world.append(path, &tail);
    settle();
    world.retry(&id).await.unwrap();
    assert_eq!(world.at_rest(&id).await.state(), BackfillState::Done);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        2.0
    );
}

#[tokio::test]
async fn a_damaged_archive_fails_alone_and_is_read_whole_once_it_is_repaired() {
    let world = World::new().await;
    let lines: String = (0..400)
        .map(|number| Incident::new(number, i64::from(number), "High").line())
        .collect();
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(lines.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    world.write("SecurityIncident/a.json.gz", &packed[..packed.len() / 2]);
    world.write(
        "SecurityIncident/b.ndjson",
        Incident::new(1000, 1, "Low").line(),
    );
    let failed = world.filled(request("2026-11-19", "2026-11-23")).await;
    assert_eq!(failed.state(), BackfillState::Failed);
    let progress = failed.progress.unwrap();
    assert_eq!((progress.parts_done, progress.parts_failed), (1, 1));
    let error = &failed.failed_parts[0].error;
    assert!(error.contains("a.json.gz: broken_object"), "{error}");
    // larger than what was refused: it must not be taken for one that has grown
    world.write("SecurityIncident/a.json.gz", &packed);
    world.retry(&failed.backfill_id).await.unwrap();
    let done = world.at_rest(&failed.backfill_id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(
        world
            .count(Measure::Incidents, "2026-12-01T00:00:00Z")
            .await,
        401.0
    );
}
