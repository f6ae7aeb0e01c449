//! What a person downloads from the portal or saves from a spreadsheet, in any locale: read right, or
//! refused as a whole with the reason.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{Measure, RunId};
use foretide_ingestion::config::DateOrder;
use tonic::Code;

use crate::files::gzip;
use crate::world::{World, at};

const NOW: &str = "2026-11-25T00:00:00Z";
const FILE: &str = "SecurityIncident.csv";
const PORTAL: [(&str, &str); 7] = [
    ("de-DE", include_str!("../inputs/portal-de-DE.csv")),
    ("en-AU", include_str!("../inputs/portal-en-AU.csv")),
    ("en-GB", include_str!("../inputs/portal-en-GB.csv")),
    ("en-US", include_str!("../inputs/portal-en-US.csv")),
    ("excel", include_str!("../inputs/portal-excel.csv")),
    ("ja-JP", include_str!("../inputs/portal-ja-JP.csv")),
    ("sv-SE", include_str!("../inputs/portal-sv-SE.csv")),
];

/// Incidents come every 13 hours from 2026-11-03 09:00 on; each file has 40.
fn expected() -> Vec<DateTime<Utc>> {
    let first = at("2026-11-03T09:00:00Z");
    (0..40)
        .map(|at| first + TimeDelta::hours(13) * at)
        .collect()
}

async fn hours(world: &World) -> Vec<DateTime<Utc>> {
    let buckets = world.buckets(Measure::Incidents, NOW).await;
    let mut hours: Vec<_> = buckets
        .iter()
        .filter(|bucket| bucket.value > 0.0)
        .map(|bucket| bucket.event_time)
        .collect();
    hours.sort_unstable();
    hours
}

/// Rows whose created and logged time is as given.
fn rows(times: &[&str]) -> String {
    let mut text = "TimeGenerated,IncidentName,Severity,CreatedTime\n".to_owned();
    for (at, time) in times.iter().enumerate() {
        text.push_str(&format!("\"{time}\",i{at},High,\"{time}\"\n"));
    }
    text
}

#[tokio::test]
async fn every_locales_export_is_read_to_the_hour() {
    for (locale, content) in PORTAL {
        let world = World::new().await;
        world.write(FILE, content);
        let summary = world.ingest(NOW).await;
        let incidents = &summary["SecurityIncident"];
        assert_eq!(incidents.rows_read, 40, "{locale}");
        assert_eq!(incidents.rows_quarantined, 0, "{locale}");
        assert_eq!(hours(&world).await, expected(), "{locale}");
    }
}

#[tokio::test]
async fn an_export_is_read_to_the_hour_when_it_is_packed() {
    let world = World::new().await;
    world.write("SecurityIncident.csv.gz", gzip(PORTAL[1].1));
    world.ingest(NOW).await;
    assert_eq!(hours(&world).await, expected());
}

#[tokio::test]
async fn dates_that_may_be_meant_either_way_are_refused_with_the_option_to_give() {
    let unclear = rows(&["3/11/2026, 9:00:00 am", "4/11/2026, 10:00:00 pm"]);
    let world = World::new().await;
    world.write(FILE, &unclear);
    let refusal = world.try_ingest(RunId::new(), at(NOW), &[]).await;
    let refusal = refusal.expect_err("nothing could be read");
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    for word in [
        FILE,
        "3/11/2026, 9:00:00 am",
        "ingestion.files.date_order",
        "day_first or month_first",
    ] {
        assert!(refusal.message().contains(word), "{word}: {refusal}");
    }
    assert_eq!(world.reasons("SecurityIncident").await["unclear_dates"], 1);
    assert!(hours(&world).await.is_empty());

    for (order, days) in [
        (DateOrder::DayFirst, [3, 4]),
        (DateOrder::MonthFirst, [0; 2]),
    ] {
        let world = World::with(|files| files.date_order = Some(order)).await;
        world.write(FILE, &unclear);
        world.ingest(NOW).await;
        let read: Vec<u32> = hours(&world)
            .await
            .iter()
            .map(chrono::Datelike::day)
            .collect();
        let expected: Vec<u32> = days.into_iter().filter(|day| *day > 0).collect();
        assert_eq!(read, expected, "{order:?}");
    }
}

