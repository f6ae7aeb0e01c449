//! Files as people have them: each is read and says the same as the plain one, or is refused with what
//! to do.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use foretide_series_files::{
    DateOrder, HistoryFile, HistoryOptions, LayoutOptions, SeriesFileError, StampClock, Watched,
};

use crate::support::{Folder, names, open, series_of};

/// Sixty days of hours.
const HOURS: usize = 1440;

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/inputs")
        .join(name)
}

fn read(name: &str, options: HistoryOptions) -> Result<HistoryFile, SeriesFileError> {
    HistoryFile::open(&input(name), options)
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

/// The values that all spellings of the same series have.
fn plain() -> Vec<f64> {
    let history = open(&input("24_prophet_ds_y.csv.gz")).expect("the plain one is read");
    series_of(&history).remove(0).values
}

#[test]
fn one_series_is_the_same_however_it_is_written() {
    let plain = plain();
    assert_eq!(plain.len(), HOURS);
    let next = moment("2026-07-31T00:00:00Z");
    for (name, id, written) in [
        (
            "24_prophet_ds_y.csv.gz",
            "24_prophet_ds_y",
            "2026-07-31 00:00:00",
        ),
        ("10b_semicolon_hourly.csv.gz", "a", "2026-07-31 00:00:00"),
        ("18c_utf16.csv.gz", "a", "2026-07-31 00:00:00"),
        ("18d_header_case.csv.gz", "a", "2026-07-31 00:00:00"),
        ("18f_tab.tsv.gz", "a", "2026-07-31 00:00:00"),
        (
            "23_log_analytics_portal.csv.gz",
            "High",
            "7/31/2026, 12:00:00.000 AM",
        ),
        (
            "23b_la_renamed_headers.csv.gz",
            "High",
            "7/31/2026, 12:00:00.000 AM",
        ),
        ("25_epoch_seconds.csv.gz", "a", "1785456000"),
        ("27b_us_date.csv.gz", "a", "07/31/2026 00:00"),
        ("40_make_series.csv.gz", "High", "2026-07-31T00:00:00Z"),
        ("51_excel.xlsx", "a", "2026-07-31 00:00:00"),
    ] {
        let history = open(&input(name)).unwrap_or_else(|error| panic!("{error}"));
        let all = series_of(&history);
        assert_eq!(all.len(), 1, "{name}");
        assert_eq!(all[0].id, id, "{name}");
        assert_eq!(all[0].start, moment("2026-06-01T00:00:00Z"), "{name}");
        assert_eq!(all[0].values, plain, "{name}");
        assert_eq!(history.render(next), written, "{name}");
    }
}

#[test]
fn decimal_commas_are_read_as_fractions() {
    let history = open(&input("10c_semicolon_comma_decimal.csv.gz")).unwrap();
    let halves: Vec<f64> = plain().iter().map(|value| value + 0.5).collect();
    assert_eq!(series_of(&history)[0].values, halves);
}

#[test]
fn typed_files_of_categories_and_decimals_are_read() {
    for name in ["50c_category.parquet", "50j_decimal_ms.parquet"] {
        let history = open(&input(name)).unwrap_or_else(|error| panic!("{error}"));
        let all = series_of(&history);
        assert!(
            !all.is_empty() && all.iter().all(|series| series.values.len() >= 336),
            "{name}"
        );
        assert!(
            all.iter()
                .all(|series| series.values.iter().sum::<f64>() > 0.0),
            "{name}"
        );
    }
}

#[test]
fn hourly_files_that_were_read_before_still_are() {
    for (name, filled) in [
        ("03_constant.csv.gz", false),
        ("04_all_zero.csv.gz", false),
        ("15_mixed_offsets.csv.gz", false),
        ("31_leading_zeros.csv.gz", false),
        ("08_empty_bins_dropped.csv.gz", true),
    ] {
        let options = HistoryOptions {
            fill_gaps: filled.then_some(foretide_series_files::FillGaps::Zero),
            ..HistoryOptions::default()
        };
        let history = read(name, options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(history.filled() > 0, filled, "{name}");
    }
    let offsets = open(&input("15_mixed_offsets.csv.gz")).unwrap();
    assert_eq!(
        offsets.render(moment("2026-11-19T00:00:00Z")),
        "2026-11-18T19:00:00-0500"
    );
}

#[test]
fn a_clock_change_is_told_as_one_and_never_to_be_filled_or_removed() {
    for (name, hour, zone) in [
        ("14_dst_spring_local.csv.gz", "skip", SPRING),
        ("14b_dst_autumn_local.csv.gz", "repeat", AUTUMN),
    ] {
        let message = open(&input(name)).expect_err(name).to_string();
        names(
            &message,
            &[hour, "--local-stamps", "--time-zone", zone.name()],
        );
        for advice in ["fill", "remove", "add"] {
            assert!(!message.contains(advice), "{message}");
        }
        let options = HistoryOptions {
            clock: StampClock::Local(zone),
            ..HistoryOptions::default()
        };
        let history = read(name, options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            history.extents().map(|extent| extent.hours).sum::<usize>(),
            HOURS
        );
    }
}

const SPRING: chrono_tz::Tz = chrono_tz::Europe::Berlin;
const AUTUMN: chrono_tz::Tz = chrono_tz::Europe::Berlin;

#[test]
fn points_on_a_clock_that_is_set_back_are_read_and_written_as_they_stand() {
    let path = input("anomalies_autumn_clock.csv.gz");
    let Watched::Points(points) = Watched::open(&path, HistoryOptions::default()).unwrap() else {
        panic!("not taken for points");
    };
    names(
        points.note.as_deref().unwrap_or_default(),
        &["set back", "Europe/Berlin"],
    );
    assert!(points.times.is_sorted());
    let steps = points
        .times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).num_minutes());
    assert!(steps.into_iter().all(|minutes| minutes == 5));
    assert_eq!(points.render(points.times[0]), "2026-10-10 00:00:00");
    let twice = points
        .times
        .iter()
        .filter(|time| points.render(**time) == "2026-10-25 02:30:00");
    assert_eq!(twice.count(), 2);
}

