//! Quantities known ahead of time, shared by all series: a column each (`ds,campaign,drill`), or
//! long (`ds,name,value`).

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::assemble::{FillGaps, Grid, Row, assemble, moment};
use crate::error::{Place, SeriesFileError, quoted};
use crate::history::HistoryOptions;
use crate::layout::LayoutOptions;
use crate::table::{Table, empty};
use crate::time_format::TimeFormat;
use crate::values::{self, Range, Stamps};

/// One quantity on an hourly grid.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressorSeries {
    /// Its name.
    pub name: String,
    /// Its first hour.
    pub start: DateTime<Utc>,
    /// One finite value an hour.
    pub values: Vec<f64>,
}

/// Hours that regressors must cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// The first hour of any history.
    pub first: DateTime<Utc>,
    /// The last hour that is forecast.
    pub last: DateTime<Utc>,
}

/// Most regressors taken.
const MOST: usize = 64;

/// Reads regressors and checks that they cover the hours needed: the histories and the hours
/// forecast.
///
/// # Errors
/// For an hour that is missing, inside or at the ends, and as
/// [`crate::HistoryFile::open`].
pub fn read_regressors(
    path: &Path,
    options: &HistoryOptions,
    needed: Needed,
) -> Result<Vec<RegressorSeries>, SeriesFileError> {
    let table = Table::open(path, &LayoutOptions::default())?;
    if table.place("unique_id").is_some() {
        return Err(SeriesFileError::of_file(
            path,
            "has a column unique_id, but regressors are shared by all series",
            "give ds and one column a regressor, or ds,name,value",
        ));
    }
    let rows = if table.place("name").is_some() && table.place("value").is_some() {
        read_long(&table, options)?
    } else {
        read_wide(&table, options)?
    };
    if rows.is_empty() {
        return Err(empty(path));
    }
    if rows.len() > MOST {
        return Err(SeriesFileError::of_file(
            path,
            format!("has {} regressors", rows.len()),
            format!("give at most {MOST}"),
        ));
    }
    rows.into_iter()
        .map(|(name, rows)| on_grid(path, &name, rows, options.fill_gaps, needed))
        .collect()
}

type RowsByName = BTreeMap<String, Vec<Row>>;

fn read_wide(table: &Table, options: &HistoryOptions) -> Result<RowsByName, SeriesFileError> {
    let path = table.path();
    let [ds] = table.require(["ds"])?;
    let mut columns = vec![ds];
    columns.extend((0..table.columns().len()).filter(|at| *at != ds));
    let names: Vec<&String> = columns[1..]
        .iter()
        .map(|at| &table.columns()[*at])
        .collect();
    if names.is_empty() {
        return Err(SeriesFileError::of_file(
            path,
            "has no column beside ds",
            "give one column a regressor",
        ));
    }
    let mut stamps = stamps(table, ds, options)?;
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); names.len()];
    table.for_each(&columns, &mut |place, cells| {
        let seconds = stamps.read(place, cells[0], "")?;
        for ((cell, name), rows) in cells[1..].iter().zip(&names).zip(&mut rows) {
            rows.push(Row {
                seconds,
                value: values::number(path, place, name, *cell, Range::Finite)?,
                place,
            });
        }
        Ok(())
    })?;
    if rows[0].is_empty() {
        return Ok(BTreeMap::new());
    }
    Ok(names.into_iter().cloned().zip(rows).collect())
}

fn read_long(table: &Table, options: &HistoryOptions) -> Result<RowsByName, SeriesFileError> {
    let path = table.path();
    let columns = table.require(["ds", "name", "value"])?;
    let mut stamps = stamps(table, columns[0], options)?;
    let mut name = String::new();
    let mut rows = RowsByName::new();
    table.for_each(&columns, &mut |place, cells| {
        values::id(path, place, "name", cells[1], &mut name)?;
        let row = Row {
            seconds: stamps.read(place, cells[0], &name)?,
            value: values::number(path, place, "value", cells[2], Range::Finite)?,
            place,
        };
        match rows.get_mut(&name) {
            Some(rows) => rows.push(row),
            None => {
                rows.insert(name.clone(), vec![row]);
            }
        }
        Ok(())
    })?;
    Ok(rows)
}

fn stamps(table: &Table, ds: usize, options: &HistoryOptions) -> Result<Stamps, SeriesFileError> {
    let head = table.head()?;
    let format = TimeFormat::judge(table, ds, &head[ds], options.layout.date_order)?;
    Ok(Stamps::new(table.path(), "ds", options.clock, format))
}

fn on_grid(
    path: &Path,
    name: &str,
    mut rows: Vec<Row>,
    fill: Option<FillGaps>,
    needed: Needed,
) -> Result<RegressorSeries, SeriesFileError> {
    rows.sort_by_key(|row| row.seconds);
    let series = assemble(
        Grid {
            file: path,
            column: "ds",
            fill,
            is_bare: false,
        },
        name,
        &mut rows,
    )?;
    let hours = series.values.len() as i64;
    let last = series.start + TimeDelta::hours(hours - 1);
    let show = |moment: DateTime<Utc>| moment.format("%Y-%m-%d %H:%M UTC").to_string();
    if series.start > needed.first || last < needed.last {
        return Err(SeriesFileError::at(
            path,
            rows.last().map_or(Place::File, |row| row.place),
            "ds",
            format!(
                "regressor {} runs from {} to {}",
                quoted(name),
                show(series.start),
                show(last)
            ),
            format!(
                "it must cover the histories and the hours forecast: {} to {}",
                show(needed.first),
                show(needed.last)
            ),
        ));
    }
    let off_grid = (needed.first - series.start).num_seconds() % 3600 != 0;
    if off_grid {
        return Err(SeriesFileError::at(
            path,
            rows[0].place,
            "ds",
            format!(
                "{} is not on the hours of the history",
                show(moment(rows[0].seconds))
            ),
            "use the same minutes as the history",
        ));
    }
    Ok(RegressorSeries {
        name: name.to_owned(),
        start: series.start,
        values: series.values,
    })
}
