//! Results that are written: whole or not at all, in the format the name says.

use std::io::Read;

use chrono::DateTime;
use flate2::read::GzDecoder;
use foretide_series_files::{ColumnKind, SeriesFileError, TableWriter, Value};
use polars::prelude::*;

use crate::support::{Folder, names};

fn write_two_rows(folder: &Folder, name: &str) -> Result<(), SeriesFileError> {
    let columns = vec![
        ("unique_id".to_owned(), ColumnKind::Text),
        ("ds".to_owned(), ColumnKind::Time),
        ("mean".to_owned(), ColumnKind::Number),
    ];
    let mut writer = TableWriter::create(&folder.path(name), columns)?;
    for (id, mean) in [("a,b", 1.25), ("c", f64::NAN)] {
        let at = DateTime::from_timestamp(1_767_225_600, 0).expect("a moment");
        writer.row(&[
            Value::Text(id),
            Value::Time(at, "2026-01-01 00:00:00"),
            Value::Number(mean),
        ])?;
    }
    assert!(
        !folder.path(name).exists(),
        "it is there before it is whole"
    );
    assert_eq!(writer.rows(), 2);
    writer.finish()
}

const TEXT: &str = "unique_id,ds,mean\n\"a,b\",2026-01-01 00:00:00,1.25\nc,2026-01-01 00:00:00,\n";

#[test]
fn the_ending_says_the_format() {
    let folder = Folder::new();
    write_two_rows(&folder, "f.csv").unwrap();
    assert_eq!(std::fs::read_to_string(folder.path("f.csv")).unwrap(), TEXT);

    write_two_rows(&folder, "f.csv.gz").unwrap();
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(folder.path("f.csv.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, TEXT);

    write_two_rows(&folder, "f.parquet").unwrap();
    let file = std::fs::File::open(folder.path("f.parquet")).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    assert_eq!(frame.height(), 2);
    let mean = frame.column("mean").unwrap().f64().unwrap();
    assert_eq!((mean.get(0), mean.get(1)), (Some(1.25), None));
    assert!(matches!(
        frame.column("ds").unwrap().dtype(),
        DataType::Datetime(TimeUnit::Microseconds, None)
    ));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let message = write_two_rows(&folder, "f.xlsx").unwrap_err().to_string();
    names(&message, &["f.xlsx", ".csv, .csv.gz or .parquet"]);
    let message = write_two_rows(&folder, "nowhere/f.csv")
        .unwrap_err()
        .to_string();
    names(&message, &["nowhere", "cannot be written", "folder exists"]);
}

#[test]
fn what_is_given_up_leaves_nothing_behind() {
    let folder = Folder::new();
    let columns = vec![("x".to_owned(), ColumnKind::Number)];
    let writer = TableWriter::create(&folder.path("f.csv"), columns).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0);
}
