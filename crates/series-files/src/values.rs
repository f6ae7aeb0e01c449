//! Cells to ids, moments and numbers, with the reason when they are none.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::{Place, SeriesFileError, quoted};
use crate::stamp::{self, StampClock, StampStyle};
use crate::table::Cell;
use crate::time_format::TimeFormat;

const MICROS: i64 = 1_000_000;

/// The largest value taken: what a 64-bit float still counts one by one.
const LARGEST: f64 = 9e15;

const SHAPE: &str = "write YYYY-MM-DD HH:MM:SS, with Z or +HH:MM behind it if not plain, in all rows \
                     alike; another column is named with --time-column";

/// Years that time stamps may lie in, as seconds since 1970: 1900 to 2200.
const SECONDS: std::ops::Range<i64> = -2_208_988_800..7_258_118_400;

/// Reads the time stamps of one column and sees to it that they are all of one kind.
#[derive(Debug)]
pub(crate) struct Stamps {
    file: PathBuf,
    column: String,
    clock: StampClock,
    format: TimeFormat,
    first: Option<(Place, bool)>,
    style: Option<StampStyle>,
    /// The latest moment and its offset from UTC, which may change within a file.
    latest: (i64, i32),
    /// Hours that carry a name twice when clocks are set back, of which one was seen.
    repeated: HashSet<(String, i64)>,
}

impl Stamps {
    pub(crate) fn new(file: &Path, column: &str, clock: StampClock, format: TimeFormat) -> Self {
        Self {
            file: file.to_path_buf(),
            column: column.to_owned(),
            clock,
            style: format.style(),
            format,
            first: None,
            latest: (i64::MIN, 0),
            repeated: HashSet::new(),
        }
    }

    /// How time stamps are written; their offset is that of the latest.
    pub(crate) fn style(&self) -> Option<StampStyle> {
        let style = self.style.clone()?;
        Some(style.with_offset(self.latest.1))
    }

    /// Seconds since 1970, UTC. `series` tells apart whose hour it is.
    pub(crate) fn read(
        &mut self,
        place: Place,
        cell: Cell<'_>,
        series: &str,
    ) -> Result<i64, SeriesFileError> {
        let (seconds, has_offset) = self.written(place, cell)?;
        self.check_kind(place, has_offset)?;
        if !SECONDS.contains(&seconds) {
            return Err(self.refuse(place, "lies before 1900 or after 2200", "correct it"));
        }
        if has_offset {
            return Ok(seconds);
        }
        let second_time =
            self.clock.is_ambiguous(seconds) && !self.repeated.insert((series.to_owned(), seconds));
        self.clock.moment(seconds, second_time).ok_or_else(|| {
            self.refuse(
                place,
                "this hour is skipped when clocks are set forward",
                "correct it, or leave --local-stamps out if time stamps are in UTC",
            )
        })
    }

    /// Seconds on the clock it is written in, and whether that is UTC by what it says itself.
    fn written(&mut self, place: Place, cell: Cell<'_>) -> Result<(i64, bool), SeriesFileError> {
        let (seconds, has_fraction, has_offset) = match cell {
            Cell::Text(text) => self.text(place, text)?,
            Cell::Moment(micros, is_utc) => {
                let style = if is_utc {
                    StampStyle::UTC
                } else {
                    StampStyle::PLAIN
                };
                self.style.get_or_insert(style);
                (
                    micros.div_euclid(MICROS),
                    micros.rem_euclid(MICROS) != 0,
                    is_utc,
                )
            }
            Cell::Null => {
                return Err(self.refuse(place, "has no time stamp", "give every row one"));
            }
            Cell::Number(number) => match self.format {
                TimeFormat::Epoch(per_second) if number.abs() < LARGEST => {
                    let number = number as i64;
                    let rest = number.rem_euclid(per_second);
                    (number.div_euclid(per_second), rest != 0, true)
                }
                _ => return Err(self.refuse(place, "is a number, not a time stamp", SHAPE)),
            },
            Cell::Other(what) => return Err(self.refuse(place, &format!("is {what}"), SHAPE)),
        };
        if has_fraction {
            let advice = "aggregate to whole hours first";
            return Err(self.refuse(place, "the time stamp has a fraction of a second", advice));
        }
        Ok((seconds, has_offset))
    }

