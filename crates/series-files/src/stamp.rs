//! Time stamps: parsed strictly, and written the way the input writes them.

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// A time stamp as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Seconds since 1970 on the clock it is written in.
    pub(crate) seconds: i64,
    /// Whether it has a fraction of a second.
    pub(crate) has_fraction: bool,
    /// Seconds east of UTC, when it says so.
    pub(crate) offset: Option<i32>,
}

/// How a file writes time stamps, so that what is made from it can be joined with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampStyle(Shape);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Iso {
        t_between: bool,
        seconds: bool,
        zone: Zone,
    },
    /// A pattern of `chrono`, without an offset.
    Pattern(String),
    /// So many a second since 1970.
    Epoch(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    None,
    Z,
    /// Seconds east of UTC, and what writes them.
    Offset(i32, &'static str),
}

impl StampStyle {
    /// `2026-01-31 13:00:00`, without an offset.
    pub const PLAIN: Self = Self(Shape::Iso {
        t_between: false,
        seconds: true,
        zone: Zone::None,
    });

    /// `2026-01-31T13:00:00Z`.
    pub const UTC: Self = Self(Shape::Iso {
        t_between: true,
        seconds: true,
        zone: Zone::Z,
    });

    /// The style of a well-formed time stamp.
    pub(crate) fn of(text: &str) -> Self {
        let time = text.get(11..).unwrap_or_default();
        let zone = match time.find(['Z', 'z', '+', '-']) {
            None => Zone::None,
            Some(at) if time[at..].eq_ignore_ascii_case("z") => Zone::Z,
            Some(at) => {
                let offset = parse_offset(&time.as_bytes()[at..]).flatten().unwrap_or(0);
                let written = if time[at..].contains(':') {
                    "%:z"
                } else {
                    "%z"
                };
                Zone::Offset(offset, written)
            }
        };
        Self(Shape::Iso {
            t_between: text.as_bytes().get(10).is_some_and(|byte| *byte != b' '),
            seconds: time.is_empty() || time.as_bytes().get(5) == Some(&b':'),
            zone,
        })
    }

    /// That of a pattern of `chrono`.
    pub(crate) fn pattern(pattern: String) -> Self {
        Self(Shape::Pattern(pattern))
    }

    /// Numbers of so many a second since 1970.
    pub(crate) fn epoch(per_second: i64) -> Self {
        Self(Shape::Epoch(per_second))
    }

    /// The same with another offset, where it has one.
    pub(crate) fn with_offset(self, offset: i32) -> Self {
        match self.0 {
            Shape::Iso {
                t_between,
                seconds,
                zone: Zone::Offset(_, written),
            } => Self(Shape::Iso {
                t_between,
                seconds,
                zone: Zone::Offset(offset, written),
            }),
            shape => Self(shape),
        }
    }

    /// Whether nothing in it says what clock it is on.
    pub(crate) fn is_bare(&self) -> bool {
        match &self.0 {
            Shape::Iso { zone, .. } => *zone == Zone::None,
            Shape::Pattern(pattern) => !says_utc(pattern),
            Shape::Epoch(_) => false,
        }
    }

    /// A moment in this style: on the clock's own time when the style has no offset, else at the
    /// offset that the style has.
    #[must_use]
    pub fn render(&self, moment: DateTime<Utc>, clock: StampClock) -> String {
        let shown = match clock {
            StampClock::Local(zone) if self.is_bare() => moment.with_timezone(&zone).naive_local(),
            _ => moment.naive_utc(),
        };
        match &self.0 {
            Shape::Epoch(per_second) => (moment.timestamp() * per_second).to_string(),
            Shape::Pattern(pattern) => shown.format(pattern).to_string(),
            Shape::Iso {
                t_between,
                seconds,
                zone,
            } => {
                let between = if *t_between { 'T' } else { ' ' };
                let time = if *seconds { "%H:%M:%S" } else { "%H:%M" };
                let pattern = format!("%Y-%m-%d{between}{time}");
                match zone {
                    Zone::None => shown.format(&pattern).to_string(),
                    Zone::Z => format!("{}Z", shown.format(&pattern)),
                    Zone::Offset(seconds, written) => {
                        let offset = FixedOffset::east_opt(*seconds).unwrap_or_else(|| Utc.fix());
                        let shown = moment.with_timezone(&offset);
                        shown.format(&format!("{pattern}{written}")).to_string()
                    }
                }
            }
        }
    }
}

/// The clock that time stamps without an offset are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StampClock {
    /// UTC.
    #[default]
    Utc,
    /// A place's own clock, which is set forward and back.
    Local(Tz),
}

impl StampClock {
    /// The moment that a time stamp without an offset means. `second_time` tells the two hours
    /// apart that carry the same name when clocks are set back. `None` for an hour that is skipped
    /// when they are set forward.
    pub(crate) fn moment(self, seconds: i64, second_time: bool) -> Option<i64> {
        let Self::Local(zone) = self else {
            return Some(seconds);
        };
        let naive = DateTime::from_timestamp(seconds, 0)?.naive_utc();
        match zone.from_local_datetime(&naive) {
            LocalResult::Single(moment) => Some(moment.timestamp()),
            LocalResult::Ambiguous(_, late) if second_time => Some(late.timestamp()),
            LocalResult::Ambiguous(early, _) => Some(early.timestamp()),
            LocalResult::None => None,
        }
    }

    /// Whether two hours carry this name.
    pub(crate) fn is_ambiguous(self, seconds: i64) -> bool {
        self.moment(seconds, false) != self.moment(seconds, true)
    }
}

