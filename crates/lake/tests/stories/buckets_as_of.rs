//! A day is written again when more becomes known; readers see what was known at their moment.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use foretide_domain::{Measure, RunId, TimeSpan};
use foretide_lake::buckets::{BucketRow, BucketStore};
use foretide_lake::{Lake, LakeConfig, LakeError};
use proptest::prelude::*;
use tempfile::TempDir;

fn open_buckets() -> (TempDir, BucketStore) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(&LakeConfig::folder(folder.path())).unwrap();
    (folder, BucketStore::new(lake))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day() -> NaiveDate {
    "2026-11-20".parse().unwrap()
}

fn whole_day() -> TimeSpan {
    TimeSpan::new(at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")).unwrap()
}

fn row(hour: i64, value: f64) -> BucketRow {
    BucketRow {
        event_time: at("2026-11-20T00:00:00Z") + TimeDelta::hours(hour),
        severity: "High".to_owned(),
        product: String::new(),
        tactic: String::new(),
        value,
    }
}

#[tokio::test]
async fn the_newest_file_known_by_then_is_read() {
    let (_folder, buckets) = open_buckets();
    let (early, late) = (at("2026-11-20T12:00:00Z"), at("2026-11-21T06:00:00Z"));
    let write =
        |known_at, rows| buckets.write_day(Measure::Incidents, day(), known_at, RunId::new(), rows);
    write(early, vec![row(3, 1.0)]).await.unwrap();
    write(late, vec![row(3, 1.0), row(5, 4.0)]).await.unwrap();

    let read = |known_at| buckets.rows(Measure::Incidents, whole_day(), known_at);
    assert!(
        read(early - TimeDelta::milliseconds(1))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(read(early).await.unwrap(), [row(3, 1.0)]);
    assert_eq!(
        read(late - TimeDelta::milliseconds(1)).await.unwrap(),
        [row(3, 1.0)]
    );
    assert_eq!(read(late).await.unwrap(), [row(3, 1.0), row(5, 4.0)]);
    assert_eq!(
        buckets.days(Measure::Incidents, late).await.unwrap(),
        [day()]
    );
    assert!(
        buckets
            .days(Measure::Alerts, late)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_repeated_run_writes_the_same_file_or_a_further_one() {
    let (_folder, buckets) = open_buckets();
    let (known_at, run_id) = (at("2026-11-21T00:00:00Z"), RunId::new());
    let write = |rows| buckets.write_day(Measure::Incidents, day(), known_at, run_id, rows);
    let first = write(vec![row(3, 1.0)]).await.unwrap();
    assert_eq!(write(vec![row(3, 1.0)]).await.unwrap(), first);
    let more = write(vec![row(3, 2.0)]).await.unwrap();
    assert_ne!(more.path, first.path);
    assert_eq!(
        buckets
            .rows(Measure::Incidents, whole_day(), known_at)
            .await
            .unwrap(),
        [row(3, 2.0)]
    );
}

#[tokio::test]
async fn an_emptied_day_reads_as_empty() {
    let (_folder, buckets) = open_buckets();
    let early = at("2026-11-20T12:00:00Z");
    buckets
        .write_day(
            Measure::Incidents,
            day(),
            early,
            RunId::new(),
            vec![row(3, 1.0)],
        )
        .await
        .unwrap();
    let late = early + TimeDelta::days(1);
    buckets
        .write_day(Measure::Incidents, day(), late, RunId::new(), vec![])
        .await
        .unwrap();
    assert!(
        buckets
            .rows(Measure::Incidents, whole_day(), late)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_span_is_half_open_and_crosses_days() {
    let (_folder, buckets) = open_buckets();
    let known_at = at("2026-11-22T00:00:00Z");
    let next = NaiveDate::succ_opt(&day()).unwrap();
    buckets
        .write_day(
            Measure::Incidents,
            day(),
            known_at,
            RunId::new(),
            vec![row(0, 1.0), row(23, 2.0)],
        )
        .await
        .unwrap();
    buckets
        .write_day(
            Measure::Incidents,
            next,
            known_at,
            RunId::new(),
            vec![row(24, 3.0), row(25, 4.0)],
        )
        .await
        .unwrap();
    let span = TimeSpan::new(at("2026-11-20T01:00:00Z"), at("2026-11-21T01:00:00Z")).unwrap();
    assert_eq!(
        buckets
            .rows(Measure::Incidents, span, known_at)
            .await
            .unwrap(),
        [row(23, 2.0), row(24, 3.0)]
    );
}

#[tokio::test]
async fn rows_that_cannot_be_are_refused() {
    let (_folder, buckets) = open_buckets();
    let bad = [
        vec![row(0, -1.0)],
        vec![row(0, f64::NAN)],
        vec![row(24, 1.0)],
        vec![row(0, 1.0), row(0, 1.0)],
        vec![BucketRow {
            event_time: at("2026-11-20T00:30:00Z"),
            ..row(0, 1.0)
        }],
        vec![BucketRow {
            product: "x".repeat(257),
            ..row(0, 1.0)
        }],
    ];
    for rows in bad {
        let error = buckets
            .write_day(
                Measure::Incidents,
                day(),
                at("2026-11-21T00:00:00Z"),
                RunId::new(),
                rows,
            )
            .await
            .unwrap_err();
        assert!(matches!(error, LakeError::InvalidBucket { .. }), "{error}");
    }
    let daily = vec![row(1, 1.0)];
    assert!(
        buckets
            .write_day(
                Measure::UniqueSourceIpsDaily,
                day(),
                at("2026-11-21T00:00:00Z"),
                RunId::new(),
                daily
            )
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_foreign_parquet_file_is_an_error_and_a_stray_file_is_left_alone() {
    let (folder, buckets) = open_buckets();
    let known_at = at("2026-11-21T00:00:00Z");
    buckets
        .write_day(
            Measure::Incidents,
            day(),
            known_at,
            RunId::new(),
            vec![row(0, 1.0)],
        )
        .await
        .unwrap();
    let day_folder = folder.path().join("buckets/incidents/2026-11-20");
    std::fs::write(day_folder.join("notes.txt"), "x").unwrap();
    assert_eq!(
        buckets
            .rows(Measure::Incidents, whole_day(), known_at)
            .await
            .unwrap()
            .len(),
        1
    );

    let lake = Lake::open(&LakeConfig::folder(folder.path())).unwrap();
    let mut foreign = polars::df!("event_time" => ["x"]).unwrap();
    let path = format!(
        "buckets/incidents/2026-11-20/1800000000000-{}.parquet",
        RunId::new()
    );
    lake.write_frame(&path, &mut foreign).await.unwrap();
    let error = buckets
        .rows(Measure::Incidents, whole_day(), at("2030-01-01T00:00:00Z"))
        .await
        .unwrap_err();
    assert!(matches!(error, LakeError::Corrupt { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is written at growing moments, a reader at any moment sees exactly the last one.
    #[test]
    fn a_reader_sees_the_last_version_known_by_then(
        versions in prop::collection::vec((1i64..50, prop::collection::btree_map(0i64..24, 0.0f64..1e6, 0..6)), 1..5),
        probe in 0i64..200,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, buckets) = open_buckets();
            let start = at("2026-11-21T00:00:00Z");
            let mut known_at = start;
            let mut expected = Vec::new();
            for (step, values) in versions {
                known_at += TimeDelta::hours(step);
                let rows: Vec<_> = values.into_iter().map(|(hour, value)| row(hour, value)).collect();
                buckets.write_day(Measure::Incidents, day(), known_at, RunId::new(), rows.clone()).await.unwrap();
                if known_at <= start + TimeDelta::hours(probe) {
                    expected = rows;
                }
            }
            let seen = buckets.rows(Measure::Incidents, whole_day(), start + TimeDelta::hours(probe)).await.unwrap();
            assert_eq!(seen, expected);
        });
    }
}
