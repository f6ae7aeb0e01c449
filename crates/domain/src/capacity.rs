//! What a load is compared with: what a SOC has declared that it can carry, or what is usual.

use std::fmt;
use std::str::FromStr;

use chrono::Weekday;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Where a capacity comes from. Every sentence that speaks of one says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityKind {
    /// Somebody declared what can be carried.
    Declared,
    /// The upper load of ordinary weeks, learned from the history: nobody said that no more can be
    /// carried.
    Usual,
}

impl CapacityKind {
    /// The kind's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Usual => "usual",
        }
    }

    /// What people call it: `declared capacity` or `usual upper load`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Declared => "declared capacity",
            Self::Usual => "usual upper load",
        }
    }
}

impl FromStr for CapacityKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Declared, Self::Usual]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("capacity kind must be declared or usual, got {text:?}"))
    }
}

/// A declared capacity: a number a window, or a roster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DeclaredCapacity {
    /// Incidents that can be carried in a window, whatever its hours.
    PerWindow(f64),
    /// Analysts by shift, and what one of them carries.
    Roster(Roster),
}

// By hand, so that a mistake in a roster is named and not only "no variant matches".
impl<'de> Deserialize<'de> for DeclaredCapacity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CapacityVisitor)
    }
}

struct CapacityVisitor;

impl<'de> Visitor<'de> for CapacityVisitor {
    type Value = DeclaredCapacity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of incidents a window, or a roster of shifts")
    }

    fn visit_f64<E>(self, incidents: f64) -> Result<DeclaredCapacity, E> {
        Ok(DeclaredCapacity::PerWindow(incidents))
    }

    fn visit_u64<E>(self, incidents: u64) -> Result<DeclaredCapacity, E> {
        Ok(DeclaredCapacity::PerWindow(incidents as f64))
    }

    fn visit_i64<E>(self, incidents: i64) -> Result<DeclaredCapacity, E> {
        Ok(DeclaredCapacity::PerWindow(incidents as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, roster: A) -> Result<DeclaredCapacity, A::Error> {
        Roster::deserialize(MapAccessDeserializer::new(roster)).map(DeclaredCapacity::Roster)
    }
}

/// Analysts by shift, in the local time of the calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Incidents that one analyst carries in an hour.
    pub incidents_per_analyst_hour: f64,
    /// Shifts of a week. Those that overlap add up.
    pub shifts: Vec<Shift>,
}

/// Analysts at some hours of some days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Days on which it begins: `mon`, `tue`, ...; every day without it.
    #[serde(default = "every_day")]
    pub days: Vec<DayOfWeek>,
    /// Hour at which it begins, 0 to 23.
    pub from_hour: u8,
    /// Hour at which it ends, 1 to 24; at or before `from_hour` it ends on the next day.
    pub to_hour: u8,
    /// People on duty.
    pub analysts: f64,
}

/// A weekday by its short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayOfWeek(pub Weekday);

fn every_day() -> Vec<DayOfWeek> {
    std::iter::successors(Some(Weekday::Mon), |day| Some(day.succ()))
        .take(7)
        .map(DayOfWeek)
        .collect()
}

impl fmt::Display for DayOfWeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().to_lowercase())
    }
}

impl TryFrom<String> for DayOfWeek {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Weekday::from_str(&text)
            .map(Self)
            .map_err(|_| format!("a day must be mon, tue, wed, thu, fri, sat or sun, got {text:?}"))
    }
}

impl From<DayOfWeek> for String {
    fn from(day: DayOfWeek) -> Self {
        day.to_string()
    }
}

impl DeclaredCapacity {
    /// Incidents that can be carried in a window of these local hours of the week (0 is Monday
    /// 00:00).
    #[must_use]
    pub fn of_window(&self, hours_of_week: &[u8]) -> f64 {
        match self {
            Self::PerWindow(incidents) => *incidents,
            Self::Roster(roster) => {
                let analysts = hours_of_week.iter().map(|hour| roster.analysts_at(*hour));
                analysts.sum::<f64>() * roster.incidents_per_analyst_hour
            }
        }
    }

