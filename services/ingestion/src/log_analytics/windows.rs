//! Days into windows, and windows into halves.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use foretide_domain::{HOUR, Measure, TimeSpan};

const DAY: TimeDelta = TimeDelta::days(1);
/// Longest window of one query.
const LONGEST: TimeDelta = TimeDelta::days(30);
/// Days in between that are asked for along rather than with a query of their own.
const ALONG: TimeDelta = TimeDelta::days(2);

/// A span that is asked for in one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    span: TimeSpan,
    /// Shortest part that makes sense.
    grain: TimeDelta,
}

impl Window {
    pub(super) fn new(measure: Measure, span: TimeSpan) -> Self {
        let grain = if measure.is_daily() { DAY } else { HOUR };
        Self { span, grain }
    }

    pub(super) fn span(&self) -> TimeSpan {
        self.span
    }

    /// The days in it.
    pub(super) fn days(&self) -> Vec<NaiveDate> {
        let end = self.span.end;
        let days = self.span.start.date_naive().iter_days();
        days.take_while(|day| midnight(*day) < end).collect()
    }

    /// Two halves, cut where buckets begin; nothing when it is as short as can be.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let length = self.span.end - self.span.start;
        // as long as it is longer than a day it is cut at midnight
        let step = if length > DAY { DAY } else { self.grain };
        let steps = length.num_seconds() / step.num_seconds();
        if steps < 2 {
            return None;
        }
        let middle = self.span.start + step * i32::try_from(steps / 2).unwrap_or(i32::MAX);
        let part = |start, end| Self {
            span: TimeSpan { start, end },
            ..*self
        };
        Some([part(self.span.start, middle), part(middle, self.span.end)])
    }
}

/// Windows that cover the days, which are in order, and few others.
pub(super) fn windows_of(days: &[NaiveDate]) -> Vec<Window> {
    let mut windows: Vec<TimeSpan> = Vec::new();
    for day in days {
        let (start, end) = (midnight(*day), midnight(*day) + DAY);
        match windows.last_mut() {
            Some(last) if start <= last.end + ALONG && end - last.start <= LONGEST => {
                last.end = end;
            }
            _ => windows.push(TimeSpan { start, end }),
        }
    }
    let whole = |span| Window { span, grain: DAY };
    windows.into_iter().map(whole).collect()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn day(number: u64) -> NaiveDate {
        "2026-01-01".parse::<NaiveDate>().unwrap() + chrono::Days::new(number)
    }

    #[test]
    fn a_window_is_halved_down_to_an_hour_or_a_day() {
        let span = TimeSpan {
            start: midnight(day(0)),
            end: midnight(day(3)),
        };
        let mut parts = vec![Window::new(Measure::Incidents, span)];
        let mut smallest = BTreeSet::new();
        while let Some(part) = parts.pop() {
            match part.halves() {
                Some(halves) => parts.extend(halves),
                None => {
                    assert!(smallest.insert(part.span.start));
                    assert_eq!(part.span.end - part.span.start, HOUR);
                }
            }
        }
        assert_eq!(smallest.len(), 72);
        let daily = Window::new(Measure::UniqueSourceIpsDaily, span);
        let [first, second] = daily.halves().unwrap();
        assert_eq!((first.days().len(), second.days().len()), (1, 2));
        assert_eq!(first.halves(), None);
    }

    proptest! {
        #[test]
        fn windows_cover_every_day_once_and_are_not_too_long(
            days in prop::collection::btree_set(0_u64..400, 0..80),
        ) {
            let days: Vec<NaiveDate> = days.into_iter().map(day).collect();
            let windows = windows_of(&days);
            let covered: Vec<NaiveDate> = windows.iter().flat_map(Window::days).collect();
            prop_assert!(covered.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(days.iter().all(|day| covered.contains(day)));
            for window in windows {
                prop_assert!(window.span.end - window.span.start <= LONGEST);
            }
        }
    }
}
