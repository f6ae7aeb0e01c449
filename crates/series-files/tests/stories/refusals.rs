//! Files that are refused, and how: file, line, column, what is wrong, what to do.

use foretide_series_files::{
    HistoryOptions, Needed, StampClock, Watched, read_cutoffs, read_forecasts, read_regressors,
};

use crate::support::{Folder, counting, gzipped, names, open, refusal_of, row, stamp};

fn history_with(rows: &[String]) -> String {
    format!("unique_id,ds,y\n{}", rows.concat())
}

#[test]
fn a_gap_names_where_and_offers_to_fill() {
    let message = refusal_of(history_with(&[
        row("a", 0, "1"),
        row("a", 1, "1"),
        row("a", 4, "1"),
        row("a", 5, "1"),
    ]));
    names(
        &message,
        &[
            "history.csv, line 3",
            "column ds",
            "2 hours",
            "\"a\"",
            "--fill-gaps zero",
            "previous",
        ],
    );
}

#[test]
fn a_repeated_hour_names_both_lines() {
    let message = refusal_of(history_with(&[
        row("a", 0, "1"),
        row("a", 1, "1"),
        row("a", 0, "2"),
    ]));
    names(
        &message,
        &["line 4", "line 2", "twice", "keep one row an hour"],
    );
}

#[test]
fn values_that_are_no_counts_are_refused_by_cell() {
    for (y, said) in [
        ("-1", vec!["-1 is negative", "start at 0"]),
        ("many", vec!["\"many\" is not a number", "12.5"]),
        ("1.234,5", vec!["4 values", "3"]),
        ("\"1,500\"", vec!["\"1,500\" may be", "--decimal comma"]),
        ("", vec!["is empty", "--fill-gaps"]),
        ("NaN", vec!["NaN", "--fill-gaps"]),
        ("inf", vec!["too large"]),
        ("1e300", vec!["too large"]),
    ] {
        let message = refusal_of(history_with(&[row("a", 0, "1"), row("a", 1, y)]));
        names(&message, &["history.csv, line 3"]);
        names(&message, &said);
    }
}

#[test]
fn time_stamps_must_be_hourly_and_of_one_kind() {
    for (rows, said) in [
        (["2026-01-01 00:00", "2026-01-01 00:30"], "30 minutes"),
        (["2026-01-01 00:00", "2026-01-01 01:00:01"], "3601 seconds"),
        (
            ["2026-01-01 00:00", "2026-01-01 01:00:00.25"],
            "fraction of a second",
        ),
        (["2026-01-01 00:00", "01.01.2026 01:00"], "not a time stamp"),
        (["2026-01-01 00:00", "1767229200"], "not a time stamp"),
        (["2026-01-01 00:00", ""], "no time stamp"),
        (
            ["2026-01-01 00:00", "2026-01-01T01:00Z"],
            "an offset from UTC, the one in line 2 has no",
        ),
        (
            ["2026-01-01T00:00Z", "2026-01-01T01:00"],
            "write all time stamps the same way",
        ),
        (["2026-01-01 00:00", "9999-01-01 00:00"], "after 2200"),
    ] {
        let text = format!("unique_id,ds,y\na,{},1\na,{},1\n", rows[0], rows[1]);
        names(&refusal_of(text), &["line 3", "column ds", said]);
    }
    let daily: String = (1..9).map(|day| format!("a,2026-01-0{day},1\n")).collect();
    names(
        &refusal_of(format!("unique_id,ds,y\n{daily}")),
        &["a row every day", "hourly"],
    );
}

#[test]
fn files_that_hold_no_table_say_so() {
    names(&refusal_of(""), &["history.csv", "is empty"]);
    names(
        &refusal_of("unique_id,ds,y\n"),
        &["is empty", "at least one row"],
    );
    names(
        &refusal_of("id,time,n\na,b,1\n"),
        &[
            "line 2",
            "column time",
            "\"b\" is not a time stamp",
            "--time-column",
        ],
    );
    names(
        &refusal_of("id,begin,n\na,b,1\n"),
        &["no column ds", "id,begin,n", "commas", "--time-column"],
    );
    names(
        &refusal_of("unique_id,ds,y,y\n"),
        &["line 1", "column y", "twice"],
    );
    names(
        &refusal_of("unique_id,ds,y\n,2026-01-01,1\n"),
        &["line 2", "column unique_id", "is empty"],
    );
    names(
        &refusal_of(b"unique_id,ds,y\n\xff,2026-01-01,1\n"),
        &["line 2", "UTF-8"],
    );
    names(
        &refusal_of("PAR1 and nothing"),
        &["Parquet", "export it again"],
    );
    let folder = Folder::new();
    let message = open(&folder.path("nowhere.csv")).unwrap_err().to_string();
    names(
        &message,
        &["nowhere.csv", "cannot be read", "check the path"],
    );
}

#[test]
fn a_file_that_breaks_off_is_refused() {
    let mut bytes = gzipped(&counting(&["a"], 700));
    bytes.truncate(bytes.len() / 2);
    names(&refusal_of(bytes), &["breaks off", "again"]);
    let huge = format!("unique_id,ds,y\n\"{}\",2026-01-01,1\n", "x".repeat(2 << 20));
    names(&refusal_of(huge), &["1 MiB", "quote"]);
}

