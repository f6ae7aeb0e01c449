//! Histories that are taken, whatever shape they come in.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_series_files::{FillGaps, HistoryFile, HistoryOptions, StampClock, Watched};
use polars::prelude::*;
use proptest::prelude::*;

use crate::support::{Folder, counting, open, open_filling, row, series_of, stamp};

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

#[test]
fn a_history_is_read_series_by_series() {
    let folder = Folder::new();
    let history = open(&folder.with("h.csv", counting(&["a", "b"], 30))).unwrap();
    assert_eq!((history.rows(), history.series()), (60, 2));
    let extent = history.extent("b").unwrap();
    assert_eq!(extent.hours, 30);
    assert_eq!(extent.last(), moment("2026-01-02T05:00:00Z"));
    let all = series_of(&history);
    assert_eq!(all.iter().map(|s| &s.id).collect::<Vec<_>>(), ["a", "b"]);
    let counted: Vec<f64> = (0..30).map(f64::from).collect();
    assert!(all.iter().all(|series| series.values == counted));
}

#[test]
fn plain_gzipped_and_parquet_files_say_the_same() {
    let folder = Folder::new();
    let text = counting(&["7", "8"], 50);
    let plain = series_of(&open(&folder.with("h.csv", &text)).unwrap());
    let gzipped = series_of(&open(&folder.with_gzipped("h.csv.gz", &text)).unwrap());
    assert_eq!(plain, gzipped);

    let path = folder.path("h.parquet");
    let start = moment("2026-01-01T00:00:00Z").timestamp_millis();
    let hours: Vec<i64> = (0..50)
        .chain(0..50)
        .map(|h| start + h * 3_600_000)
        .collect();
    let ds = Column::new("ds".into(), hours)
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
        .unwrap();
    let ids = Column::new("unique_id".into(), [[7_i64; 50], [8; 50]].concat());
    let counts: Vec<u32> = (0..50).chain(0..50).collect();
    let mut frame = DataFrame::new(100, vec![ds, Column::new("y".into(), counts), ids]).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap())
        .finish(&mut frame)
        .unwrap();
    assert_eq!(series_of(&open(&path).unwrap()), plain);
}

#[test]
fn order_of_rows_and_columns_does_not_matter() {
    let folder = Folder::new();
    let sorted =
        series_of(&open(&folder.with("sorted.csv", counting(&["a", "b", "c"], 40))).unwrap());
    let mut text = "extra,y,unique_id,ds\n".to_owned();
    for step in 0..120 {
        let at = step * 77 % 120;
        let (id, hour) = (["a", "b", "c"][at % 3], at / 3);
        text.push_str(&format!("x,{hour},{id},{}\n", stamp(hour)));
    }
    let mixed = open(&folder.with("mixed.csv", text)).unwrap();
    assert_eq!(mixed.series(), 3);
    let mut all = series_of(&mixed);
    all.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(all, sorted);
}

#[test]
fn gaps_are_filled_only_as_was_said() {
    let folder = Folder::new();
    let text = [
        "unique_id,ds,y\n",
        &row("a", 0, "5"),
        &row("a", 3, "9"),
        &row("a", 4, "1"),
    ]
    .concat();
    let path = folder.with("h.csv", text);
    let filled = |fill| {
        let history = open_filling(&path, fill).unwrap();
        assert_eq!(history.filled(), 2);
        series_of(&history).remove(0).values
    };
    assert_eq!(filled(FillGaps::Zero), [5.0, 0.0, 0.0, 9.0, 1.0]);
    assert_eq!(filled(FillGaps::Previous), [5.0, 5.0, 5.0, 9.0, 1.0]);
}

