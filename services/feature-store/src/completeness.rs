//! How much of the recent history can be trusted to be complete.

use chrono::{DateTime, Utc};
use foretide_calendar::Calendar;
use foretide_domain::ArrivalLag;
use foretide_features::HourGrid;

/// Hours before the end that are judged.
const JUDGED_HOURS: usize = 24;

/// Share of the last 24 hours' usual activity that can have arrived, 0 to 1.
///
/// An hour's usual activity is the share of earlier hours at the same local hour of the week in
/// which anything happened. The hours since anything last happened are taken as not arrived; what
/// is usual in them, of what is usual in all 24, is what is missing. A quiet night therefore costs
/// little, a silent working day nearly everything.
pub(crate) fn completeness(calendar: &Calendar, active: &[bool], grid: HourGrid) -> f64 {
    let judged_from = active.len().saturating_sub(JUDGED_HOURS);
    let silent_from = active
        .iter()
        .rposition(|active| *active)
        .map_or(0, |last| last + 1);
    let hours_of_week = calendar.hours_of_week(grid.start, active.len());
    let usual = |hour: usize| {
        let same = |earlier: &usize| hours_of_week[*earlier] == hours_of_week[hour];
        share_of_active(active, (0..judged_from).filter(same))
            .or_else(|| share_of_active(active, 0..judged_from))
            .unwrap_or(1.0)
    };
    let expected: Vec<f64> = (judged_from..active.len()).map(usual).collect();
    let all: f64 = expected.iter().sum();
    let missing: f64 = expected[silent_from.saturating_sub(judged_from)..]
        .iter()
        .sum();
    if all > 0.0 { 1.0 - missing / all } else { 1.0 }
}

/// Share of the rows of the last 24 hours that have come in by a moment, by how late rows of the
/// table usually are. 1 where nothing is known of that.
pub(crate) fn arrived(lag: &ArrivalLag, as_of: DateTime<Utc>, grid: HourGrid) -> f64 {
    let judged = JUDGED_HOURS.min(grid.hours);
    let shares =
        (grid.hours - judged..grid.hours).map(|hour| lag.completeness(grid.hour(hour), as_of));
    let sum: f64 = shares.sum();
    match i32::try_from(judged) {
        Ok(judged) if judged > 0 => sum / f64::from(judged),
        _ => 1.0,
    }
}

fn share_of_active(active: &[bool], hours: impl Iterator<Item = usize>) -> Option<f64> {
    let (mut seen, mut with_activity) = (0.0, 0.0);
    for hour in hours {
        seen += 1.0;
        with_activity += f64::from(u8::from(active[hour]));
    }
    (seen > 0.0).then(|| with_activity / seen)
}

#[cfg(test)]
mod tests {
    use foretide_calendar::CalendarConfig;

    use foretide_domain::HOUR;

    use super::*;

    /// Monday 00:00.
    fn grid(hours: usize) -> HourGrid {
        HourGrid {
            start: "2026-03-02T00:00:00Z".parse().unwrap(),
            hours,
        }
    }

    fn judge(active: &[bool]) -> f64 {
        let calendar = Calendar::new(CalendarConfig::default()).unwrap();
        completeness(&calendar, active, grid(active.len()))
    }

    fn working_hours(hours: usize) -> Vec<bool> {
        (0..hours)
            .map(|hour| hour / 24 % 7 < 5 && (8..18).contains(&(hour % 24)))
            .collect()
    }

    #[test]
    fn activity_in_the_last_hour_is_complete() {
        assert_eq!(judge(&[true; 400]), 1.0);
    }

    #[test]
    fn a_silent_day_is_missing_altogether() {
        let mut active = vec![true; 400];
        active[376..].fill(false);
        assert_eq!(judge(&active), 0.0);
        active[370..].fill(false);
        assert_eq!(judge(&active), 0.0);
    }

    #[test]
    fn half_a_silent_day_is_half_missing() {
        let mut active = vec![true; 400];
        active[388..].fill(false);
        assert!((judge(&active) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn usual_silence_costs_nothing() {
        // Three weeks and then Monday until midnight: silence since 18:00 is usual.
        assert_eq!(judge(&working_hours(21 * 24 + 24)), 1.0);
        // Sunday evening: the whole day is usually silent.
        assert_eq!(judge(&working_hours(28 * 24)), 1.0);
    }

    #[test]
    fn a_working_day_without_anything_is_missing() {
        let mut active = working_hours(21 * 24 + 48);
        active[21 * 24 + 24..].fill(false);
        assert_eq!(judge(&active), 0.0);
    }

    #[test]
    fn short_and_empty_histories_have_an_answer() {
        assert_eq!(judge(&[]), 1.0);
        assert_eq!(judge(&[true]), 1.0);
        assert_eq!(judge(&[false, false]), 0.0);
    }

    #[test]
    fn rows_that_usually_come_late_are_missed() {
        let day = grid(24);
        let end = day.end();
        let slow = ArrivalLag::new([(60, 500.0), (1440, 500.0)]);
        let now = arrived(&slow, end, day);
        let later = arrived(&slow, end + HOUR * 24, day);
        assert!(now > 0.6 && now < 0.8, "{now}");
        assert!(later > now && (arrived(&slow, end + HOUR * 48, day) - 1.0).abs() < 1e-9);
        assert!((arrived(&ArrivalLag::default(), end, day) - 1.0).abs() < 1e-12);
    }
}
