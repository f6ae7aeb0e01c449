//! Hours that local clocks skip and repeat, to tell them from gaps and copies.

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::stamp::StampClock;

/// Zones that are named first: each stands for many.
const WELL_KNOWN: [Tz; 6] = [
    Tz::Europe__Berlin,
    Tz::Europe__London,
    Tz::Europe__Helsinki,
    Tz::America__New_York,
    Tz::Australia__Sydney,
    Tz::Pacific__Auckland,
];

/// A zone whose clocks skip this time of day (seconds since 1970 on the local clock).
pub(crate) fn zone_that_skips(seconds: i64) -> Option<Tz> {
    zone(|zone| StampClock::Local(zone).moment(seconds, false).is_none())
}

/// A zone whose clocks show this time of day twice.
pub(crate) fn zone_that_repeats(seconds: i64) -> Option<Tz> {
    zone(|zone| StampClock::Local(zone).is_ambiguous(seconds))
}

fn zone(is_it: impl Fn(Tz) -> bool) -> Option<Tz> {
    let all = WELL_KNOWN.iter().chain(&TZ_VARIANTS);
    all.copied().find(|zone| is_it(*zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::parse;

    #[test]
    fn clock_changes_are_known_by_place_and_usual_hours_are_none() {
        let at = |text: &str| parse(text).unwrap().seconds;
        let skips = |text| zone_that_skips(at(text));
        let repeats = |text| zone_that_repeats(at(text));
        assert_eq!(skips("2026-03-29 02:00"), Some(Tz::Europe__Berlin));
        assert_eq!(skips("2026-03-08 02:00"), Some(Tz::America__New_York));
        assert_eq!(repeats("2026-10-25 01:00"), Some(Tz::Europe__London));
        assert_eq!(repeats("2026-11-01 01:00"), Some(Tz::America__New_York));
        for usual in ["2026-06-10 02:00", "2026-03-29 15:00", "2026-12-24 01:00"] {
            assert_eq!((skips(usual), repeats(usual)), (None, None), "{usual}");
        }
    }
}