#[tokio::test]
async fn a_date_past_the_twelfth_tells_the_order_of_the_whole_file_whatever_is_configured() {
    for (times, days) in [
        (["3/11/2026 9:00", "13/11/2026 9:00"], [3, 13]),
        (["11/3/2026 9:00", "11/13/2026 9:00"], [3, 13]),
    ] {
        let world = World::with(|files| files.date_order = Some(DateOrder::MonthFirst)).await;
        world.write(FILE, rows(&times));
        world.ingest(NOW).await;
        let hours = hours(&world).await;
        let read: Vec<u32> = hours.iter().map(chrono::Datelike::day).collect();
        assert_eq!(read, days, "{times:?}");
    }
}

#[tokio::test]
async fn an_export_with_both_orders_or_with_no_time_at_all_is_refused_as_a_whole() {
    for (content, reason, word) in [
        (
            rows(&["13/11/2026 9:00", "11/14/2026 9:00"]),
            "unclear_dates",
            "13/11/2026 9:00",
        ),
        (rows(&["last week", "on Monday"]), "bad_time", "last week"),
        (
            rows(&["2026-11-03T09:00:00Z"]).replace("TimeGenerated", "TimeGenerated [Local Time]"),
            "bad_time",
            "time zone to UTC",
        ),
    ] {
        let world = World::new().await;
        world.write(FILE, content);
        let refusal = world.try_ingest(RunId::new(), at(NOW), &[]).await;
        let refusal = refusal.expect_err("nothing could be read");
        assert!(refusal.message().contains(word), "{refusal}");
        assert_eq!(world.reasons("SecurityIncident").await[reason], 1);
        assert!(hours(&world).await.is_empty());
    }
}

#[tokio::test]
async fn a_refused_file_is_named_by_every_run_and_read_once_it_is_exported_anew() {
    let world = World::new().await;
    world.write(
        "SecurityAlert.csv",
        "TimeGenerated,SystemAlertId,AlertSeverity\n2026-11-20T09:00:00Z,a,High\n",
    );
    world.write(FILE, rows(&["3/11/2026 9:00"]));
    for _ in 0..2 {
        let summary = world.ingest(NOW).await;
        let incidents = &summary["SecurityIncident"];
        assert!(incidents.error.contains("unclear_dates"), "{incidents:?}");
        assert_eq!(incidents.objects_damaged, 1);
        assert!(summary["SecurityAlert"].error.is_empty());
    }
    assert_eq!(world.reasons("SecurityIncident").await["unclear_dates"], 1);
    world.write(FILE, rows(&["3/11/2026 9:00", "24/11/2026 9:00"]));
    let summary = world.ingest(NOW).await;
    assert_eq!(summary["SecurityIncident"].error, "");
    assert_eq!(hours(&world).await.len(), 2);
}

#[tokio::test]
async fn columns_may_name_their_zone() {
    let world = World::new().await;
    let content = rows(&["2026-11-03T09:00:00Z"])
        .replace("TimeGenerated", "TimeGenerated [UTC]")
        .replace("CreatedTime", "CreatedTime [UTC]");
    world.write(FILE, content);
    world.ingest(NOW).await;
    assert_eq!(hours(&world).await, expected()[..1]);
}

#[tokio::test]
async fn an_empty_or_wrong_folder_says_so_and_names_what_is_there() {
    let world = World::new().await;
    let empty = world.try_ingest(RunId::new(), at(NOW), &[]).await;
    let empty = empty.expect_err("an empty folder");
    assert_eq!(empty.code(), Code::FailedPrecondition);
    assert!(empty.message().contains("0 objects under"), "{empty}");
    assert!(empty.message().contains("input"), "{empty}");
    world.write("query_data.csv", PORTAL[0].1);
    let stray = world.try_ingest(RunId::new(), at(NOW), &[]).await;
    let stray = stray.expect_err("a folder of other files");
    for word in [
        "0 objects under",
        "query_data.csv",
        "ingestion.files.mappings",
    ] {
        assert!(stray.message().contains(word), "{word}: {stray}");
    }
    // with a history the run goes on
    world.write(FILE, PORTAL[0].1);
    world.ingest(NOW).await;
    std::fs::remove_file(world.path(FILE)).unwrap();
    world.ingest(NOW).await;
}