#[test]
fn cutoffs_must_lie_in_the_history() {
    let folder = Folder::new();
    let history = open(&folder.with("h.csv", counting(&["a", "b"], 200))).unwrap();
    let read = |text: &str| {
        let path = folder.with("cutoffs.csv", format!("unique_id,cutoff\n{text}"));
        read_cutoffs(&path, &history, StampClock::Utc, 100)
    };
    let taken = read(&format!("b,{}\na,{}\n", stamp(150), stamp(199))).unwrap();
    assert_eq!((taken[0].id.as_str(), taken[0].known_hours), ("b", 151));
    assert_eq!(taken[1].known_hours, 200);
    for (text, said) in [
        (
            format!("c,{}\n", stamp(150)),
            vec!["column unique_id", "\"c\" is no series", "\"a\", \"b\""],
        ),
        (
            format!("a,{}\n", stamp(200)),
            vec!["column cutoff", "after the history", "2026-01-09 07:00:00"],
        ),
        (
            "a,2025-12-31 00:00\n".to_owned(),
            vec!["before the history"],
        ),
        (
            format!("a,{}\n", stamp(50)),
            vec!["only 51 hours", "at least 100"],
        ),
        (
            "a,2026-01-07 00:30\n".to_owned(),
            vec!["not one of its hours"],
        ),
        (
            format!("a,{0}\na,{0}\n", stamp(150)),
            vec!["line 3", "stands twice"],
        ),
        (String::new(), vec!["is empty"]),
    ] {
        let message = read(&text).unwrap_err().to_string();
        names(&message, &["cutoffs.csv"]);
        names(&message, &said);
    }
}

#[test]
fn regressors_must_cover_history_and_horizon() {
    let folder = Folder::new();
    let read = |text: &str| {
        let path = folder.with("r.csv", text);
        let needed = Needed {
            first: "2026-01-01T00:00:00Z".parse().unwrap(),
            last: "2026-01-01T03:00:00Z".parse().unwrap(),
        };
        read_regressors(&path, &HistoryOptions::default(), needed)
    };
    let wide: String = (0..5)
        .map(|hour| format!("{},{hour},-1\n", stamp(hour)))
        .collect();
    let tracks = read(&format!("ds,drill,staff\n{wide}")).unwrap();
    assert_eq!(tracks[0].name, "drill");
    assert_eq!(tracks[0].values, [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(tracks[1].values, [-1.0; 5]);
    let long: String = (0..5)
        .map(|hour| format!("{},drill,{hour}\n", stamp(hour)))
        .collect();
    assert_eq!(
        read(&format!("ds,name,value\n{long}")).unwrap()[0],
        tracks[0]
    );

    let short = format!("ds,drill\n{},1\n{},1\n", stamp(0), stamp(1));
    names(
        &read(&short).unwrap_err().to_string(),
        &["\"drill\"", "must cover", "2026-01-01 03:00"],
    );
    let gap = format!("ds,drill\n{},1\n{},1\n{},1\n", stamp(0), stamp(1), stamp(4));
    names(
        &read(&gap).unwrap_err().to_string(),
        &["r.csv, line 3", "2 hours are missing"],
    );
    names(
        &read("ds\n2026-01-01\n").unwrap_err().to_string(),
        &["no column beside ds"],
    );
    names(
        &read("unique_id,ds,x\n").unwrap_err().to_string(),
        &["shared by all series"],
    );
    names(&read("ds,x\n").unwrap_err().to_string(), &["is empty"]);
    names(
        &read("ds,x\n2026-01-01 00:00,high\n")
            .unwrap_err()
            .to_string(),
        &["line 2, column x", "not a number"],
    );
}

#[test]
fn a_written_forecast_must_be_whole() {
    let folder = Folder::new();
    let row = |hour, quantiles: &str| format!("a,{},{quantiles},{}\n", stamp(hour), stamp(1));
    let read = |rows: &[String]| {
        let header = "unique_id,ds,lo95,lo80,mean,hi80,hi95,cutoff\n";
        read_forecasts(&folder.with("f.csv", format!("{header}{}", rows.concat())))
    };
    let earlier = format!("a,{},0,0,9,9,9,{}\n", stamp(1), stamp(0));
    let taken = read(&[earlier, row(3, "0,1,2,3,4"), row(2, "1,1,1,1,1")]).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].quantiles, [[1.0; 5], [0.0, 1.0, 2.0, 3.0, 4.0]]);
    assert_eq!(taken[0].render(taken[0].start), stamp(2));
    for (rows, said) in [
        (vec![row(2, "0,2,1,3,4")], ["line 2", "cross"]),
        (vec![row(2, "-1,1,1,3,4")], ["column lo95", "negative"]),
        (
            vec![row(2, "0,1,2,3,4"), row(4, "0,1,2,3,4")],
            ["line 3", "hour by hour"],
        ),
        (
            vec![row(2, "0,1,2,3,4"), row(2, "0,1,2,3,4")],
            ["line 3", "each hour once"],
        ),
        (vec![], ["f.csv", "is empty"]),
    ] {
        names(&read(&rows).unwrap_err().to_string(), &said);
    }
}

#[test]
fn points_must_be_in_the_order_of_time() {
    let folder = Folder::new();
    let path = folder.with(
        "p.csv",
        "timestamp,value\n2014-04-01 00:05:00,1\n2014-04-01 00:00:00,1\n",
    );
    let message = Watched::open(&path, HistoryOptions::default())
        .unwrap_err()
        .to_string();
    names(&message, &["p.csv, line 3", "column timestamp", "sort"]);
}
