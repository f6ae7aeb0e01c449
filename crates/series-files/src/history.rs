//! Histories of many series in one long file: `unique_id,ds,y`.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::assemble::{FillGaps, HourlySeries, Row, assemble, moment};
use crate::error::SeriesFileError;
use crate::spill::Spill;
use crate::stamp::{StampClock, StampStyle};
use crate::table::{Table, empty};
use crate::values::{self, Range, Stamps};

/// How a history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryOptions {
    /// What stands in for hours without a row; without it a gap is an error.
    pub fill_gaps: Option<FillGaps>,
    /// The clock that time stamps without an offset are on.
    pub clock: StampClock,
}

/// The span of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Its first hour.
    pub start: DateTime<Utc>,
    /// How many hours it has, at least one.
    pub hours: usize,
}

impl Extent {
    /// Its last hour.
    #[must_use]
    pub fn last(&self) -> DateTime<Utc> {
        self.start + TimeDelta::hours(self.hours as i64 - 1)
    }

    /// How many of its hours lie at or before a moment that is one of its hours; nothing for a
    /// moment off its grid.
    pub(crate) fn hours_until(&self, moment: DateTime<Utc>) -> Option<i64> {
        let seconds = (moment - self.start).num_seconds();
        (seconds % 3600 == 0).then_some(seconds / 3600 + 1)
    }
}

/// A file of series that was read once from end to end and found sound. The values stay in the
/// file and are read again, series by series: what is held is what one series needs, however large
/// the file is.
#[derive(Debug)]
pub struct HistoryFile {
    table: Table,
    options: HistoryOptions,
    style: StampStyle,
    rows: u64,
    filled: usize,
    /// Whether the rows of each series stand together.
    grouped: bool,
    places: HashMap<String, usize>,
    extents: Vec<Extent>,
}

impl HistoryFile {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// At the first thing that is not as it must be: the message names file, line, column and what
    /// to do.
    pub fn open(path: &Path, options: HistoryOptions) -> Result<Self, SeriesFileError> {
        let table = Table::open(path)?;
        table.require(COLUMNS)?;
        let mut file = Self {
            table,
            options,
            style: StampStyle::PLAIN,
            rows: 0,
            filled: 0,
            grouped: true,
            places: HashMap::new(),
            extents: Vec::new(),
        };
        file.survey()?;
        file.check_every_series()?;
        Ok(file)
    }

