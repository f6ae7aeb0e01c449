//! Histories of many series in one long file: `unique_id,ds,y`, or columns found to hold these.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_local_times::DateOrder;

use crate::assemble::{FillGaps, Grid, HourlySeries, Row, assemble};
use crate::error::{SeriesFileError, quoted};
use crate::layout::{Ids, Layout, LayoutOptions};
use crate::spill::Spill;
use crate::stamp::{StampClock, StampStyle};
use crate::table::{Cell, Table, empty};
use crate::values::{self, Range};

/// How a history is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryOptions {
    /// What stands in for hours without a row; without it a gap is an error.
    pub fill_gaps: Option<FillGaps>,
    /// The clock that time stamps without an offset are on.
    pub clock: StampClock,
    /// How the file is laid out, where that was said.
    pub layout: LayoutOptions,
    /// Leaves out series that are not whole ([`HistoryFile::left_out`]) instead of refusing the file.
    pub leave_out: bool,
}

/// A series that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub id: String,
    /// What is wrong with it.
    pub reason: SeriesFileError,
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

/// What is done with each series, or with what is wrong with it.
type EachSeries<'a, E> =
    &'a mut dyn FnMut(&str, Result<HourlySeries, SeriesFileError>) -> Result<(), E>;

/// A file of series that was read once from end to end and found sound. The values stay in the
/// file and are read again, series by series: what is held is what one series needs, however large
/// the file is.
#[derive(Debug)]
pub struct HistoryFile {
    table: Table,
    options: HistoryOptions,
    layout: Layout,
    ids: Ids,
    style: StampStyle,
    rows: u64,
    filled: usize,
    /// Whether the rows of each series stand together.
    grouped: bool,
    places: HashMap<String, usize>,
    extents: Vec<Option<Extent>>,
    left_out: Vec<LeftOut>,
}

impl HistoryFile {
    /// Reads and checks all of it.
    ///
    /// # Errors
    /// At the first thing that is not as it must be: the message names file, line, column and what
    /// to do.
    pub fn open(path: &Path, options: HistoryOptions) -> Result<Self, SeriesFileError> {
        Self::of(Table::open(path, &options.layout)?, options)
    }

    /// The same for a table whose header was read.
    pub(crate) fn of(table: Table, options: HistoryOptions) -> Result<Self, SeriesFileError> {
        let layout = Layout::find(&table, &options.layout)?;
        let ids = layout.ids(&table, &options.layout)?;
        let mut file = Self {
            table,
            options,
            layout,
            ids,
            style: StampStyle::PLAIN,
            rows: 0,
            filled: 0,
            grouped: true,
            places: HashMap::new(),
            extents: Vec::new(),
            left_out: Vec::new(),
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
        let mut left_out = Vec::new();
        self.each_series::<SeriesFileError>(&mut |id, series| {
            match series {
                Ok(series) => {
                    filled += series.filled;
                    found[self.places[id]] = Some(Extent {
                        start: series.start,
                        hours: series.values.len(),
                    });
                }
                Err(reason) if self.options.leave_out => left_out.push(LeftOut {
                    id: id.to_owned(),
                    reason,
                }),
                Err(reason) => return Err(reason),
            }
            Ok(())
        })?;
        if left_out.len() == found.len()
            && let Some(first) = left_out.pop()
        {
            return Err(first.reason);
        }
        (self.filled, self.extents, self.left_out) = (filled, found, left_out);
        Ok(())
    }

    /// Calls `each` with every series that is whole: in the order of the file when the rows of each
    /// stand together.
    ///
    /// # Errors
    /// The first error of `each`, or of the file when it was changed meanwhile.
    pub fn for_each<E: From<SeriesFileError>>(
        &self,
        each: &mut dyn FnMut(HourlySeries) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_series(&mut |_, series| match series {
            Err(_) if self.options.leave_out => Ok(()),
            series => each(series?),
        })
    }

    fn each_series<E: From<SeriesFileError>>(&self, each: EachSeries<'_, E>) -> Result<(), E> {
        if self.grouped {
            return self.each_series_grouped(each);
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
            each(names[place], assemble(self.grid(), names[place], rows))
        })
    }

    fn grid(&self) -> Grid<'_> {
        Grid {
            file: self.table.path(),
            column: self.layout.time_column(&self.table),
            fill: self.options.fill_gaps,
            is_bare: self.style.is_bare()
                && !self.layout.is_utc()
                && self.options.clock == StampClock::Utc,
        }
    }

    fn each_series_grouped<E: From<SeriesFileError>>(
        &self,
        each: EachSeries<'_, E>,
    ) -> Result<(), E> {
        let mut current = String::new();
        let mut rows: Vec<Row> = Vec::new();
        // An error of the caller has to get through the reader, which knows only its own.
        let mut refused = None;
        let mut close = |id: &str, rows: &mut Vec<Row>| {
            if rows.is_empty() {
                return Ok(());
            }
            let series = assemble(self.grid(), id, rows);
            rows.clear();
            each(id, series).map_err(|error| {
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
        let path = self.table.path();
        let mut stamps = self.layout.stamps(&self.table, self.options.clock);
        let y = self.layout.value_column(&self.table);
        let (mut id, mut part) = (String::new(), String::new());
        let columns = self.layout.columns(&self.ids);
        self.table.for_each(&columns, &mut |place, cells| {
            self.ids
                .name(&self.table, place, &cells[2..], &mut part, &mut id)?;
            self.layout
                .each_point(&self.table, place, cells, &mut |time, value| {
                    let row = Row {
                        seconds: stamps.read(place, time, &id)?,
                        value: match values::number(path, place, y, value, Range::NotNegative) {
                            Ok(value) => value,
                            Err(_) if self.options.leave_out && value.is_missing() => f64::NAN,
                            Err(refused) => return Err(of_series(refused, &id, value)),
                        },
                        place,
                    };
                    each(&id, row)
                })
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

    /// How many series it has, without those that were left out.
    #[must_use]
    pub fn series(&self) -> usize {
        self.extents().count()
    }

    /// The span of a series that was not left out.
    #[must_use]
    pub fn extent(&self, id: &str) -> Option<Extent> {
        self.places.get(id).and_then(|place| self.extents[*place])
    }

    /// The spans of all series that were not left out.
    pub fn extents(&self) -> impl Iterator<Item = Extent> {
        self.extents.iter().copied().flatten()
    }

    /// Series that are not whole, and why.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What is read as what, where the header is not `unique_id,ds,y` itself or dates had to be
    /// judged.
    #[must_use]
    pub fn described(&self) -> Option<String> {
        self.layout.described(&self.table, &self.ids)
    }

    /// Which number of its dates is the day, if that had to be judged.
    pub(crate) fn date_order(&self) -> Option<DateOrder> {
        self.layout.date_order()
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
        self.style
            .render(moment, self.layout.clock(self.options.clock))
    }
}

/// A refused value, with the series it is of.
fn of_series(mut refused: SeriesFileError, id: &str, value: Cell<'_>) -> SeriesFileError {
    refused.problem = format!("{} in series {}", refused.problem, quoted(id));
    if value.is_missing() {
        refused
            .advice
            .push_str(", or leave the series out with --skip-short");
    }
    refused
}