#[test]
fn a_series_without_values_is_named_and_can_be_left_out() {
    let name = "46_all_nan_series.csv.gz";
    names(
        &open(&input(name)).unwrap_err().to_string(),
        &["is empty", "series \"nan\""],
    );
    let options = HistoryOptions {
        leave_out: true,
        ..HistoryOptions::default()
    };
    let history = read(name, options).unwrap();
    assert_eq!(history.series(), 1);
    assert_eq!(series_of(&history)[0].id, "ok");
    assert_eq!(history.left_out().len(), 1);
    assert_eq!(history.left_out()[0].id, "nan");
    names(
        &history.left_out()[0].reason.problem,
        &["no value in 1440 of its 1440 rows"],
    );
}

#[test]
fn series_of_another_step_are_refused_clearly() {
    for (name, said) in [
        ("22_daily.csv.gz", "a row every day"),
        ("22b_15min.csv.gz", "15 minutes"),
        ("22c_weekly.csv.gz", "a row every week"),
    ] {
        names(
            &open(&input(name)).unwrap_err().to_string(),
            &[said, "hourly"],
        );
    }
}

#[test]
fn what_can_be_meant_two_ways_is_refused_until_it_is_said() {
    let folder = Folder::new();
    let dates = folder.with(
        "d.csv",
        "unique_id,ds,y\na,03/04/2026 00:00,1\na,03/04/2026 01:00,2\n",
    );
    names(
        &open(&dates).unwrap_err().to_string(),
        &["column ds", "03/04/2026 00:00", "--date-order dmy", "mdy"],
    );
    for (order, start) in [
        (DateOrder::DayFirst, "2026-04-03T00:00:00Z"),
        (DateOrder::MonthFirst, "2026-03-04T00:00:00Z"),
    ] {
        let layout = LayoutOptions {
            date_order: Some(order),
            ..LayoutOptions::default()
        };
        let options = HistoryOptions {
            layout,
            ..HistoryOptions::default()
        };
        let history = HistoryFile::open(&dates, options).unwrap();
        assert_eq!(history.extents().next().unwrap().start, moment(start));
    }
    let both = folder.with(
        "b.csv",
        "unique_id,ds,y\na,13/04/2026 00:00,1\na,04/13/2026 01:00,2\n",
    );
    names(
        &open(&both).unwrap_err().to_string(),
        &["day first", "its month", "alike"],
    );

    let rows = "2026-01-01 00:00,High,Sentinel,1\n2026-01-01 00:00,Low,Sentinel,2\n";
    let several = folder.with(
        "s.csv",
        format!("TimeGenerated,Severity,Product,Count\n{rows}"),
    );
    names(
        &open(&several).unwrap_err().to_string(),
        &["\"Severity\", \"Product\"", "--id-columns"],
    );
    let layout = LayoutOptions {
        id_columns: vec!["severity".to_owned(), "Product".to_owned()],
        ..LayoutOptions::default()
    };
    let options = HistoryOptions {
        layout,
        ..HistoryOptions::default()
    };
    let history = HistoryFile::open(&several, options).unwrap();
    assert_eq!(history.ids(), ["High/Sentinel", "Low/Sentinel"]);
    let numbers = folder.with(
        "n.csv",
        "TimeGenerated,opened,closed\n2026-01-01 00:00,1,2\n",
    );
    names(
        &open(&numbers).unwrap_err().to_string(),
        &["\"opened\", \"closed\"", "--value-column"],
    );
}
