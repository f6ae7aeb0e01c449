//! What is known about the future: public holidays, Patch Tuesdays, quarter ends, business hours,
//! campaigns, changes of one's own, and the local hour of the week.
//!
//! Everything is asked by hour (UTC) and answered in the workspace's own time zone, so that a
//! Monday morning stays a Monday morning when clocks change. Pure: the holidays are a file kept in
//! `data/`, written by `data/generate.py` from a well-kept public list.

mod config;
mod feature;
mod holidays;
mod own_action;

use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use foretide_domain::HOUR;

pub use config::{BusinessHoursConfig, CalendarConfig, CalendarError, Campaign};
pub use feature::CalendarFeature;
pub use holidays::{HOLIDAY_YEARS, HOLIDAYS_SOURCE, known_countries};
pub use own_action::{OwnAction, OwnActionKind};

use config::BusinessHours;
use holidays::Holidays;

/// Hours in a week; [`Calendar::hour_of_week`] stays below it.
pub const HOURS_PER_WEEK: usize = 168;

/// The calendar of one workspace: its country, its clock and its own dates.
#[derive(Debug, Clone)]
pub struct Calendar {
    config: CalendarConfig,
    timezone: Tz,
    business_hours: BusinessHours,
    holidays: Holidays,
}

impl Calendar {
    /// Checks the configuration and makes a calendar of it.
    ///
    /// # Errors
    /// Names the first field that is not allowed, and what would be.
    pub fn new(config: CalendarConfig) -> Result<Self, CalendarError> {
        let config = config.normalized();
        let timezone = config.parse_timezone()?;
        let holidays = Holidays::of(&config.country).ok_or_else(|| CalendarError {
            field: "country".to_owned(),
            allowed: format!("one of {}", known_countries().join(", ")),
            got: format!("{:?}", config.country),
        })?;
        let business_hours = config.parse_business_hours()?;
        config.check_quarter_end()?;
        config.check_campaigns()?;
        config.check_own_actions()?;
        Ok(Self {
            config,
            timezone,
            business_hours,
            holidays,
        })
    }

    /// The configuration it was made from, in a form in which equal calendars are equal.
    #[must_use]
    pub fn config(&self) -> &CalendarConfig {
        &self.config
    }

    /// The hour on the workspace's own clock.
    #[must_use]
    pub fn local(&self, hour: DateTime<Utc>) -> DateTime<Tz> {
        hour.with_timezone(&self.timezone)
    }

    /// Local hour of the week, 0 (Monday 00:00) to 167 (Sunday 23:00). When clocks change, one
    /// value is skipped in spring and one comes twice in autumn.
    #[must_use]
    pub fn hour_of_week(&self, hour: DateTime<Utc>) -> u8 {
        let local = self.local(hour);
        let value = local.weekday().num_days_from_monday() * 24 + local.hour();
        u8::try_from(value).expect("a weekday is below 7 and an hour below 24")
    }

    /// Local day of the week, 0 (Monday) to 6 (Sunday).
    #[must_use]
    pub fn day_of_week(&self, hour: DateTime<Utc>) -> u8 {
        self.hour_of_week(hour) / 24
    }

    /// Name of the public holiday on the hour's local date. Outside [`HOLIDAY_YEARS`] none is known.
    #[must_use]
    pub fn holiday(&self, hour: DateTime<Utc>) -> Option<&'static str> {
        self.holidays.name(self.local_date(hour))
    }

    /// Whether the hour begins inside the business hours of a business day that is no holiday.
    #[must_use]
    pub fn is_business_hour(&self, hour: DateTime<Utc>) -> bool {
        let local = self.local(hour);
        let minute = local.hour() * 60 + local.minute();
        self.business_hours.contains_minute(minute) && self.is_business_day(local.date_naive())
    }

    /// Whether the local date is the second Tuesday of its month.
    #[must_use]
    pub fn is_patch_tuesday(&self, hour: DateTime<Utc>) -> bool {
        let date = self.local_date(hour);
        date.weekday() == Weekday::Tue && (8..=14).contains(&date.day())
    }

    /// Whether the local date is one of the last business days of its quarter
    /// ([`CalendarConfig::end_of_quarter_days`] of them).
    #[must_use]
    pub fn is_end_of_quarter(&self, hour: DateTime<Utc>) -> bool {
        let date = self.local_date(hour);
        let allowed_after = usize::from(self.config.end_of_quarter_days) - 1;
        let business_days_after = date
            .iter_days()
            .skip(1)
            .take_while(|later| *later <= last_day_of_quarter(date))
            .filter(|later| self.is_business_day(*later))
            .take(allowed_after + 1)
            .count();
        self.is_business_day(date) && business_days_after <= allowed_after
    }

    /// Name of the first campaign that covers any part of the hour.
    #[must_use]
    pub fn campaign(&self, hour: DateTime<Utc>) -> Option<&str> {
        self.config
            .campaigns
            .iter()
            .find(|campaign| campaign.start < hour + HOUR && hour < campaign.end)
            .map(|campaign| campaign.name.as_str())
    }

    /// How many changes of one's own of a kind work during any part of the hour.
    #[must_use]
    pub fn own_actions(&self, kind: OwnActionKind, hour: DateTime<Utc>) -> usize {
        self.config
            .own_actions
            .iter()
            .filter(|action| action.kind == kind && action.touches(hour))
            .count()
    }

    /// Local hour of the week of each hour of a grid.
    #[must_use]
    pub fn hours_of_week(&self, start: DateTime<Utc>, hours: usize) -> Vec<u8> {
        hourly(start, hours)
            .map(|hour| self.hour_of_week(hour))
            .collect()
    }

    /// One value an hour of a grid.
    #[must_use]
    pub fn column(&self, feature: CalendarFeature, start: DateTime<Utc>, hours: usize) -> Vec<f64> {
        hourly(start, hours)
            .map(|hour| feature.value(self, hour))
            .collect()
    }

    fn local_date(&self, hour: DateTime<Utc>) -> NaiveDate {
        self.local(hour).date_naive()
    }

    fn is_business_day(&self, date: NaiveDate) -> bool {
        self.business_hours.contains_day(date.weekday()) && self.holidays.name(date).is_none()
    }
}

/// The hours of a grid, from `start` on.
fn hourly(start: DateTime<Utc>, hours: usize) -> impl Iterator<Item = DateTime<Utc>> {
    std::iter::successors(Some(start), |hour| hour.checked_add_signed(HOUR)).take(hours)
}

fn last_day_of_quarter(date: NaiveDate) -> NaiveDate {
    let next_quarter = match date.month() {
        1..=3 => (date.year(), 4),
        4..=6 => (date.year(), 7),
        7..=9 => (date.year(), 10),
        _ => (date.year() + 1, 1),
    };
    NaiveDate::from_ymd_opt(next_quarter.0, next_quarter.1, 1)
        .and_then(|first| first.checked_sub_days(Days::new(1)))
        .unwrap_or(NaiveDate::MAX)
}
