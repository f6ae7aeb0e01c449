//! Shifts that cover the people needed, with the fewest paid hours.

use chrono::{DateTime, Duration, Utc};

use super::erlang::MAX_SERVERS;
use super::error::StaffingError;
use super::flow::Network;

/// A kind of shift that can be staffed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShiftPattern {
    /// Its name.
    pub name: String,
    /// Local hour of the day it begins in: 0 to 23.
    pub start_hour: u8,
    /// Its length: 1 to 24 hours.
    pub hours: u8,
    /// Weekdays it begins on, Monday first.
    pub days: [bool; 7],
}

/// One shift of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedShift {
    /// The pattern's name.
    pub name: String,
    /// When it begins.
    pub start: DateTime<Utc>,
    /// Its length, hours.
    pub hours: u32,
    /// People on it.
    pub analysts: u32,
}

/// Who is there when. A draft: people decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffingPlan {
    /// Shifts with at least one person, in the order of their start.
    pub shifts: Vec<PlannedShift>,
    /// People needed in each hour.
    pub needed: Vec<u32>,
    /// People planned in each hour, never fewer than needed.
    pub planned: Vec<u32>,
    /// Person-hours of all shifts, the parts outside the plan's hours included.
    pub person_hours: u64,
}

impl StaffingPlan {
    /// People on the payroll without whom the plan cannot be worked when nobody works more than
    /// `shifts_each` shifts: a lower bound, holidays and rest rules come on top.
    #[must_use]
    pub fn fewest_people(&self, shifts_each: u32) -> u64 {
        let worked: u64 = self
            .shifts
            .iter()
            .map(|shift| u64::from(shift.analysts))
            .sum();
        let at_once = self.planned.iter().copied().max().unwrap_or(0);
        worked
            .div_ceil(u64::from(shifts_each.max(1)))
            .max(u64::from(at_once))
    }
}

/// Covers `needed` people an hour from `start` on with the fewest person-hours; of two ways that
/// cost the same either may be taken, always the same for the same input.
///
/// `hour_of_week` is the local hour of the week of each hour (0 = Monday 00:00): shifts begin by
/// local time, so a day on which clocks change has its 23 or 25 hours. Shifts that began before the
/// plan's first hour or end after its last are counted in full.
///
/// The answer is the exact integer optimum. Each shift covers consecutive hours, so the constraint
/// matrix has the consecutive-ones property and is totally unimodular; differences of its rows make
/// it a minimum-cost flow along the hours (Veinott and Wagner, "Optimal capacity scheduling",
/// Operations Research 1962; Bartholdi, Orlin and Ratliff, "Cyclic scheduling via integer programs
/// with circular ones", 1980).
///
/// # Errors
/// When nothing is to plan, a pattern is malformed, or an hour that needs people has no shift.
pub fn plan_shifts(
    needed: &[u32],
    hour_of_week: &[u8],
    start: DateTime<Utc>,
    patterns: &[ShiftPattern],
) -> Result<StaffingPlan, StaffingError> {
    check(needed, hour_of_week, patterns)?;
    let possible = possible_shifts(hour_of_week, patterns);
    if let Some(hour) = uncovered(needed, &possible) {
        let needed = needed[hour];
        return Err(StaffingError::Uncovered { hour, needed });
    }
    let staffed = cover(needed, &possible);
    let mut planned = vec![0; needed.len()];
    let mut shifts = Vec::new();
    let mut person_hours = 0;
    for (shift, analysts) in possible.iter().zip(staffed).filter(|(_, count)| *count > 0) {
        for hour in &mut planned[shift.from..shift.to] {
            *hour += analysts;
        }
        let pattern = &patterns[shift.pattern];
        person_hours += u64::from(pattern.hours) * u64::from(analysts);
        shifts.push(PlannedShift {
            name: pattern.name.clone(),
            start: start + Duration::hours(shift.begins),
            hours: u32::from(pattern.hours),
            analysts,
        });
    }
    shifts.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
    Ok(StaffingPlan {
        shifts,
        needed: needed.to_vec(),
        planned,
        person_hours,
    })
}

