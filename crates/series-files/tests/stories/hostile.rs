//! Files that are no tables, or broken ones: an error with a place, never a panic.

use foretide_series_files::{HistoryFile, HistoryOptions, LayoutOptions};

use polars::prelude::*;

use crate::support::{Folder, counting, names, open, refusal_of, series_of};

#[test]
fn what_is_no_table_is_named() {
    for (bytes, said) in [
        (
            b"{\"unique_id\": \"a\"}".to_vec(),
            vec!["JSON", "export it as CSV"],
        ),
        (b"<html><body>".to_vec(), vec!["XML or HTML"]),
        (b"%PDF-1.7".to_vec(), vec!["PDF"]),
        (
            b"unique_id,ds,y\na\0b,2026-01-01,1\n".to_vec(),
            vec!["NUL bytes"],
        ),
        (b"\x01\x02\x00\x00\xfe\xff\x99".to_vec(), vec!["NUL bytes"]),
        (b"PK\x03\x04 and nothing".to_vec(), vec!["Excel", "again"]),
        (
            b"\xd0\xcf\x11\xe0 and nothing".to_vec(),
            vec!["Excel", "again"],
        ),
        (b"\xff\xfea\0,\0b".to_vec(), vec!["damaged UTF-16LE"]),
        (vec![b'x'; 3 << 20], vec!["line 1", "longer than 1 MiB"]),
        (b"unique_id;ds;y\n".to_vec(), vec!["is empty"]),
        (b"a\n1\n".to_vec(), vec!["no column ds", "--separator"]),
        (
            b"a,b;c,d;e\n1,2;3,4;5\n".to_vec(),
            vec!["commas or by semicolons", "--separator"],
        ),
    ] {
        let message = refusal_of(&bytes);
        names(&message, &said);
        assert!(message.len() < 600, "{message}");
    }
}

#[test]
fn lines_are_numbered_as_editors_do_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let mut text = counting(&["a"], 40).replace('\n', end);
        text.push_str(&format!("a,2026-01-03 00:00,many{end}"));
        names(&refusal_of(&text), &["line 42", "\"many\""]);
        text.push_str(&format!("a,2026-01-03 01:00{end}"));
        let short = text.replace("many", "1");
        names(
            &refusal_of(&short),
            &["line 43", "2 values", "names 3", "commas"],
        );
    }
}

#[test]
fn a_row_of_another_separator_is_named_with_its_line() {
    let mut text = counting(&["a"], 40).replace(',', ";");
    text.push_str("a,2026-01-03 00:00,1\n");
    names(&refusal_of(&text), &["line 42", "1 values", "semicolons"]);
}

#[test]
fn a_given_separator_and_columns_are_taken_at_their_word() {
    let folder = Folder::new();
    let path = folder.with("h.csv", "when:n:who\n2026-01-01:4:a\n");
    let layout = LayoutOptions {
        separator: Some(b':'),
        time_column: Some("WHEN".to_owned()),
        value_column: Some("n".to_owned()),
        ..LayoutOptions::default()
    };
    let options = HistoryOptions {
        layout: layout.clone(),
        ..HistoryOptions::default()
    };
    assert_eq!(HistoryFile::open(&path, options).unwrap().ids(), ["a"]);
    let options = HistoryOptions {
        layout: LayoutOptions {
            time_column: Some("day".to_owned()),
            ..layout
        },
        ..HistoryOptions::default()
    };
    names(
        &HistoryFile::open(&path, options).unwrap_err().to_string(),
        &["no column \"day\"", "when,n,who", "--time-column"],
    );
    assert!(open(&path).is_err());
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let row =
        |times: &str, values: &str| format!("TimeGenerated,Count\n\"{times}\",\"{values}\"\n");
    let time = "[\"\"2026-01-01T00:00:00Z\"\"]";
    names(
        &refusal_of(row(time, "[1,2]")),
        &["line 2", "1 times and 2 values"],
    );
    names(
        &refusal_of(row(time, "[\"\"x\"\"]")),
        &["line 2, column Count", "\"x\" is not a number"],
    );
}

#[test]
fn columns_of_parquet_that_hold_no_numbers_are_refused_and_others_do_not_matter() {
    let folder = Folder::new();
    let path = folder.path("h.parquet");
    let write = |value: &str, extra: &str| {
        let lists = vec![Series::new("".into(), [1_i64, 2]); 3];
        let stamps = ["2026-01-01 00:00", "2026-01-01 01:00", "2026-01-01 02:00"];
        let columns = vec![
            Column::new("ds".into(), stamps),
            Column::new(value.into(), [1.5, 2.5, 3.5]),
            Column::new(extra.into(), lists),
            Column::new("flag".into(), [true, false, true]),
        ];
        let mut frame = DataFrame::new(3, columns).unwrap();
        ParquetWriter::new(std::fs::File::create(&path).unwrap())
            .finish(&mut frame)
            .unwrap();
    };
    write("y", "extra");
    let history = open(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(series_of(&history)[0].values, [1.5, 2.5, 3.5]);
    write("extra", "y");
    names(
        &open(&path).unwrap_err().to_string(),
        &["row 1, column y", "nested value", "give a number"],
    );
}
