//! What a user says about the calendar, and the check of it.

use chrono::{DateTime, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::own_action::OwnAction;

/// The calendar section of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// ISO 3166 code of the country whose public holidays count, `US` by default.
    pub country: String,
    /// IANA name of the time zone in which people work, `UTC` by default.
    pub timezone: String,
    /// When people work.
    pub business_hours: BusinessHoursConfig,
    /// How many of the last business days of a quarter count as its end: 1 to 20, 5 by default.
    pub end_of_quarter_days: u8,
    /// Known campaigns: phishing drills, product launches, elections.
    pub campaigns: Vec<Campaign>,
    /// Changes of one's own: rules tuned, connectors added.
    pub own_actions: Vec<OwnAction>,
}

impl Default for CalendarConfig {
    fn default() -> Self {
        Self {
            country: "US".to_owned(),
            timezone: "UTC".to_owned(),
            business_hours: BusinessHoursConfig::default(),
            end_of_quarter_days: 5,
            campaigns: Vec::new(),
            own_actions: Vec::new(),
        }
    }
}

/// Business hours, on the local clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusinessHoursConfig {
    /// First minute, `HH:MM`.
    pub start: String,
    /// First minute after, `HH:MM`, at most `24:00`.
    pub end: String,
    /// Business days: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    pub days: Vec<String>,
}

impl Default for BusinessHoursConfig {
    fn default() -> Self {
        Self {
            start: "09:00".to_owned(),
            end: "17:00".to_owned(),
            days: ["mon", "tue", "wed", "thu", "fri"]
                .map(str::to_owned)
                .into(),
        }
    }
}

/// A named window of time in which more, or less, than usual is to be expected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// First moment inside.
    pub start: DateTime<Utc>,
    /// First moment after it.
    pub end: DateTime<Utc>,
    /// What people call it.
    pub name: String,
}

/// A field of the calendar configuration that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("calendar.{field} must be {allowed}, got {got}")]
pub struct CalendarError {
    /// Path of the field below `calendar`.
    pub field: String,
    /// What is allowed, in words.
    pub allowed: String,
    /// What was given.
    pub got: String,
}

/// Checked business hours: minutes of the local day and days of the week.
#[derive(Debug, Clone)]
pub(crate) struct BusinessHours {
    start: u32,
    end: u32,
    days: Vec<Weekday>,
}

impl BusinessHours {
    pub(crate) fn contains_minute(&self, minute: u32) -> bool {
        (self.start..self.end).contains(&minute)
    }

    pub(crate) fn contains_day(&self, day: Weekday) -> bool {
        self.days.contains(&day)
    }
}

impl CalendarConfig {
    /// The same calendar written in one way only: upper-case country, sorted days and campaigns.
    pub(crate) fn normalized(mut self) -> Self {
        self.country = self.country.trim().to_ascii_uppercase();
        for day in &mut self.business_hours.days {
            *day = day.trim().to_ascii_lowercase();
        }
        self.business_hours.days.sort_by_key(|day| day_number(day));
        self.business_hours.days.dedup();
        self.campaigns.sort();
        self.own_actions.sort();
        self
    }

    pub(crate) fn parse_timezone(&self) -> Result<Tz, CalendarError> {
        self.timezone.parse().map_err(|_| {
            refuse(
                "timezone",
                "an IANA time zone such as UTC or Europe/Berlin",
                &self.timezone,
            )
        })
    }

    pub(crate) fn parse_business_hours(&self) -> Result<BusinessHours, CalendarError> {
        const TIME: &str = "a time HH:MM from 00:00 to 24:00";
        let BusinessHoursConfig { start, end, days } = &self.business_hours;
        let first =
            parse_minute(start).ok_or_else(|| refuse("business_hours.start", TIME, start))?;
        let last = parse_minute(end).ok_or_else(|| refuse("business_hours.end", TIME, end))?;
        if last <= first {
            return Err(refuse(
                "business_hours.end",
                &format!("later than start ({start})"),
                end,
            ));
        }
        if days.is_empty() {
            return Err(refuse("business_hours.days", "at least one day", ""));
        }
        let days = days
            .iter()
            .map(|day| parse_day(day))
            .collect::<Result<_, _>>()?;
        Ok(BusinessHours {
            start: first,
            end: last,
            days,
        })
    }

    pub(crate) fn check_quarter_end(&self) -> Result<(), CalendarError> {
        if (1..=20).contains(&self.end_of_quarter_days) {
            return Ok(());
        }
        Err(CalendarError {
            field: "end_of_quarter_days".to_owned(),
            allowed: "from 1 to 20".to_owned(),
            got: self.end_of_quarter_days.to_string(),
        })
    }

    pub(crate) fn check_campaigns(&self) -> Result<(), CalendarError> {
        self.campaigns
            .iter()
            .try_for_each(|Campaign { start, end, name }| {
                check_window("campaigns", name, *start, Some(*end))
            })
    }

    pub(crate) fn check_own_actions(&self) -> Result<(), CalendarError> {
        self.own_actions.iter().try_for_each(|action| {
            check_window("own_actions", &action.name, action.start, action.end)
        })
    }
}

/// A window must have a name and, if it ends, end after it starts.
fn check_window(
    section: &str,
    name: &str,
    start: DateTime<Utc>,
    end: Option<DateTime<Utc>>,
) -> Result<(), CalendarError> {
    if name.trim().is_empty() || name.chars().count() > 128 {
        return Err(refuse(
            &format!("{section}.name"),
            "1 to 128 characters",
            name,
        ));
    }
    match end {
        Some(end) if end <= start => Err(refuse(
            &format!("{section}[name={name}].end"),
            &format!("later than start ({start})"),
            &end.to_string(),
        )),
        _ => Ok(()),
    }
}

fn refuse(field: &str, allowed: &str, got: &str) -> CalendarError {
    let got: String = got.chars().take(64).collect();
    CalendarError {
        field: field.to_owned(),
        allowed: allowed.to_owned(),
        got: format!("{got:?}"),
    }
}

/// Minute of the day of a text `HH:MM`.
fn parse_minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

fn parse_day(text: &str) -> Result<Weekday, CalendarError> {
    text.parse().map_err(|_| {
        refuse(
            "business_hours.days",
            "days out of mon, tue, wed, thu, fri, sat, sun",
            text,
        )
    })
}

fn day_number(text: &str) -> u32 {
    text.parse::<Weekday>()
        .map_or(7, |day| day.num_days_from_monday())
}
