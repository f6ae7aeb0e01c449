//! Dates as people's locales write them. Whether `3/11/2026` is in March or in November its text does
//! not tell: that is judged over the whole file.

use chrono::NaiveDate;
use serde::Deserialize;

/// Which number of a date that ends with its year is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// `23/11/2026`
    DayFirst,
    /// `11/23/2026`
    MonthFirst,
}

/// A date and time of day, of which nothing says yet which number is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The three numbers of the date, as they are written.
    date: [u32; 3],
    is_year_first: bool,
    /// Dates with points are written with the day first everywhere.
    has_points: bool,
    millis_of_day: i64,
}

impl LocalTime {
    /// Reads `<date>[,] <time>`: a date of three numbers with one of `/`, `.` and `-` between them,
    /// a time of 24 or twice 12 hours, its seconds and their fraction left out or not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, between) = numbers_of(text)?;
        let ([year_or_day, middle, last, time @ ..], [lead, first, second, rest @ ..]) =
            (numbers.as_slice(), between.as_slice())
        else {
            return None;
        };
        let is_year_first = year_or_day.len() == 4;
        let is_date = first.trim() == second.trim()
            && matches!(first.trim(), "/" | "." | "-")
            && (is_year_first || last.len() == 4)
            && lead.trim().is_empty();
        if !is_date {
            return None;
        }
        Some(Self {
            date: [year_or_day, middle, last].map(|number| number.parse().unwrap_or(0)),
            is_year_first,
            has_points: first.trim() == ".",
            millis_of_day: millis_of_day(time, rest)?,
        })
    }

    /// Whether the date begins with its year, so that its text tells all.
    #[must_use]
    pub fn is_year_first(&self) -> bool {
        self.is_year_first
    }

    /// Which number is the day, if the text tells: one of them is no month.
    #[must_use]
    pub fn order(&self) -> Option<DateOrder> {
        match self.date {
            [first, _, _] if first > 12 => Some(DateOrder::DayFirst),
            [_, second, _] if second > 12 => Some(DateOrder::MonthFirst),
            _ if self.has_points => Some(DateOrder::DayFirst),
            _ => None,
        }
    }

    /// Whether it is the same moment in either order.
    #[must_use]
    pub fn is_same_in_both(&self) -> bool {
        self.date[0] == self.date[1]
    }

    /// Milliseconds since 1970, as UTC; the order does not matter where the year comes first.
    /// Nothing when there is no such day.
    #[must_use]
    pub fn millis(&self, order: DateOrder) -> Option<i64> {
        let [first, second, third] = self.date;
        let (year, month, day) = match order {
            _ if self.is_year_first => (first, second, third),
            DateOrder::MonthFirst => (third, first, second),
            DateOrder::DayFirst => (third, second, first),
        };
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
        Some(midnight + self.millis_of_day)
    }
}

/// A pattern for `chrono` that writes whole seconds the way `text` is written: numbers of one digit
/// stand for numbers without leading zeros. Nothing when it is no date and time, or names the half of
/// the day by another word than AM and PM.
#[must_use]
pub fn pattern(text: &str, order: DateOrder) -> Option<String> {
    let time = LocalTime::parse(text)?;
    let (numbers, between) = numbers_of(text)?;
    let date = match order {
        _ if time.is_year_first => ["Y", "m", "d"],
        DateOrder::DayFirst => ["d", "m", "Y"],
        DateOrder::MonthFirst => ["m", "d", "Y"],
    };
    let is_halved = between
        .iter()
        .any(|text| !matches!(HalfOfDay::named(text), None | Some(HalfOfDay::Unnamed)));
    let hour = if is_halved { "I" } else { "H" };
    let mut pattern = String::new();
    let letters = date.into_iter().chain([hour, "M", "S"]).map(Some);
    for ((number, before), letter) in numbers
        .iter()
        .zip(&between)
        .zip(letters.chain(std::iter::repeat(None)))
    {
        pattern.push_str(&literal(before)?);
        match letter {
            Some(letter) if number.len() == 1 => pattern.push_str(&format!("%-{letter}")),
            Some(letter) => pattern.push_str(&format!("%{letter}")),
            None => pattern.push_str(&"0".repeat(number.len())),
        }
    }
    pattern.push_str(&literal(between.last()?)?);
    Some(pattern)
}