    fn text(&mut self, place: Place, text: &str) -> Result<(i64, bool, bool), SeriesFileError> {
        if self.format == TimeFormat::Iso
            && let Some(stamp) = stamp::parse(text)
        {
            if self.style.is_none() {
                self.style = Some(StampStyle::of(text));
            }
            if let Some(offset) = stamp.offset
                && stamp.seconds > self.latest.0
            {
                self.latest = (stamp.seconds, offset);
            }
            return Ok((stamp.seconds, stamp.has_fraction, stamp.offset.is_some()));
        }
        self.format.read(text).ok_or_else(|| {
            let problem = format!("{} is not a time stamp{}", quoted(text), self.format.like());
            self.refuse(place, &problem, SHAPE)
        })
    }

    fn check_kind(&mut self, place: Place, has_offset: bool) -> Result<(), SeriesFileError> {
        let (first, expected) = *self.first.get_or_insert((place, has_offset));
        if has_offset == expected {
            return Ok(());
        }
        let word = |with: bool| if with { "an" } else { "no" };
        let first = first.to_string();
        let problem = format!(
            "the time stamp has {} offset from UTC, the one in {} has {} offset",
            word(has_offset),
            first.trim_start_matches(", "),
            word(expected)
        );
        Err(self.refuse(place, &problem, "write all time stamps the same way"))
    }

    fn refuse(&self, place: Place, problem: &str, advice: &str) -> SeriesFileError {
        SeriesFileError::at(&self.file, place, &self.column, problem, advice)
    }
}

/// The name of a series.
pub(crate) fn id(
    file: &Path,
    place: Place,
    column: &str,
    cell: Cell<'_>,
    buffer: &mut String,
) -> Result<(), SeriesFileError> {
    let refuse =
        |problem: String, advice| SeriesFileError::at(file, place, column, problem, advice);
    buffer.clear();
    match cell {
        Cell::Text(text) if text.len() <= 256 => buffer.push_str(text),
        Cell::Number(number) => buffer.push_str(&number.to_string()),
        Cell::Null => {
            return Err(refuse(
                "is empty".to_owned(),
                "name the series in every row",
            ));
        }
        Cell::Text(text) => {
            let problem = format!("{} has more than 256 bytes", quoted(text));
            return Err(refuse(problem, "use shorter names"));
        }
        Cell::Moment(..) => {
            return Err(refuse("is a time stamp".to_owned(), "give a name"));
        }
        Cell::Other(what) => return Err(refuse(format!("is {what}"), "give a name")),
    }
    Ok(())
}

/// What numbers are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Counts and volumes.
    NotNegative,
    /// Anything finite.
    Finite,
}

/// A number.
pub(crate) fn number(
    file: &Path,
    place: Place,
    column: &str,
    cell: Cell<'_>,
    range: Range,
) -> Result<f64, SeriesFileError> {
    let refuse =
        |problem: String, advice: &str| SeriesFileError::at(file, place, column, problem, advice);
    const MISSING: &str = "give a number, or remove the row (a history then needs --fill-gaps)";
    let value = match cell {
        Cell::Null => return Err(refuse("is empty".to_owned(), MISSING)),
        Cell::Number(value) => value,
        Cell::Text(text) => match text.parse::<f64>() {
            Ok(value) => value,
            Err(_) => {
                let problem = format!("{} is not a number", quoted(text));
                return Err(refuse(
                    problem,
                    "write a plain number such as 12 or 12.5, without units; commas of decimals are told with \
                     --decimal comma, another column with --value-column",
                ));
            }
        },
        Cell::Moment(..) => return Err(refuse("is a time stamp".to_owned(), "give a number")),
        Cell::Other(what) => return Err(refuse(format!("is {what}"), "give a number")),
    };
    if value.is_nan() {
        return Err(refuse("is not a number (NaN)".to_owned(), MISSING));
    }
    if !value.is_finite() || value.abs() > LARGEST {
        return Err(refuse(
            format!("{value:e} is too large"),
            "give finite numbers up to 9e15",
        ));
    }
    if value < 0.0 && range == Range::NotNegative {
        return Err(refuse(
            format!("{value} is negative"),
            "counts and volumes start at 0: correct it, or shift the series",
        ));
    }
    Ok(value)
}
