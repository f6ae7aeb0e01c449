//! Backfills from the Parquet of export jobs.

use foretide_api::ingestion::v1::{BackfillState, PlanBackfillRequest};
use foretide_domain::{Measure, SentinelTable};
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParquetWriter, Series, TimeUnit, df,
};
use tonic::Code;

use super::request;
use crate::world::{World, at, exported};

const LATER: &str = "2026-12-01T00:00:00Z";

/// What a job has written of an hour: failed sign-ins, each at its own second.
fn sign_ins(hour: &str, count: u32) -> DataFrame {
    let start = at(hour).timestamp_millis();
    let times: Vec<i64> = (0..i64::from(count)).map(|at| start + at * 1000).collect();
    let count = times.len();
    let addresses: Vec<String> = (0..count)
        .map(|at| format!("198.51.100.{}", at % 7))
        .collect();
    let times = Series::new("TimeGenerated".into(), times)
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
        .unwrap();
    let columns: Vec<Column> = vec![
        times.into_column(),
        Series::new("ResultType".into(), vec!["50126"; count]).into_column(),
        Series::new("IPAddress".into(), addresses).into_column(),
        Series::new(
            "UserPrincipalName".into(),
            vec!["ada@contoso.example"; count],
        )
        .into_column(),
    ];
    DataFrame::new(count, columns).unwrap()
}

fn parquet(mut frame: DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

fn written(day: &str, hour: u32) -> String {
    format!("workspaceId/w/jobId/4f0c/timestamp={day}T{hour:02}/part-0.parquet")
}

async fn world_of_a_job() -> World {
    World::with(|files| {
        let job = "4f0c".to_owned();
        files.export_jobs.insert(job, SentinelTable::SigninLogs);
    })
    .await
}

#[tokio::test]
async fn a_job_is_counted_as_every_export_is_and_one_damaged_file_is_retried_alone() {
    let world = world_of_a_job().await;
    for (day, count) in [("2026-11-18", 3), ("2026-11-19", 5), ("2026-11-20", 7)] {
        let frame = sign_ins(&format!("{day}T09:00:00Z"), count);
        world.write(&written(day, 9), parquet(frame));
    }
    let whole = parquet(sign_ins("2026-11-19T10:00:00Z", 40));
    world.write(&written("2026-11-19", 10), &whole[..whole.len() - 30]);
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let table = &quote.tables[0];
    assert_eq!((table.days, table.parts), (3, 3));
    assert!(table.expected_rows.unwrap() >= 15, "{table:?}");
    let id = quote.backfill_id;
    world.begin(&id, None).await.unwrap();
    let failed = world.at_rest(&id).await;
    assert_eq!(failed.state(), BackfillState::Failed);
    assert_eq!(failed.failed_parts.len(), 1);
    let part = &failed.failed_parts[0];
    assert_eq!((part.source.as_str(), part.attempts), ("export_job", 1));
    assert!(
        part.error.contains("timestamp=2026-11-19T10"),
        "{}",
        part.error
    );
    assert!(part.error.contains("broken_object"), "{}", part.error);
    // the sound file of that day counts, and so do the other days
    assert_eq!(world.count(Measure::FailedLogins, LATER).await, 15.0);

    world.write(&written("2026-11-19", 10), &whole);
    world.retry(&id).await.unwrap();
    let done = world.at_rest(&id).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(world.count(Measure::FailedLogins, LATER).await, 55.0);
    let progress = done.progress.unwrap();
    assert_eq!((progress.parts_done, progress.rows_duplicate), (3, 0));
    let daily = world.buckets(Measure::UniqueSourceIpsDaily, LATER).await;
    let daily: Vec<f64> = daily.iter().map(|row| row.value).collect();
    assert_eq!(daily, [3.0, 7.0, 7.0]);
    for (path, _) in world.lake().await {
        let lake = &world.context.ctx.lake;
        let frame = lake.read_frame(&path, None).await.unwrap();
        let shown = format!("{:?}", frame.columns());
        assert!(
            !shown.contains("198.51") && !shown.contains("ada@"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn columns_that_were_not_exported_and_times_that_are_none_are_named() {
    let world = world_of_a_job().await;
    let mut projected = sign_ins("2026-11-20T09:00:00Z", 3);
    projected.drop_in_place("ResultType").unwrap();
    world.write(&written("2026-11-20", 9), parquet(projected));
    let numbers =
        df!("TimeGenerated" => [true], "ResultType" => ["0"], "IPAddress" => ["::1"]).unwrap();
    world.write(&written("2026-11-19", 9), parquet(numbers));
    world.write(
        &written("2026-11-18", 9),
        parquet(sign_ins("2026-11-18T09:00:00Z", 2)),
    );
    let failed = world.filled(request("2026-11-01", "2026-11-23")).await;
    let errors: Vec<&str> = failed
        .failed_parts
        .iter()
        .map(|part| part.error.as_str())
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].contains("has not exported ResultType"),
        "{errors:?}"
    );
    assert!(
        errors[1].contains("TimeGenerated is bool, not a time"),
        "{errors:?}"
    );
    assert_eq!(world.count(Measure::FailedLogins, LATER).await, 2.0);
}

#[tokio::test]
async fn a_job_whose_table_nobody_has_named_is_told_of() {
    let world = World::new().await;
    world.write(
        &written("2026-11-20", 9),
        parquet(sign_ins("2026-11-20T09:00:00Z", 3)),
    );
    world.write("am-usage/x.json", "{}\n");
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let remarks = quote.quote.unwrap().remarks;
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    assert!(remarks[0].contains("export job 4f0c"), "{remarks:?}");
}

#[tokio::test]
async fn a_day_that_is_there_in_two_exports_is_read_from_one() {
    let world = world_of_a_job().await;
    world.write(
        &written("2026-11-20", 9),
        parquet(sign_ins("2026-11-20T09:00:00Z", 3)),
    );
    let row = "{\"TimeGenerated\":\"2026-11-20T09:00:00Z\",\"ResultType\":\"50126\",\"IPAddress\":\"198.51.100.1\"}\n";
    world.write(&exported("signinlogs", "y=2026/m=11/d=20/h=09/m=00"), row);
    let both = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap_err();
    assert_eq!(both.code(), Code::InvalidArgument);
    assert!(
        both.message().contains("SigninLogs of 2026-11-20"),
        "{both}"
    );
    let one = PlanBackfillRequest {
        source: "export_job".to_owned(),
        ..request("2026-11-01", "2026-11-23")
    };
    let done = world.filled(one).await;
    assert_eq!(done.state(), BackfillState::Done);
    assert_eq!(world.count(Measure::FailedLogins, LATER).await, 3.0);
}
