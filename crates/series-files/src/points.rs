//! Series of any regular step, for detectors that take what comes: `timestamp,value`.

use std::path::Path;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::assemble::moment;
use crate::clock_change;
use crate::error::SeriesFileError;
use crate::history::{HistoryFile, HistoryOptions};
use crate::layout::Layout;
use crate::stamp::{StampClock, StampStyle};
use crate::table::{Table, empty};
use crate::values::{self, Range};

/// A file for detectors: one series of points, or a history of hourly ones.
#[derive(Debug)]
pub enum Watched {
    /// `timestamp,value` rows of any step.
    Points(PointSeries),
    /// `unique_id,ds,y`, or columns found to hold these.
    History(Box<HistoryFile>),
}

impl Watched {
    /// Reads and checks a file; the header tells what it is.
    ///
    /// # Errors
    /// As [`HistoryFile::open`]; time stamps of points may repeat but not go back, unless clocks were
    /// set back then.
    pub fn open(path: &Path, options: HistoryOptions) -> Result<Self, SeriesFileError> {
        let table = Table::open(path, &options.layout)?;
        if table.place("timestamp").is_some() && table.place("unique_id").is_none() {
            return Ok(Self::Points(PointSeries::read(&table, &options)?));
        }
        let history = HistoryFile::of(table, options)?;
        Ok(Self::History(Box::new(history)))
    }
}

/// A series of points.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSeries {
    /// Time stamps, in the order of the file, which must be the order of time.
    pub times: Vec<DateTime<Utc>>,
    /// One finite value a time stamp.
    pub values: Vec<f64>,
    /// What was found about their clock, in words.
    pub note: Option<String>,
    style: StampStyle,
    clock: StampClock,
}

/// Why points could not be read on a clock.
enum Refused {
    /// They are on the clock of a place.
    SetBack(Tz, DateTime<Utc>),
    Other(SeriesFileError),
}

impl From<SeriesFileError> for Refused {
    fn from(error: SeriesFileError) -> Self {
        Self::Other(error)
    }
}

impl PointSeries {
    fn read(table: &Table, options: &HistoryOptions) -> Result<Self, SeriesFileError> {
        let layout = Layout::find(table, &options.layout)?;
        let clock = layout.clock(options.clock);
        match Self::on_clock(table, &layout, clock) {
            Ok(series) => Ok(series),
            Err(Refused::Other(error)) => Err(error),
            Err(Refused::SetBack(zone, at)) => {
                let local = StampClock::Local(zone);
                let mut series =
                    Self::on_clock(table, &layout, local).map_err(|refused| match refused {
                        Refused::Other(error) => error,
                        Refused::SetBack(..) => goes_back(table, &layout, crate::Place::File),
                    })?;
                series.note = Some(format!(
                    "clocks are set back at {}: read as local time, as in {zone}",
                    at.format("%Y-%m-%d %H:%M")
                ));
                Ok(series)
            }
        }
    }

    fn on_clock(table: &Table, layout: &Layout, clock: StampClock) -> Result<Self, Refused> {
        let path = table.path();
        let mut stamps = layout.stamps(table, clock);
        let (mut times, mut numbers) = (Vec::<DateTime<Utc>>::new(), Vec::new());
        let mut set_back = None;
        let columns = layout.columns(&crate::layout::Ids::File(String::new()));
        let outcome = table.for_each(&columns, &mut |place, cells| {
            layout.each_point(table, place, cells, &mut |time, value| {
                let time = moment(stamps.read(place, time, "")?);
                let last = times.last().copied();
                if let Some(last) = last.filter(|last| time < *last) {
                    let is_bare = stamps.style().is_some_and(|style| style.is_bare());
                    if is_bare && clock == StampClock::Utc && !layout.is_utc() {
                        let zone = clock_change::zone_that_repeats(time.timestamp());
                        set_back = zone
                            .filter(|_| (last - time).num_seconds() <= 3600)
                            .map(|zone| (zone, time));
                    }
                    return Err(goes_back(table, layout, place));
                }
                times.push(time);
                let column = layout.value_column(table);
                numbers.push(values::number(path, place, column, value, Range::Finite)?);
                Ok(())
            })
        });
        if let Some((zone, at)) = set_back {
            return Err(Refused::SetBack(zone, at));
        }
        outcome?;
        if times.is_empty() {
            return Err(empty(path).into());
        }
        Ok(Self {
            times,
            values: numbers,
            note: None,
            style: stamps.style().unwrap_or(StampStyle::PLAIN),
            clock,
        })
    }

    /// A moment as this file writes them.
    #[must_use]
    pub fn render(&self, moment: DateTime<Utc>) -> String {
        self.style.render(moment, self.clock)
    }
}

fn goes_back(table: &Table, layout: &Layout, place: crate::Place) -> SeriesFileError {
    SeriesFileError::at(
        table.path(),
        place,
        layout.time_column(table),
        "lies before the row above",
        "sort the rows by time",
    )
}
