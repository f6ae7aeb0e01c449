//! The week as a forecaster sees it: 168 local hours in four parts.

/// Hours of a week.
pub const HOURS_OF_WEEK: usize = 168;

/// Number of parts the week is split into for spread: see [`part_of_week`].
pub const PARTS_OF_WEEK: usize = 4;

/// Part of the week an hour lies in: 0 weekday 08-18, 1 weekday rest, 2 weekend 08-18, 3 weekend
/// rest. Spread differs between them far more than within them.
#[must_use]
pub fn part_of_week(hour_of_week: usize) -> usize {
    let hour = hour_of_week % 24;
    let is_weekend = hour_of_week / 24 >= 5;
    let is_daytime = (8..18).contains(&hour);
    match (is_weekend, is_daytime) {
        (false, true) => 0,
        (false, false) => 1,
        (true, true) => 2,
        (true, false) => 3,
    }
}
