//! Rows of one series to values on an hourly grid.

use std::path::Path;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::clock_change;
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

/// What rows are put on a grid by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid<'a> {
    pub(crate) file: &'a Path,
    /// The column of time stamps.
    pub(crate) column: &'a str,
    pub(crate) fill: Option<FillGaps>,
    /// Whether time stamps are taken for UTC without saying so themselves.
    pub(crate) is_bare: bool,
}

/// Sorts and checks rows, and fills gaps where that was asked for.
pub(crate) fn assemble(
    grid: Grid<'_>,
    id: &str,
    rows: &mut [Row],
) -> Result<HourlySeries, SeriesFileError> {
    let Grid { file, column, .. } = grid;
    rows.sort_by_key(|row| row.seconds);
    check_values(grid, id, rows)?;
    check_steps(grid, id, rows)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(crate::table::empty(file));
    };
    let hours = (last.seconds - first.seconds) / HOUR + 1;
    if hours > LONGEST {
        return Err(SeriesFileError::at(
            file,
            last.place,
            column,
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
            let value = grid.filler(id, before, missing)?;
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

impl Grid<'_> {
    fn filler(self, id: &str, before: Row, missing: i64) -> Result<f64, SeriesFileError> {
        match self.fill {
            _ if missing == 0 => return Ok(before.value),
            Some(FillGaps::Zero) => return Ok(0.0),
            Some(FillGaps::Previous) => return Ok(before.value),
            None => {}
        }
        let skipped = before.seconds + HOUR;
        if missing == 1
            && self.is_bare
            && let Some(zone) = clock_change::zone_that_skips(skipped)
        {
            let problem = format!(
                "{} is missing in series {}: it is an hour that clocks skip when they are set forward \
                 (as in {zone})",
                bare(skipped),
                quoted(id)
            );
            return Err(self.clock_change(before.place, problem, zone));
        }
        let gap = if missing == 1 {
            "1 hour is".to_owned()
        } else {
            format!("{missing} hours are")
        };
        Err(SeriesFileError::at(
            self.file,
            before.place,
            self.column,
            format!(
                "{gap} missing after {} in series {}",
                shown(before.seconds),
                quoted(id)
            ),
            "add the rows, or say what was there: --fill-gaps zero or --fill-gaps previous",
        ))
    }

    fn twice(self, id: &str, pair: &[Row]) -> SeriesFileError {
        let seconds = pair[0].seconds;
        let also = pair[0].place.to_string();
        let also = also.trim_start_matches(',');
        if self.is_bare
            && let Some(zone) = clock_change::zone_that_repeats(seconds)
        {
            let problem = format!(
                "{} stands twice in series {} (also{also}): it is an hour that clocks repeat when they \
                 are set back (as in {zone})",
                bare(seconds),
                quoted(id)
            );
            return self.clock_change(pair[1].place, problem, zone);
        }
        SeriesFileError::at(
            self.file,
            pair[1].place,
            self.column,
            format!(
                "{} stands twice in series {} (also{also})",
                shown(seconds),
                quoted(id)
            ),
            "keep one row an hour: remove the copy, or add the two up; columns that tell series apart \
             are named with --id-columns",
        )
    }

    fn clock_change(self, place: Place, problem: String, zone: Tz) -> SeriesFileError {
        let advice = format!(
            "time stamps on a local clock need --local-stamps and --time-zone with their zone, such as \
             --local-stamps --time-zone {zone}"
        );
        SeriesFileError::at(self.file, place, self.column, problem, advice)
    }
}

/// Values that are missing are let in only where such a series is left out.
fn check_values(grid: Grid<'_>, id: &str, rows: &[Row]) -> Result<(), SeriesFileError> {
    let is_missing = |row: &&Row| row.value.is_nan();
    let Some(first) = rows.iter().find(is_missing) else {
        return Ok(());
    };
    let missing = rows.iter().filter(is_missing).count();
    Err(SeriesFileError::of_place(
        grid.file,
        first.place,
        format!(
            "series {} has no value in {missing} of its {} rows",
            quoted(id),
            rows.len()
        ),
        "give numbers",
    ))
}

/// Every step from one row to the next must be a whole number of hours, at least one.
fn check_steps(grid: Grid<'_>, id: &str, rows: &[Row]) -> Result<(), SeriesFileError> {
    for pair in rows.windows(2) {
        let step = pair[1].seconds - pair[0].seconds;
        if step == 0 {
            return Err(grid.twice(id, pair));
        }
        if step % HOUR != 0 {
            return Err(SeriesFileError::at(
                grid.file,
                pair[1].place,
                grid.column,
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
    check_is_hourly(grid, id, rows)
}

/// Most steps longer than an hour are no gaps but another frequency.
fn check_is_hourly(grid: Grid<'_>, id: &str, rows: &[Row]) -> Result<(), SeriesFileError> {
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
            grid.file,
            rows[1].place,
            grid.column,
            format!("series {} has a row every {}", quoted(id), span(usual)),
            "series must be hourly: export it by the hour",
        ));
    }
    Ok(())
}

pub(crate) fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// As it is written, when nothing says on what clock.
fn bare(seconds: i64) -> String {
    moment(seconds).format("%Y-%m-%d %H:%M").to_string()
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
