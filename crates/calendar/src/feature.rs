//! The calendar as columns of numbers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Calendar, OwnActionKind};

/// A property of an hour that is known ahead of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarFeature {
    /// Local day of the week, 0 (Monday) to 6 (Sunday).
    DayOfWeek,
    /// 1 inside business hours.
    IsBusinessHour,
    /// 1 on a public holiday.
    HolidayFlag,
    /// 1 on the second Tuesday of a month.
    PatchTuesday,
    /// 1 on the last business days of a quarter.
    EndOfQuarter,
    /// 1 during a campaign.
    Campaign,
    /// How many rule changes of one's own are at work.
    OwnRuleChange,
    /// How many connectors that were added or removed are at work.
    ConnectorOnboarding,
}

impl CalendarFeature {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DayOfWeek,
        Self::IsBusinessHour,
        Self::HolidayFlag,
        Self::PatchTuesday,
        Self::EndOfQuarter,
        Self::Campaign,
        Self::OwnRuleChange,
        Self::ConnectorOnboarding,
    ];

    /// Its name as a column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DayOfWeek => "day_of_week",
            Self::IsBusinessHour => "is_business_hour",
            Self::HolidayFlag => "holiday_flag",
            Self::PatchTuesday => "patch_tuesday",
            Self::EndOfQuarter => "end_of_quarter",
            Self::Campaign => "campaign",
            Self::OwnRuleChange => "own_rule_change",
            Self::ConnectorOnboarding => "connector_onboarding",
        }
    }

    /// Whether it repeats with the week, so that a model with a weekly season carries it already
    /// and must not get it a second time as a regressor.
    #[must_use]
    pub fn is_weekly(self) -> bool {
        matches!(self, Self::DayOfWeek | Self::IsBusinessHour)
    }

    /// Its value at an hour.
    #[must_use]
    pub fn value(self, calendar: &Calendar, hour: DateTime<Utc>) -> f64 {
        match self {
            Self::DayOfWeek => f64::from(calendar.day_of_week(hour)),
            Self::IsBusinessHour => flag(calendar.is_business_hour(hour)),
            Self::HolidayFlag => flag(calendar.holiday(hour).is_some()),
            Self::PatchTuesday => flag(calendar.is_patch_tuesday(hour)),
            Self::EndOfQuarter => flag(calendar.is_end_of_quarter(hour)),
            Self::Campaign => flag(calendar.campaign(hour).is_some()),
            Self::OwnRuleChange => calendar.own_actions(OwnActionKind::RuleChange, hour) as f64,
            Self::ConnectorOnboarding => {
                calendar.own_actions(OwnActionKind::ConnectorOnboarding, hour) as f64
            }
        }
    }
}

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}