fn check(
    needed: &[u32],
    hour_of_week: &[u8],
    patterns: &[ShiftPattern],
) -> Result<(), StaffingError> {
    if needed.is_empty() || hour_of_week.len() != needed.len() {
        return Err(StaffingError::Empty("the hours, or their calendar,"));
    }
    if patterns.is_empty() {
        return Err(StaffingError::Empty("the list of shifts"));
    }
    let is_wrong = |pattern: &&ShiftPattern| {
        !(1..=24).contains(&pattern.hours)
            || pattern.start_hour > 23
            || !pattern.days.contains(&true)
    };
    if let Some(pattern) = patterns.iter().find(is_wrong) {
        let name = pattern.name.clone();
        return Err(StaffingError::BadShift { name });
    }
    if let Some(&hour) = hour_of_week.iter().find(|&&hour| hour >= 168) {
        return Err(StaffingError::BadNumber {
            what: "hour of the week",
            allowed: "from 0 to 167",
            got: f64::from(hour),
        });
    }
    if let Some(hour) = needed.iter().position(|&count| count > MAX_SERVERS) {
        let needed = needed[hour];
        return Err(StaffingError::TooMany { hour, needed });
    }
    Ok(())
}

/// A shift that could be staffed, and the hours of the plan it covers.
struct Possible {
    pattern: usize,
    paid_hours: i64,
    begins: i64,
    from: usize,
    to: usize,
}

fn possible_shifts(hour_of_week: &[u8], patterns: &[ShiftPattern]) -> Vec<Possible> {
    let mut possible = Vec::new();
    let last = hour_of_week.len() as i64;
    let local_hour = |hour: i64| match usize::try_from(hour) {
        Ok(inside) => i64::from(hour_of_week[inside]),
        Err(_) => (i64::from(hour_of_week[0]) + hour).rem_euclid(168),
    };
    for (index, pattern) in patterns.iter().enumerate() {
        let length = i64::from(pattern.hours);
        for begins in 1 - length..last {
            if begins_at(pattern, local_hour(begins - 1), local_hour(begins)) {
                possible.push(Possible {
                    pattern: index,
                    paid_hours: length,
                    begins,
                    from: begins.max(0) as usize,
                    to: (begins + length).min(last) as usize,
                });
            }
        }
    }
    possible
}

/// Whether a shift begins in local hour `now` of the week, `before` being the hour before it. An
/// hour that clocks repeat begins no second shift; one that they skip begins with the next.
fn begins_at(pattern: &ShiftPattern, before: i64, now: i64) -> bool {
    let passed = (now - before).rem_euclid(168);
    let begun = if passed == 2 { 0..2 } else { 0..passed.min(1) };
    begun.into_iter().any(|back| {
        let hour = (now - back).rem_euclid(168);
        hour % 24 == i64::from(pattern.start_hour) && pattern.days[(hour / 24) as usize]
    })
}

fn uncovered(needed: &[u32], possible: &[Possible]) -> Option<usize> {
    let mut is_covered = vec![false; needed.len()];
    for shift in possible {
        is_covered[shift.from..shift.to].fill(true);
    }
    needed
        .iter()
        .zip(is_covered)
        .position(|(&count, covered)| count > 0 && !covered)
}

/// People on each possible shift. Node `h` stands for the boundary before hour `h`: a shift is a
/// flow from its first boundary to its last, a spare person flows back over an hour, and each
/// boundary supplies what the need rises by.
fn cover(needed: &[u32], possible: &[Possible]) -> Vec<u32> {
    let hours = needed.len();
    let mut network = Network::new(hours + 1);
    let arcs: Vec<usize> = possible
        .iter()
        .map(|shift| network.add_arc(shift.from, shift.to, shift.paid_hours))
        .collect();
    for hour in 0..hours {
        network.add_arc(hour + 1, hour, 0);
    }
    let mut before = 0;
    for (hour, &count) in needed.iter().chain([&0]).enumerate() {
        network.supply(hour, i64::from(count) - before);
        before = i64::from(count);
    }
    network.solve();
    arcs.into_iter()
        .map(|arc| u32::try_from(network.flow(arc)).expect("needs are at most 100000"))
        .collect()
}