    /// Finds the series, their order, and whether the rows of each stand together.
    fn survey(&mut self) -> Result<(), SeriesFileError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let (mut rows, mut grouped, mut current) = (0, true, usize::MAX);
        let style = self.each_row(&mut |id, _| {
            rows += 1;
            let place = match places.get(id) {
                Some(place) => *place,
                None => {
                    current = places.len();
                    places.insert(id.to_owned(), current);
                    current
                }
            };
            grouped &= place == current;
            current = place;
            Ok(())
        })?;
        if rows == 0 {
            return Err(empty(self.table.path()));
        }
        self.style = style.unwrap_or(StampStyle::PLAIN);
        (self.rows, self.grouped, self.places) = (rows, grouped, places);
        Ok(())
    }

    fn check_every_series(&mut self) -> Result<(), SeriesFileError> {
        let mut found = vec![None; self.places.len()];
        let mut filled = 0;
        self.for_each::<SeriesFileError>(&mut |series| {
            filled += series.filled;
            found[self.places[&series.id]] = Some(Extent {
                start: series.start,
                hours: series.values.len(),
            });
            Ok(())
        })?;
        self.filled = filled;
        self.extents = found.into_iter().flatten().collect();
        Ok(())
    }

    /// Calls `each` with every series: in the order of the file when the rows of each stand
    /// together.
    ///
    /// # Errors
    /// The first error of `each`, or of the file when it was changed meanwhile.
    pub fn for_each<E: From<SeriesFileError>>(
        &self,
        each: &mut dyn FnMut(HourlySeries) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.grouped {
            return self.for_each_grouped(each);
        }
        let mut spill = Spill::new(self.table.path(), self.rows)?;
        self.each_row(&mut |id, row| match self.places.get(id) {
            Some(place) => spill.push(*place, row),
            None => Err(self.changed()),
        })?;
        let mut names = vec![""; self.places.len()];
        for (name, place) in &self.places {
            names[*place] = name;
        }
        spill.for_each_group(&mut |place, rows| {
            let series = assemble(
                self.table.path(),
                names[place],
                rows,
                self.options.fill_gaps,
            )?;
            each(series)
        })
    }

    fn for_each_grouped<E: From<SeriesFileError>>(
        &self,
        each: &mut dyn FnMut(HourlySeries) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut current = String::new();
        let mut rows: Vec<Row> = Vec::new();
        // An error of the caller has to get through the reader, which knows only its own.
        let mut refused = None;
        let mut close = |id: &str, rows: &mut Vec<Row>| {
            if rows.is_empty() {
                return Ok(());
            }
            let series = assemble(self.table.path(), id, rows, self.options.fill_gaps)?;
            rows.clear();
            each(series).map_err(|error| {
                refused = Some(error);
                self.changed()
            })
        };
        let outcome = self
            .each_row(&mut |id, row| {
                if id != current {
                    close(&current, &mut rows)?;
                    id.clone_into(&mut current);
                }
                rows.push(row);
                Ok(())
            })
            .and_then(|_| close(&current, &mut rows));
        match (refused, outcome) {
            (Some(error), _) => Err(error),
            (None, outcome) => Ok(outcome?),
        }
    }

    fn each_row(
        &self,
        each: &mut dyn FnMut(&str, Row) -> Result<(), SeriesFileError>,
    ) -> Result<Option<StampStyle>, SeriesFileError> {
        let columns = self.table.require(COLUMNS)?;
        let path = self.table.path();
        let mut stamps = Stamps::new(path, "ds", self.options.clock);
        let mut id = String::new();
        self.table.for_each(&columns, &mut |place, cells| {
            values::id(path, place, "unique_id", cells[0], &mut id)?;
            let row = Row {
                seconds: stamps.read(place, cells[1], &id)?,
                value: values::number(path, place, "y", cells[2], Range::NotNegative)?,
                place,
            };
            each(&id, row)
        })?;
        Ok(stamps.style())
    }

    fn changed(&self) -> SeriesFileError {
        SeriesFileError::of_file(
            self.table.path(),
            "changed while it was read",
            "run the command again when it is complete",
        )
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.table.path()
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many hours had no row and were filled in.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// How many series it has.
    #[must_use]
    pub fn series(&self) -> usize {
        self.extents.len()
    }

    /// The span of a series.
    #[must_use]
    pub fn extent(&self, id: &str) -> Option<Extent> {
        self.places.get(id).map(|place| self.extents[*place])
    }

    /// The spans of all series.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Names of all series, in the order in which they first appear.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        let mut ids = vec![""; self.places.len()];
        for (id, place) in &self.places {
            ids[*place] = id;
        }
        ids
    }

    /// A moment as this file writes them, so that what is made from it can be joined with it.
    #[must_use]
    pub fn render(&self, moment: DateTime<Utc>) -> String {
        self.style.render(moment, self.options.clock)
    }
}

const COLUMNS: [&str; 3] = ["unique_id", "ds", "y"];

/// A series of any regular step, for detectors that take what comes: `timestamp,value`.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSeries {
    /// Time stamps, in the order of the file, which must be the order of time.
    pub times: Vec<DateTime<Utc>>,
    /// One finite value a time stamp.
    pub values: Vec<f64>,
    style: StampStyle,
}

impl PointSeries {
    /// Reads a file of `timestamp,value` rows (as the Numenta Anomaly Benchmark has them).
    ///
    /// # Errors
    /// As [`HistoryFile::open`]; time stamps may repeat but not go back.
    pub fn read(path: &Path) -> Result<Self, SeriesFileError> {
        let table = Table::open(path)?;
        let columns = table.require(["timestamp", "value"])?;
        let mut stamps = Stamps::new(path, "timestamp", StampClock::Utc);
        let (mut times, mut numbers) = (Vec::new(), Vec::new());
        table.for_each(&columns, &mut |place, cells| {
            let time = moment(stamps.read(place, cells[0], "")?);
            if times.last().is_some_and(|last| time < *last) {
                return Err(SeriesFileError::at(
                    path,
                    place,
                    "timestamp",
                    "lies before the row above",
                    "sort the rows by time",
                ));
            }
            times.push(time);
            numbers.push(values::number(
                path,
                place,
                "value",
                cells[1],
                Range::Finite,
            )?);
            Ok(())
        })?;
        if times.is_empty() {
            return Err(empty(path));
        }
        Ok(Self {
            times,
            values: numbers,
            style: stamps.style().unwrap_or(StampStyle::PLAIN),
        })
    }

    /// Whether a file's header is that of such a file rather than of a history.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_one(path: &Path) -> Result<bool, SeriesFileError> {
        let table = Table::open(path)?;
        Ok(table.place("timestamp").is_some() && table.place("unique_id").is_none())
    }

    /// A moment as this file writes them.
    #[must_use]
    pub fn render(&self, moment: DateTime<Utc>) -> String {
        self.style.render(moment, StampClock::Utc)
    }
}
