//! How the time stamps of a column are written, judged over the whole file.

use foretide_local_times::{DateOrder, LocalTime, pattern};

use crate::error::{SeriesFileError, quoted};
use crate::stamp::{self, StampStyle};
use crate::table::{Cell, Sampled, Table};

/// For dates that mean the same in both orders.
const EITHER: DateOrder = DateOrder::DayFirst;

/// How the time stamps of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// ISO 8601, or moments of a typed file.
    Iso,
    /// As a locale writes them, which number is the day if dates do not tell, and the pattern that
    /// writes others alike.
    Local(Option<DateOrder>, Option<String>),
    /// Numbers since 1970, so many a second.
    Epoch(i64),
}

impl TimeFormat {
    /// Judges a column by its first rows, and by all of them where these leave open which number is
    /// the day. `order` is what was said about that.
    ///
    /// # Errors
    /// When dates may be meant either way, or contradict each other.
    pub(crate) fn judge(
        table: &Table,
        column: usize,
        head: &[Sampled],
        order: Option<DateOrder>,
    ) -> Result<Self, SeriesFileError> {
        if let Some(per_second) = epoch(head) {
            return Ok(Self::Epoch(per_second));
        }
        let first = head.iter().find_map(|value| match value {
            Sampled::Text(text) => Some(text.as_str()),
            _ => None,
        });
        match first {
            Some(text) if stamp::parse(text).is_none() && LocalTime::parse(text).is_some() => {
                Dates::of(table, column)?.judged(table, column, order)
            }
            _ => Ok(Self::Iso),
        }
    }

    /// How others are written alike; nothing where the first time stamp says it.
    pub(crate) fn style(&self) -> Option<StampStyle> {
        match self {
            Self::Iso => None,
            Self::Local(_, pattern) => Some(match pattern {
                Some(pattern) => StampStyle::pattern(pattern.clone()),
                None => StampStyle::PLAIN,
            }),
            Self::Epoch(per_second) => Some(StampStyle::epoch(*per_second)),
        }
    }

    /// Which number is the day, if that had to be judged.
    pub(crate) fn order(&self) -> Option<DateOrder> {
        match self {
            Self::Local(order, _) => *order,
            _ => None,
        }
    }

    /// What a refused time stamp is unlike.
    pub(crate) fn like(&self) -> &'static str {
        match self {
            Self::Iso | Self::Local(None, _) => "",
            Self::Local(Some(DateOrder::DayFirst), _) => {
                ", as dates of this file have their day first"
            }
            Self::Local(Some(DateOrder::MonthFirst), _) => {
                ", as dates of this file have their month first"
            }
            Self::Epoch(_) => " in seconds since 1970, as others of this file are",
        }
    }

    /// Seconds, whether there is a fraction, and whether they are in UTC by what the text says.
    pub(crate) fn read(&self, text: &str) -> Option<(i64, bool, bool)> {
        match self {
            Self::Iso => None,
            Self::Epoch(per_second) => {
                let number: i64 = text.parse().ok()?;
                let rest = number.rem_euclid(*per_second);
                Some((number.div_euclid(*per_second), rest != 0, true))
            }
            Self::Local(order, _) => {
                let millis = LocalTime::parse(text)?.millis(order.unwrap_or(EITHER))?;
                let is_utc = stamp::says_utc(text);
                Some((
                    millis.div_euclid(1000),
                    millis.rem_euclid(1000) != 0,
                    is_utc,
                ))
            }
        }
    }
}

/// Whether a value may be a time stamp: ISO 8601 or as a locale writes them.
pub(crate) fn is_time(text: &str) -> bool {
    stamp::parse(text).is_some() || LocalTime::parse(text).is_some()
}

/// Numbers a second, where all values are whole numbers with as many digits as such have today.
fn epoch(head: &[Sampled]) -> Option<i64> {
    let mut judged = None;
    for value in head {
        let number = match value {
            Sampled::Nothing => continue,
            Sampled::Text(text) => text.parse::<i64>().ok()?,
            Sampled::Number(number) if number.fract() == 0.0 => *number as i64,
            _ => return None,
        };
        // From 1973 to 5138 seconds have 9 to 11 digits, and so on.
        let per_second = match number {
            100_000_000..100_000_000_000 => 1,
            100_000_000_000..100_000_000_000_000 => 1000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
            100_000_000_000_000_000.. => 1_000_000_000,
            _ => return None,
        };
        if *judged.get_or_insert(per_second) != per_second {
            return None;
        }
    }
    judged
}

/// What the dates of a column tell.
#[derive(Debug, Default)]
struct Dates {
    day_first: Option<String>,
    month_first: Option<String>,
    /// The first that may be meant either way.
    either: Option<String>,
    /// The shortest: what it writes without a leading zero, all do.
    shortest: Option<String>,
}

impl Dates {
    fn of(table: &Table, column: usize) -> Result<Self, SeriesFileError> {
        let mut dates = Self::default();
        table.for_each(&[column], &mut |_, cells| {
            if let Cell::Text(text) = cells[0]
                && let Some(time) = LocalTime::parse(text)
            {
                dates.add(text, time);
            }
            Ok(())
        })?;
        Ok(dates)
    }

    fn add(&mut self, text: &str, time: LocalTime) {
        let shortest = self.shortest.as_ref();
        if shortest.is_none_or(|shortest| text.len() < shortest.len()) {
            self.shortest = Some(text.to_owned());
        }
        if time.is_year_first() {
            return;
        }
        let place = match time.order() {
            Some(DateOrder::DayFirst) => &mut self.day_first,
            Some(DateOrder::MonthFirst) => &mut self.month_first,
            None if time.is_same_in_both() => return,
            None => &mut self.either,
        };
        if place.is_none() {
            *place = Some(text.to_owned());
        }
    }

    fn judged(
        self,
        table: &Table,
        column: usize,
        given: Option<DateOrder>,
    ) -> Result<TimeFormat, SeriesFileError> {
        let refuse = |problem: String, advice: &str| {
            let name = &table.columns()[column];
            let place = crate::error::Place::File;
            Err(SeriesFileError::at(
                table.path(),
                place,
                name,
                problem,
                advice,
            ))
        };
        let order = match (self.day_first, self.month_first, self.either) {
            (Some(day), Some(month), _) => {
                let problem = format!(
                    "{} has its day first and {} its month",
                    quoted(&day),
                    quoted(&month)
                );
                return refuse(problem, "write all dates alike");
            }
            (Some(date), None, _) if given == Some(DateOrder::MonthFirst) => {
                let problem = format!("{} has its day first", quoted(&date));
                return refuse(problem, "give --date-order dmy, or leave it out");
            }
            (None, Some(date), _) if given == Some(DateOrder::DayFirst) => {
                let problem = format!("{} has its month first", quoted(&date));
                return refuse(problem, "give --date-order mdy, or leave it out");
            }
            (Some(_), None, _) => Some(DateOrder::DayFirst),
            (None, Some(_), _) => Some(DateOrder::MonthFirst),
            (None, None, Some(date)) => match given {
                Some(order) => Some(order),
                None => {
                    let problem = format!(
                        "no date tells whether {} has its day or its month first",
                        quoted(&date)
                    );
                    return refuse(problem, "say which: --date-order dmy or --date-order mdy");
                }
            },
            (None, None, None) => None,
        };
        let written = self
            .shortest
            .and_then(|text| pattern(&text, order.unwrap_or(EITHER)));
        Ok(TimeFormat::Local(order, written))
    }
}
