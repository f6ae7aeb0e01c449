//! ISO 8601 durations and intervals, as the `timespan` of a query.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::TimeSpan;

/// `P7D` (up to now), `start/end`, `start/PT1H` or `PT1H/end`.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Option<TimeSpan> {
    let Some((first, second)) = text.split_once('/') else {
        return TimeSpan::new(now.checked_sub_signed(duration(text)?)?, now);
    };
    let (start, end) = match (moment(first), moment(second)) {
        (Some(start), Some(end)) => (start, end),
        (Some(start), None) => (start, start.checked_add_signed(duration(second)?)?),
        (None, Some(end)) => (end.checked_sub_signed(duration(first)?)?, end),
        (None, None) => return None,
    };
    TimeSpan::new(start, end)
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, times) = rest.split_once('T').unwrap_or((rest, ""));
    let day_seconds = seconds(days, &[('W', 604_800.0), ('D', 86_400.0)])?;
    let time_seconds = seconds(times, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)])?;
    let millis = (day_seconds + time_seconds) * 1000.0;
    let in_range = rest.len() > 1 && (0.0..1e15).contains(&millis);
    in_range.then(|| Duration::try_milliseconds(millis as i64))?
}

/// Sums numbers with units; the units must come in order.
fn seconds(mut text: &str, mut units: &[(char, f64)]) -> Option<f64> {
    let mut sum = 0.0;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..end].parse().ok()?;
        let unit = text[end..].chars().next()?;
        let position = units.iter().position(|(name, _)| *name == unit)?;
        sum += number * units[position].1;
        units = &units[position + 1..];
        text = &text[end + unit.len_utf8()..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment")
    }

    #[test]
    fn reads_what_clients_send() {
        let now = at("2026-11-23T12:00:00Z");
        let spans = [
            ("P1D", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"),
            ("PT86400.0S", "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"),
            ("P1DT2H30M", "2026-11-22T09:30:00Z", "2026-11-23T12:00:00Z"),
            (
                "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-11-02T00:00:00Z",
            ),
            (
                "2026-11-01T00:00:00Z/PT1H",
                "2026-11-01T00:00:00Z",
                "2026-11-01T01:00:00Z",
            ),
            (
                "PT1H/2026-11-01T00:00:00Z",
                "2026-10-31T23:00:00Z",
                "2026-11-01T00:00:00Z",
            ),
        ];
        for (text, start, end) in spans {
            assert_eq!(
                parse(text, now),
                TimeSpan::new(at(start), at(end)),
                "{text}"
            );
        }
        for text in [
            "",
            "P",
            "7D",
            "P7",
            "PD",
            "P1H",
            "PT1D",
            "P1D1D",
            "PT1S1H",
            "/",
            "P1D/P1D",
            "P-1D",
            "P999999999999999D",
        ] {
            assert_eq!(parse(text, now), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", duration in "P[0-9.WDTHMS]{0,20}") {
            let now = at("2026-11-23T12:00:00Z");
            prop_assert!(parse(&text, now).is_none_or(|span| span.start <= span.end));
            prop_assert!(parse(&duration, now).is_none_or(|span| span.start <= span.end));
        }
    }
}
