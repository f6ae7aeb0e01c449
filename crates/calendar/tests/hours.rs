//! What the calendar says about hours: known dates, clock changes, and any hour at all.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_calendar::{
    BusinessHoursConfig, Calendar, CalendarConfig, CalendarFeature, Campaign, HOURS_PER_WEEK,
    OwnAction, OwnActionKind, known_countries,
};
use foretide_domain::HOUR;
use proptest::prelude::*;

const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Auckland",
];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment in RFC 3339")
}

fn calendar(country: &str, timezone: &str) -> Calendar {
    Calendar::new(CalendarConfig {
        country: country.to_owned(),
        timezone: timezone.to_owned(),
        ..CalendarConfig::default()
    })
    .expect("a valid calendar")
}

#[test]
fn holidays_are_those_of_the_country_on_its_own_clock() {
    let germany = calendar("DE", "Europe/Berlin");
    assert_eq!(
        germany.holiday(at("2025-10-03T12:00:00Z")),
        Some("German Unity Day")
    );
    assert_eq!(germany.holiday(at("2025-10-02T21:00:00Z")), None);
    assert!(
        germany.holiday(at("2025-10-02T22:00:00Z")).is_some(),
        "midnight in Berlin"
    );
    assert_eq!(
        calendar("US", "UTC").holiday(at("2025-10-03T12:00:00Z")),
        None
    );
    assert!(
        calendar("US", "UTC")
            .holiday(at("2026-07-04T12:00:00Z"))
            .is_some()
    );
}

#[test]
fn patch_tuesday_is_the_second_tuesday() {
    let calendar = calendar("US", "UTC");
    for day in [
        "2025-01-14",
        "2025-04-08",
        "2025-07-08",
        "2026-09-08",
        "2026-12-08",
    ] {
        assert!(
            calendar.is_patch_tuesday(at(&format!("{day}T23:00:00Z"))),
            "{day}"
        );
    }
    for day in ["2025-01-07", "2025-01-15", "2025-01-21"] {
        assert!(
            !calendar.is_patch_tuesday(at(&format!("{day}T12:00:00Z"))),
            "{day}"
        );
    }
}

#[test]
fn the_end_of_a_quarter_is_its_last_business_days() {
    let germany = calendar("DE", "UTC");
    // The fourth quarter of 2025 ends on a Wednesday; 25 and 26 December are holidays.
    let december: Vec<u32> = (1..=31)
        .filter(|day| germany.is_end_of_quarter(at(&format!("2025-12-{day:02}T08:00:00Z"))))
        .collect();
    assert_eq!(december, [23, 24, 29, 30, 31]);
    assert!(!germany.is_end_of_quarter(at("2025-11-28T08:00:00Z")));
}

#[test]
fn business_hours_follow_the_local_clock_through_the_year() {
    let new_york = calendar("US", "America/New_York");
    assert!(
        new_york.is_business_hour(at("2025-01-15T14:00:00Z")),
        "09:00 in winter"
    );
    assert!(!new_york.is_business_hour(at("2025-01-15T13:00:00Z")));
    assert!(
        new_york.is_business_hour(at("2025-07-15T13:00:00Z")),
        "09:00 in summer"
    );
    assert!(
        !new_york.is_business_hour(at("2025-07-15T21:00:00Z")),
        "17:00 is after the end"
    );
    assert!(
        !new_york.is_business_hour(at("2025-07-12T15:00:00Z")),
        "Saturday"
    );
    assert!(
        !new_york.is_business_hour(at("2025-07-04T15:00:00Z")),
        "holiday"
    );
}

#[test]
fn a_sunday_to_thursday_week_is_possible() {
    let calendar = Calendar::new(CalendarConfig {
        business_hours: BusinessHoursConfig {
            days: ["sun", "mon", "tue", "wed", "thu"]
                .map(str::to_owned)
                .into(),
            ..BusinessHoursConfig::default()
        },
        ..CalendarConfig::default()
    })
    .unwrap();
    assert!(calendar.is_business_hour(at("2025-07-13T10:00:00Z")));
    assert!(!calendar.is_business_hour(at("2025-07-11T10:00:00Z")));
}

#[test]
fn a_campaign_covers_the_hours_it_touches() {
    let calendar = Calendar::new(CalendarConfig {
        campaigns: vec![Campaign {
            name: "phishing drill".to_owned(),
            start: at("2026-02-01T10:30:00Z"),
            end: at("2026-02-01T12:00:00Z"),
        }],
        ..CalendarConfig::default()
    })
    .unwrap();
    assert_eq!(
        calendar.column(CalendarFeature::Campaign, at("2026-02-01T09:00:00Z"), 4),
        [0.0, 1.0, 1.0, 0.0]
    );
    assert_eq!(
        calendar.campaign(at("2026-02-01T11:00:00Z")),
        Some("phishing drill")
    );
}