    /// What is wrong with it: what must be, and what is.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        let is_positive = |number: f64| number.is_finite() && number > 0.0;
        match self {
            Self::PerWindow(incidents) => {
                (!is_positive(*incidents)).then(|| ("a number above 0", incidents.to_string()))
            }
            Self::Roster(roster) => {
                let rate = roster.incidents_per_analyst_hour;
                if !is_positive(rate) {
                    let allowed = "a roster whose incidents_per_analyst_hour is above 0";
                    return Some((allowed, rate.to_string()));
                }
                let wrong = roster.shifts.iter().find(|shift| !shift.is_sound());
                if wrong.is_none() && roster.shifts.is_empty() {
                    return Some(("a roster with at least one shift", "none".to_owned()));
                }
                wrong.map(|shift| {
                    let allowed = "a roster of shifts with days, from_hour 0 to 23, to_hour 1 to 24 and analysts of 0 or more";
                    (allowed, format!("{shift:?}"))
                })
            }
        }
    }
}

impl Roster {
    fn analysts_at(&self, hour_of_week: u8) -> f64 {
        let on_duty = self
            .shifts
            .iter()
            .filter(|shift| shift.covers(hour_of_week));
        on_duty.map(|shift| shift.analysts).sum()
    }
}

impl Shift {
    fn is_sound(&self) -> bool {
        self.from_hour <= 23
            && (1..=24).contains(&self.to_hour)
            && !self.days.is_empty()
            && self.analysts.is_finite()
            && self.analysts >= 0.0
    }

    fn covers(&self, hour_of_week: u8) -> bool {
        const HOURS_OF_WEEK: u32 = 168;
        let (from, to) = (u32::from(self.from_hour), u32::from(self.to_hour));
        let length = if to > from { to - from } else { to + 24 - from };
        self.days.iter().any(|day| {
            let begins = day.0.num_days_from_monday() * 24 + from;
            let since = (u32::from(hour_of_week) + HOURS_OF_WEEK - begins) % HOURS_OF_WEEK;
            since < length
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(yaml: &str) -> DeclaredCapacity {
        serde_norway::from_str(yaml).unwrap()
    }

    const TWO_SHIFTS: &str = "
incidents_per_analyst_hour: 1.5
shifts:
  - {days: [mon, tue, wed, thu, fri], from_hour: 8, to_hour: 18, analysts: 4}
  - {from_hour: 22, to_hour: 6, analysts: 1}
";

    #[test]
    fn a_roster_carries_what_its_analysts_do_hour_by_hour() {
        let capacity = roster(TWO_SHIFTS);
        let window = |first: u8| capacity.of_window(&(first..first + 8).collect::<Vec<_>>());
        assert_eq!(capacity.problem(), None);
        assert_eq!(window(8), 8.0 * 4.0 * 1.5, "Monday from 8 to 16");
        assert_eq!(window(16), (2.0 * 4.0 + 2.0) * 1.5, "Monday from 16 to 24");
        assert_eq!(window(0), 6.0 * 1.5, "Sunday's night shift ends on Monday");
        assert_eq!(window(5 * 24 + 8), 0.0, "nobody on Saturday's day");
        assert_eq!(roster("12").of_window(&[0, 1]), 12.0);
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let refused = |from: &str, to: &str| {
            let capacity = roster(&TWO_SHIFTS.replace(from, to));
            capacity.problem().unwrap().0
        };
        assert!(refused("1.5", "0").contains("incidents_per_analyst_hour"));
        assert!(refused("analysts: 4", "analysts: -1").contains("analysts of 0 or more"));
        assert!(refused("to_hour: 18", "to_hour: 25").contains("to_hour 1 to 24"));
        assert!(refused("days: [mon, tue, wed, thu, fri]", "days: []").contains("days"));
        assert_eq!(roster("0").problem().unwrap().0, "a number above 0");
        assert!(roster(".nan").problem().is_some());
        let unknown = TWO_SHIFTS.replace("mon", "monday the 3rd");
        let error = serde_norway::from_str::<DeclaredCapacity>(&unknown).unwrap_err();
        assert!(error.to_string().contains("mon, tue"), "{error}");
        let misspelt = TWO_SHIFTS.replace("shifts:", "shift:");
        let error = serde_norway::from_str::<DeclaredCapacity>(&misspelt).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `shift`"),
            "{error}"
        );
        let error = serde_norway::from_str::<DeclaredCapacity>("many").unwrap_err();
        assert!(error.to_string().contains("or a roster"), "{error}");
    }
}
