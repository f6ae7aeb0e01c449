//! Times as exports write them.

use chrono::{DateTime, NaiveDate};

use foretide_local_times::{DateOrder, LocalTime};

/// Longest text that is looked at, bytes.
const MAX_BYTES: usize = 64;

/// Reads a time as milliseconds since 1970: ISO 8601 with or without zone (none means UTC), with a
/// `T` or a space, or another date that begins with its year, as `2026/11/23 10:00:00.000`.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    if text.len() > MAX_BYTES {
        return None;
    }
    fast_utc(text.as_bytes()).or_else(|| slow(text))
}

/// Reads a date that ends with its year, as `23/11/2026, 10:00:00.000`.
pub(crate) fn parse_local_time(text: &str) -> Option<LocalTime> {
    if text.len() > MAX_BYTES {
        return None;
    }
    LocalTime::parse(text).filter(|time| !time.is_year_first())
}

/// `2026-11-23T10:00:00[.1234567][Z]`: nearly every time there is.
fn fast_utc(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"Z").unwrap_or(text);
    let (head, fraction) = text.split_at_checked(19)?;
    let separators = [
        (4, b"-".as_slice()),
        (7, b"-"),
        (10, b"T "),
        (13, b":"),
        (16, b":"),
    ];
    if separators
        .iter()
        .any(|(at, allowed)| !allowed.contains(&head[*at]))
    {
        return None;
    }
    let part = |from: usize, to: usize| digits(&head[from..to]);
    let date =
        NaiveDate::from_ymd_opt(i32::try_from(part(0, 4)?).ok()?, part(5, 7)?, part(8, 10)?)?;
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = match fraction {
        [] => 0,
        [b'.', rest @ ..] if (1..=9).contains(&rest.len()) => {
            digits(rest)?;
            let first_three = [0, 1, 2].map(|at| rest.get(at).map_or(0, |digit| digit - b'0'));
            first_three
                .iter()
                .fold(0, |sum, digit| sum * 10 + i64::from(*digit))
        }
        _ => return None,
    };
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    Some((midnight + seconds) * 1000 + millis)
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number.checked_mul(10)?.checked_add(u32::from(byte - b'0')))
            .flatten()
    })
}

fn slow(text: &str) -> Option<i64> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_millis());
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    LocalTime::parse(text)
        .filter(LocalTime::is_year_first)?
        .millis(DateOrder::DayFirst)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_export_is_read() {
        let expected = DateTime::parse_from_rfc3339("2026-11-23T10:02:03.450Z")
            .expect("a constant")
            .timestamp_millis();
        for text in [
            "2026-11-23T10:02:03.450Z",
            "2026-11-23T10:02:03.45Z",
            "2026-11-23T10:02:03.4501234Z",
            "2026-11-23 10:02:03.450",
            "2026-11-23T12:02:03.450+02:00",
            "2026/11/23 10:02:03.450",
            "2026-11-23 10:02:03,450",
        ] {
            assert_eq!(parse_time(text), Some(expected), "{text}");
        }
        assert_eq!(parse_time("2013-03-04 00:00:00"), Some(1_362_355_200_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T10:00:61Z",
            "2026-11-23T10:00:00.Z",
            "99999999999999999999",
            "11/23/2026, 10:02:03.450 AM",
            "3.11.2026, 09:00:00.000",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            parse_time(&text);
            parse_local_time(&text);
        }

        #[test]
        fn what_chrono_writes_is_read(millis in 0_i64..4_102_444_800_000) {
            let moment = DateTime::from_timestamp_millis(millis).expect("in range");
            prop_assert_eq!(parse_time(&moment.to_rfc3339()), Some(millis));
            prop_assert_eq!(parse_time(&moment.format("%Y-%m-%d %H:%M:%S%.3f").to_string()), Some(millis));
        }
    }
}