#[test]
fn f5_own_changes_count_by_kind_and_may_last() {
    let change = |kind, name: &str, start, end: Option<&str>| OwnAction {
        kind,
        name: name.to_owned(),
        start: at(start),
        end: end.map(at),
    };
    let calendar = Calendar::new(CalendarConfig {
        own_actions: vec![
            change(
                OwnActionKind::RuleChange,
                "threshold of brute force raised",
                "2026-02-01T10:00:00Z",
                None,
            ),
            change(
                OwnActionKind::RuleChange,
                "noisy rule off for the move",
                "2026-02-01T11:30:00Z",
                Some("2026-02-01T12:30:00Z"),
            ),
            change(
                OwnActionKind::ConnectorOnboarding,
                "second firewall",
                "2026-02-01T12:00:00Z",
                None,
            ),
        ],
        ..CalendarConfig::default()
    })
    .unwrap();
    let column = |feature| calendar.column(feature, at("2026-02-01T09:00:00Z"), 5);
    assert_eq!(
        column(CalendarFeature::OwnRuleChange),
        [0.0, 1.0, 2.0, 2.0, 1.0]
    );
    assert_eq!(
        column(CalendarFeature::ConnectorOnboarding),
        [0.0, 0.0, 0.0, 1.0, 1.0]
    );
}

#[test]
fn spring_skips_an_hour_of_the_week_and_autumn_repeats_one() {
    let berlin = calendar("DE", "Europe/Berlin");
    // Sunday begins with hour 144.
    assert_eq!(
        berlin.hours_of_week(at("2025-03-29T23:00:00Z"), 4),
        [144, 145, 147, 148]
    );
    assert_eq!(
        berlin.hours_of_week(at("2025-10-25T22:00:00Z"), 5),
        [144, 145, 146, 146, 147]
    );
    assert_eq!(
        berlin.hour_of_week(at("2025-03-24T08:00:00Z")),
        9,
        "Monday 09:00 in winter"
    );
    assert_eq!(
        berlin.hour_of_week(at("2025-03-31T07:00:00Z")),
        9,
        "Monday 09:00 in summer"
    );
}

#[test]
fn hours_of_the_week_step_by_one_but_at_clock_changes() {
    let hours = 2 * 366 * 24;
    for zone in ZONES {
        let calendar = calendar("US", zone);
        let column = calendar.hours_of_week(at("2024-01-01T00:00:00Z"), hours);
        let steps = column.windows(2).map(|pair| {
            (usize::from(pair[1]) + HOURS_PER_WEEK - usize::from(pair[0])) % HOURS_PER_WEEK
        });
        let odd: Vec<usize> = steps.filter(|step| *step != 1).collect();
        assert!(odd.len() <= 4, "{zone}: two changes a year, found {odd:?}");
        assert!(
            odd.iter().all(|step| matches!(step, 0 | 2)),
            "{zone}: {odd:?}"
        );
    }
}

#[test]
fn every_hour_of_the_covered_years_has_values() {
    let start = at("2020-01-01T00:00:00Z");
    let hours = usize::try_from((at("2036-01-01T00:00:00Z") - start).num_hours()).unwrap();
    for (country, zone) in [("US", "America/New_York"), ("NZ", "Pacific/Auckland")] {
        let calendar = calendar(country, zone);
        for feature in CalendarFeature::ALL {
            let column = calendar.column(feature, start, hours);
            assert_eq!(column.len(), hours);
            let highest = if feature == CalendarFeature::DayOfWeek {
                6.0
            } else {
                1.0
            };
            assert!(
                column.iter().all(|value| (0.0..=highest).contains(value)),
                "{feature:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_hour_in_any_country_and_zone_has_an_answer(
        country in prop::sample::select(known_countries()),
        zone in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
        second in -62_000_000_000_i64..253_000_000_000,
    ) {
        let calendar = calendar(country, zone.name());
        let hour = DateTime::from_timestamp(second, 0).unwrap();
        prop_assert!(usize::from(calendar.hour_of_week(hour)) < HOURS_PER_WEEK);
        for feature in CalendarFeature::ALL {
            prop_assert!(feature.value(&calendar, hour).is_finite());
        }
    }

    #[test]
    fn the_same_local_hour_a_week_later_is_the_same_hour_of_week(
        zone in prop::sample::select(ZONES.to_vec()),
        hour in 0_i64..140_000,
    ) {
        let calendar = calendar("US", zone);
        let hour = at("2020-01-01T00:00:00Z") + HOUR * i32::try_from(hour).unwrap();
        let local = calendar.local(hour).naive_local();
        let later = calendar.local(hour + TimeDelta::days(7));
        let shift = local + TimeDelta::days(7) - later.naive_local();
        let same_clock = calendar.hour_of_week(hour) == calendar.hour_of_week(hour + TimeDelta::days(7));
        prop_assert!(same_clock || shift != TimeDelta::zero());
    }

    #[test]
    fn a_quarter_never_has_more_end_days_than_asked(
        year in 2020_i32..2036,
        quarter in 0_u32..4,
        days in 1_u8..=20,
        country in prop::sample::select(known_countries()),
    ) {
        let calendar = Calendar::new(CalendarConfig {
            country: country.to_owned(),
            end_of_quarter_days: days,
            ..CalendarConfig::default()
        }).unwrap();
        let first = chrono::NaiveDate::from_ymd_opt(year, quarter * 3 + 1, 1).unwrap();
        let flagged = first
            .iter_days()
            .take_while(|date| *date < first + chrono::Months::new(3))
            .filter(|date| calendar.is_end_of_quarter(date.and_hms_opt(12, 0, 0).unwrap().and_utc()))
            .count();
        prop_assert_eq!(flagged, usize::from(days));
    }
}