/// Reads `YYYY-MM-DD`, `YYYY-MM-DD HH:MM`, `…:SS`, `…:SS.fff`, with `T` or a space between, and
/// `Z`, `+HH:MM`, `+HHMM` or `+HH` behind. Nothing else is a time stamp.
pub(crate) fn parse(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    if !bytes.is_ascii() || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let year = i32::try_from(digits(bytes.get(..4)?)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, digits(&bytes[5..7])?, digits(bytes.get(8..10)?)?)?;
    let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    if bytes.len() == 10 {
        return Some(Stamp {
            seconds: midnight,
            has_fraction: false,
            offset: None,
        });
    }
    if !matches!(bytes[10], b' ' | b'T' | b't') || bytes.get(13) != Some(&b':') {
        return None;
    }
    let (hour, minute) = (digits(&bytes[11..13])?, digits(bytes.get(14..16)?)?);
    let (second, has_fraction, zone) = parse_seconds(&bytes[16..])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = parse_offset(zone)?;
    let written = midnight + i64::from(hour * 3600 + minute * 60 + second);
    Some(Stamp {
        seconds: written - i64::from(offset.unwrap_or(0)),
        has_fraction,
        offset,
    })
}

/// Whether a time as a locale writes it is in UTC by its end.
pub(crate) fn says_utc(text: &str) -> bool {
    let text = text.trim_end_matches(']').to_ascii_lowercase();
    text.ends_with("utc") || text.ends_with('z')
}

/// Seconds, whether there is a fraction, and what follows.
fn parse_seconds(rest: &[u8]) -> Option<(u32, bool, &[u8])> {
    let Some(after) = rest.strip_prefix(b":") else {
        return Some((0, false, rest));
    };
    let second = digits(after.get(..2)?)?;
    let Some(fraction) = after[2..].strip_prefix(b".") else {
        return Some((second, false, &after[2..]));
    };
    let end = fraction
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(fraction.len());
    let has_fraction = fraction[..end].iter().any(|byte| *byte != b'0');
    (end > 0).then_some((second, has_fraction, &fraction[end..]))
}

/// The offset behind a time stamp: `Some(None)` when there is none, `None` when it is malformed.
#[expect(
    clippy::option_option,
    reason = "no offset and a malformed offset are different answers"
)]
fn parse_offset(zone: &[u8]) -> Option<Option<i32>> {
    let (sign, rest) = match zone {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest)?, 0),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60)
        .then(|| Some(sign * i32::try_from(hours * 3600 + minutes * 60).unwrap_or(0)))
}

fn digits(bytes: &[u8]) -> Option<u32> {
    if !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number * 10 + u32::from(byte - b'0')),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> i64 {
        parse(text).unwrap_or_else(|| panic!("{text}")).seconds
    }

    #[test]
    fn every_usual_spelling_of_an_hour_is_understood() {
        let hour = seconds("2026-01-31 13:00:00");
        for text in [
            "2026-01-31T13:00:00",
            "2026-01-31 13:00",
            "2026-01-31T13:00:00.000000",
            "2026-01-31T13:00:00Z",
            "2026-01-31T14:00:00+01:00",
            "2026-01-31T08:00-0500",
            "2026-01-31 14:00:00.000+01",
        ] {
            assert_eq!(seconds(text), hour, "{text}");
        }
        assert_eq!(seconds("2026-01-31"), hour - 13 * 3600);
        assert!(parse("2026-01-31 13:00:00.5").unwrap().has_fraction);
    }

    #[test]
    fn what_is_no_time_stamp_is_refused() {
        for text in [
            "",
            "13:00",
            "31.01.2026 13:00",
            "2026-02-30 00:00",
            "2026-01-31 24:00",
            "2026-01-31 13:60",
            "2026-01-31 13",
            "2026-01-31 13:00:00 UTC",
            "2026-01-31 13:00:0",
            "2026-01-31T13:00:00+1",
            "2026-01-31T13:00:00.",
            "1769864400",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_stamp_is_written_the_way_it_was_read() {
        for text in [
            "2026-01-31 13:00:00",
            "2026-01-31T13:00:00Z",
            "2026-01-31 13:00",
            "2026-01-31T13:00:00+00:00",
            "2026-01-31T13:00:00-0500",
            "2026-01-31 13:00:00+05:30",
        ] {
            let moment = DateTime::from_timestamp(seconds(text), 0).unwrap();
            assert_eq!(StampStyle::of(text).render(moment, StampClock::Utc), text);
        }
    }

    #[test]
    fn a_local_clock_skips_an_hour_in_spring_and_repeats_one_in_autumn() {
        let berlin = StampClock::Local(chrono_tz::Europe::Berlin);
        assert_eq!(berlin.moment(seconds("2026-03-29 02:00"), false), None);
        let repeated = seconds("2026-10-25 02:00");
        assert!(berlin.is_ambiguous(repeated));
        let (first, second) = (
            berlin.moment(repeated, false).unwrap(),
            berlin.moment(repeated, true).unwrap(),
        );
        assert_eq!(second - first, 3600);
        let shown = StampStyle::PLAIN.render(DateTime::from_timestamp(second, 0).unwrap(), berlin);
        assert_eq!(shown, "2026-10-25 02:00:00");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            parse(&text);
            StampStyle::of(&text);
        }

        #[test]
        fn digits_in_any_shape_never_panic(text in "[0-9TZ: .+-]{0,32}") {
            parse(&text);
        }
    }
}