/// What stands between numbers, as part of a pattern.
fn literal(text: &str) -> Option<String> {
    let escaped = text.replace('%', "%%");
    if matches!(HalfOfDay::named(text), None | Some(HalfOfDay::Unnamed)) {
        return Some(escaped);
    }
    let written = [("AM", "%p"), ("PM", "%p"), ("am", "%P"), ("pm", "%P")];
    let (word, letter) = written.iter().find(|(word, _)| escaped.contains(word))?;
    Some(escaped.replace(word, letter))
}

/// The numbers of a text, and what stands before, between and after them.
fn numbers_of(text: &str) -> Option<(Vec<&str>, Vec<&str>)> {
    const MOST: usize = 7;
    let (mut numbers, mut between) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit());
        let (number, after) = from.split_at(end.unwrap_or(from.len()));
        if numbers.len() == MOST || number.len() > 9 {
            return None;
        }
        numbers.push(number);
        between.push(before);
        rest = after;
    }
    between.push(rest);
    Some((numbers, between))
}

/// `between` begins with what stands between date and time, and ends with what stands after the time.
fn millis_of_day(numbers: &[&str], between: &[&str]) -> Option<i64> {
    let number = |at: usize| numbers.get(at).map_or(Some(0), |text| text.parse().ok());
    let (gap, parts) = between.split_first()?;
    if numbers.is_empty() {
        return is_blank(gap).then_some(0);
    }
    let (end, separators) = parts.split_last()?;
    let are_separators = separators.iter().enumerate().all(|(at, text)| match at {
        0 | 1 => matches!(*text, ":" | "."),
        _ => matches!(*text, "." | ","),
    });
    if numbers.len() < 2 || !are_separators || numbers[1].len() != 2 {
        return None;
    }
    let (hour, minute, second): (i64, i64, i64) = (number(0)?, number(1)?, number(2)?);
    let hour = match (HalfOfDay::named(gap)?, HalfOfDay::named(end)?) {
        (HalfOfDay::Unnamed, HalfOfDay::Unnamed) if hour < 24 => hour,
        (HalfOfDay::Unnamed, half) | (half, HalfOfDay::Unnamed) if (1..=12).contains(&hour) => {
            hour % 12 + if half == HalfOfDay::Second { 12 } else { 0 }
        }
        _ => return None,
    };
    if minute > 59 || second > 59 {
        return None;
    }
    let fraction = numbers.get(3).copied().unwrap_or("");
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

fn is_blank(text: &str) -> bool {
    text.trim_matches(|c: char| c.is_whitespace() || c == ',' || c == '.')
        .is_empty()
}

/// The half of the day that a text beside a time names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HalfOfDay {
    Unnamed,
    First,
    Second,
}

