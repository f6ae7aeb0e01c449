//! Rows of one series to values on an hourly grid.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::error::{Place, SeriesFileError, quoted};

const HOUR: i64 = 3600;

/// Longest span of a series: 114 years. A longer one is a mistyped year.
const LONGEST: i64 = 1_000_000;

/// What stands in for hours without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillGaps {
    /// Nothing happened.
    Zero,
    /// What the hour before had.
    Previous,
}

/// One series on an hourly grid without gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct HourlySeries {
    /// Its name in the file.
    pub id: String,
    /// The first hour.
    pub start: DateTime<Utc>,
    /// One value an hour, finite and not negative.
    pub values: Vec<f64>,
    /// How many of them were filled in.
    pub filled: usize,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) seconds: i64,
    pub(crate) value: f64,
    pub(crate) place: Place,
}

/// Sorts and checks rows, and fills gaps where that was asked for.
pub(crate) fn assemble(
    file: &Path,
    id: &str,
    rows: &mut [Row],
    fill: Option<FillGaps>,
) -> Result<HourlySeries, SeriesFileError> {
    rows.sort_by_key(|row| row.seconds);
    check_steps(file, id, rows)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(crate::table::empty(file));
    };
    let hours = (last.seconds - first.seconds) / HOUR + 1;
    if hours > LONGEST {
        return Err(SeriesFileError::at(
            file,
            last.place,
            "ds",
            format!("series {} spans {hours} hours", quoted(id)),
            "check the years of its first and last time stamp",
        ));
    }
    let mut values = Vec::with_capacity(usize::try_from(hours).unwrap_or_default());
    let mut filled = 0;
    let mut before: Option<Row> = None;
    for row in rows.iter() {
        if let Some(before) = before {
            let missing = (row.seconds - before.seconds) / HOUR - 1;
            let value = filler(file, id, before, missing, fill)?;
            let missing = usize::try_from(missing).unwrap_or_default();
            values.extend(std::iter::repeat_n(value, missing));
            filled += missing;
        }
        values.push(row.value);
        before = Some(*row);
    }
    Ok(HourlySeries {
        id: id.to_owned(),
        start: moment(first.seconds),
        values,
        filled,
    })
}

fn filler(
    file: &Path,
    id: &str,
    before: Row,
    missing: i64,
    fill: Option<FillGaps>,
) -> Result<f64, SeriesFileError> {
    match fill {
        _ if missing == 0 => Ok(before.value),
        Some(FillGaps::Zero) => Ok(0.0),
        Some(FillGaps::Previous) => Ok(before.value),
        None => Err(SeriesFileError::at(
            file,
            before.place,
            "ds",
            format!(
                "{} missing after {} in series {}",
                if missing == 1 {
                    "1 hour is".to_owned()
                } else {
                    format!("{missing} hours are")
                },
                shown(before.seconds),
                quoted(id)
            ),
            "add the rows, or say what was there: --fill-gaps zero or --fill-gaps previous",
        )),
    }
}

/// Every step from one row to the next must be a whole number of hours, at least one.
fn check_steps(file: &Path, id: &str, rows: &[Row]) -> Result<(), SeriesFileError> {
    for pair in rows.windows(2) {
        let step = pair[1].seconds - pair[0].seconds;
        if step == 0 {
            return Err(SeriesFileError::at(
                file,
                pair[1].place,
                "ds",
                format!(
                    "{} stands twice in series {} (also{})",
                    shown(pair[0].seconds),
                    quoted(id),
                    pair[0].place.to_string().trim_start_matches(',')
                ),
                "keep one row an hour: remove the copy, or add the two up",
            ));
        }
        if step % HOUR != 0 {
            return Err(SeriesFileError::at(
                file,
                pair[1].place,
                "ds",
                format!(
                    "{} is {} after the row before in series {}",
                    shown(pair[1].seconds),
                    span(step),
                    quoted(id)
                ),
                "series must be hourly: sum or average to whole hours first",
            ));
        }
    }
    check_is_hourly(file, id, rows)
}

/// Most steps longer than an hour are no gaps but another frequency.
fn check_is_hourly(file: &Path, id: &str, rows: &[Row]) -> Result<(), SeriesFileError> {
    let mut steps: Vec<i64> = rows
        .windows(2)
        .map(|pair| pair[1].seconds - pair[0].seconds)
        .collect();
    if steps.len() < 2 {
        return Ok(());
    }
    let middle = steps.len() / 2;
    let (_, usual, _) = steps.select_nth_unstable(middle);
    let usual = *usual;
    let regular = steps.iter().filter(|step| **step == usual).count();
    if usual > HOUR && regular * 10 >= steps.len() * 9 {
        return Err(SeriesFileError::at(
            file,
            rows[1].place,
            "ds",
            format!("series {} has a row every {}", quoted(id), span(usual)),
            "series must be hourly: export it by the hour",
        ));
    }
    Ok(())
}

pub(crate) fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn shown(seconds: i64) -> String {
    moment(seconds).format("%Y-%m-%d %H:%M UTC").to_string()
}

fn span(seconds: i64) -> String {
    match seconds {
        86_400 => "day".to_owned(),
        604_800 => "week".to_owned(),
        _ if seconds % 3600 == 0 => format!("{} hours", seconds / 3600),
        _ if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}