#[test]
fn moments_are_written_back_the_way_the_file_writes_them() {
    let folder = Folder::new();
    for (from, to) in [
        ("2026-01-01 00:00:00", "2026-01-02 03:00:00"),
        ("2026-01-01T00:00:00Z", "2026-01-02T03:00:00Z"),
        ("2026-01-01 00:00", "2026-01-02 03:00"),
        ("2026-01-01T02:00:00+02:00", "2026-01-02T05:00:00+02:00"),
        ("2026-01-01T02:00:00-0500", "2026-01-01T22:00:00-0500"),
        ("1767229200", "1767322800"),
        ("24.12.2025 13:00", "02.01.2026 03:00"),
        ("2026/1/1 3:00", "2026/1/2 3:00"),
        ("2026-01-01 09:00:00 UTC", "2026-01-02 03:00:00 UTC"),
    ] {
        let path = folder.with("h.csv", format!("unique_id,ds,y\na,{from},1\n"));
        let history = open(&path).unwrap();
        assert_eq!(history.render(moment("2026-01-02T03:00:00Z")), to, "{from}");
    }
}

#[test]
fn local_time_stamps_stay_hourly_when_clocks_change() {
    let folder = Folder::new();
    let mut text = "unique_id,ds,y\n".to_owned();
    for hour in ["00", "01", "02", "02", "03"] {
        text.push_str(&format!("a,2026-10-25 {hour}:00,1\n"));
    }
    for hour in ["00", "01", "03", "04"] {
        text.push_str(&format!("b,2026-03-29 {hour}:00,1\n"));
    }
    let path = folder.with("h.csv", text);
    let options = HistoryOptions {
        clock: StampClock::Local(chrono_tz::Europe::Berlin),
        ..HistoryOptions::default()
    };
    let history = HistoryFile::open(&path, options).unwrap();
    assert_eq!(history.extent("a").unwrap().hours, 5);
    assert_eq!(history.extent("b").unwrap().hours, 4);
    assert_eq!(
        history.render(history.extent("b").unwrap().last()),
        "2026-03-29 04:00"
    );
}

#[test]
fn points_of_any_step_are_read_for_detectors() {
    let folder = Folder::new();
    let path = folder.with(
        "cpu.csv",
        "timestamp,value\n2014-04-01 00:00:00,-1.5\n2014-04-01 00:05:00,2\n",
    );
    let watched = Watched::open(&path, HistoryOptions::default()).unwrap();
    let Watched::Points(points) = watched else {
        panic!("not taken for points: {watched:?}");
    };
    assert_eq!(points.values, [-1.5, 2.0]);
    assert_eq!(points.times[1] - points.times[0], TimeDelta::minutes(5));
    assert_eq!(points.render(points.times[1]), "2014-04-01 00:05:00");
    let history = folder.with("h.csv", counting(&["a"], 3));
    let watched = Watched::open(&history, HistoryOptions::default()).unwrap();
    assert!(matches!(watched, Watched::History(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_written_is_what_is_read(
        series in prop::collection::vec(prop::collection::vec(0.0..1e6_f64, 1..60), 1..6),
        shuffle in any::<u64>(),
    ) {
        let mut rows: Vec<String> = series
            .iter()
            .enumerate()
            .flat_map(|(id, values)| {
                values
                    .iter()
                    .enumerate()
                    .map(move |(hour, y)| row(&format!("s{id}"), hour, &y.to_string()))
            })
            .collect();
        let count = rows.len();
        for at in 0..count {
            rows.swap(at, (shuffle as usize).wrapping_mul(at + 1) % count);
        }
        let folder = Folder::new();
        let path = folder.with("h.csv", format!("unique_id,ds,y\n{}", rows.concat()));
        let mut read = series_of(&open(&path).unwrap());
        read.sort_by(|a, b| a.id.cmp(&b.id));
        let values: Vec<_> = read.into_iter().map(|series| series.values).collect();
        prop_assert_eq!(values, series);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = Folder::new();
        for head in [&b""[..], b"PAR1", &[0x1f, 0x8b, 8, 0], b"unique_id,ds,y\n"] {
            let path = folder.with("h", [head, &bytes].concat());
            if let Err(error) = open(&path) {
                prop_assert!(!error.advice.is_empty());
            }
        }
    }
}