impl HalfOfDay {
    /// Nothing when the text says something else.
    fn named(text: &str) -> Option<Self> {
        let letters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, ',' | '.'))
            .flat_map(char::to_lowercase)
            .collect();
        match letters.as_str() {
            "" | "utc" | "[utc]" | "z" => Some(Self::Unnamed),
            "am" | "午前" | "上午" | "오전" => Some(Self::First),
            "pm" | "午後" | "下午" | "오후" => Some(Self::Second),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn read(text: &str, order: DateOrder) -> Option<String> {
        let millis = LocalTime::parse(text)?.millis(order)?;
        DateTime::<Utc>::from_timestamp_millis(millis).map(|moment| moment.to_rfc3339())
    }

    #[test]
    fn a_moment_is_read_in_every_locale() {
        use DateOrder::{DayFirst, MonthFirst};
        let evening = [
            ("11/3/2026, 9:00:00.000 PM", MonthFirst),
            ("11/3/2026, 9:00:00.000\u{202f}PM", MonthFirst),
            ("11/3/2026 21:00", MonthFirst),
            ("3/11/2026, 9:00:00.000 pm", DayFirst),
            ("3/11/2026, 9:00:00.000 p.\u{a0}m.", DayFirst),
            ("03/11/2026, 21:00:00", DayFirst),
            ("3.11.2026, 21:00:00.000", DayFirst),
            ("3. 11. 2026 21:00:00", DayFirst),
            ("3.11.2026 21.00", DayFirst),
            ("03-11-2026 21:00:00,000", DayFirst),
            ("2026/11/3 21:00:00.000", MonthFirst),
            ("2026. 11. 3. 오후 9:00:00.000", DayFirst),
            ("2026-11-03 21:00:00,000", MonthFirst),
        ];
        for (text, order) in evening {
            let moment = read(text, order);
            assert_eq!(
                moment.as_deref(),
                Some("2026-11-03T21:00:00+00:00"),
                "{text}"
            );
        }
        let midnight = read("5/11/2026, 12:00:00.000 am", DayFirst);
        assert_eq!(midnight.as_deref(), Some("2026-11-05T00:00:00+00:00"));
        let day = read("24/11/2026", DayFirst);
        assert_eq!(day.as_deref(), Some("2026-11-24T00:00:00+00:00"));
    }

    #[test]
    fn a_moment_is_written_the_way_others_of_its_file_are() {
        use DateOrder::{DayFirst, MonthFirst};
        for (like, order, written) in [
            (
                "6/1/2026, 1:00:00.000 AM",
                MonthFirst,
                "11/3/2026, 9:00:00.000 PM",
            ),
            ("06/01/2026 00:00", MonthFirst, "11/03/2026 21:00"),
            (
                "1.6.2026, 09:00:00.000",
                DayFirst,
                "3.11.2026, 21:00:00.000",
            ),
            ("2026/6/1 09:00", DayFirst, "2026/11/3 21:00"),
            ("1/6/2026, 1:00:00 pm", DayFirst, "3/11/2026, 9:00:00 pm"),
            ("24/11/2026", DayFirst, "03/11/2026"),
        ] {
            let pattern = pattern(like, order).expect(like);
            let moment = DateTime::from_timestamp(1_793_739_600, 0).unwrap();
            assert_eq!(moment.format(&pattern).to_string(), written, "{like}");
        }
        assert_eq!(pattern("2026. 11. 3. 오후 9:00", DayFirst), None);
        assert_eq!(pattern("no date", DayFirst), None);
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in [
            "",
            "3/11",
            "3/11-2026, 9:00",
            "3/11/26, 9:00",
            "31/11/2026, 9:00",
            "3/11/2026, 24:00",
            "3/11/2026, 13:00 pm",
            "3/11/2026, 0:00 am",
            "3/11/2026, 9",
            "3/11/2026, 9:0",
            "3/11/2026, 9:60",
            "3/11/2026, 9:00 CET",
            "at 3/11/2026, 9:00",
            "3/11/2026, 9:00:00.000 am, 4",
            "99999999999/11/2026",
        ] {
            assert_eq!(read(text, DateOrder::DayFirst), None, "{text}");
        }
    }

    #[test]
    fn a_day_past_the_twelfth_and_points_tell_the_order() {
        let order = |text: &str| LocalTime::parse(text).unwrap().order();
        assert_eq!(order("13/11/2026, 9:00"), Some(DateOrder::DayFirst));
        assert_eq!(order("11/13/2026, 9:00"), Some(DateOrder::MonthFirst));
        assert_eq!(order("3.11.2026, 9:00"), Some(DateOrder::DayFirst));
        assert_eq!(order("3/11/2026, 9:00"), None);
    }
}
