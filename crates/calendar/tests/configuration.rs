//! A calendar configuration that is wrong says which field, and what would be right.

use foretide_calendar::{BusinessHoursConfig, Calendar, CalendarConfig, Campaign};

fn refusal(config: CalendarConfig) -> String {
    Calendar::new(config)
        .expect_err("must be refused")
        .to_string()
}

fn with_hours(start: &str, end: &str, days: &[&str]) -> CalendarConfig {
    CalendarConfig {
        business_hours: BusinessHoursConfig {
            start: start.to_owned(),
            end: end.to_owned(),
            days: days.iter().map(|&day| day.to_owned()).collect(),
        },
        ..CalendarConfig::default()
    }
}

fn with_campaign(name: &str, start: &str, end: &str) -> CalendarConfig {
    CalendarConfig {
        campaigns: vec![Campaign {
            name: name.to_owned(),
            start: start.parse().expect("RFC 3339"),
            end: end.parse().expect("RFC 3339"),
        }],
        ..CalendarConfig::default()
    }
}

#[test]
fn the_default_is_valid() {
    Calendar::new(CalendarConfig::default()).unwrap();
}

#[test]
fn an_unknown_country_lists_the_known_ones() {
    let message = refusal(CalendarConfig {
        country: "XX".to_owned(),
        ..Default::default()
    });
    assert!(
        message.starts_with("calendar.country must be one of AT, AU, BE"),
        "{message}"
    );
    assert!(
        message.contains("ZA") && message.ends_with("got \"XX\""),
        "{message}"
    );
}

#[test]
fn an_unknown_time_zone_names_the_field() {
    let message = refusal(CalendarConfig {
        timezone: "Mars/Base".to_owned(),
        ..Default::default()
    });
    assert!(
        message.contains("calendar.timezone") && message.contains("Europe/Berlin"),
        "{message}"
    );
}

#[test]
fn business_hours_that_cannot_be_are_refused() {
    for (start, end) in [
        ("9", "17:00"),
        ("09:60", "17:00"),
        ("25:00", "26:00"),
        ("-1:00", "02:00"),
    ] {
        let message = refusal(with_hours(start, end, &["mon"]));
        assert!(
            message.contains("business_hours.start must be a time HH:MM"),
            "{message}"
        );
    }
    let message = refusal(with_hours("17:00", "09:00", &["mon"]));
    assert!(
        message.contains("business_hours.end must be later than start"),
        "{message}"
    );
    let message = refusal(with_hours("09:00", "17:00", &[]));
    assert!(
        message.contains("business_hours.days must be at least one day"),
        "{message}"
    );
    let message = refusal(with_hours("09:00", "17:00", &["mon", "funday"]));
    assert!(
        message.contains("mon, tue") && message.contains("funday"),
        "{message}"
    );
    Calendar::new(with_hours("00:00", "24:00", &["Mon", "SUN"])).unwrap();
}

#[test]
fn a_campaign_must_have_a_name_and_end_after_it_starts() {
    let message = refusal(with_campaign(
        "drill",
        "2026-02-02T00:00:00Z",
        "2026-02-01T00:00:00Z",
    ));
    assert!(
        message.contains("campaigns[name=drill].end must be later than start"),
        "{message}"
    );
    let message = refusal(with_campaign(
        " ",
        "2026-02-01T00:00:00Z",
        "2026-02-02T00:00:00Z",
    ));
    assert!(message.contains("campaigns.name"), "{message}");
}

#[test]
fn the_end_of_a_quarter_has_bounds() {
    for days in [0, 21] {
        let message = refusal(CalendarConfig {
            end_of_quarter_days: days,
            ..CalendarConfig::default()
        });
        assert!(
            message.contains("end_of_quarter_days must be from 1 to 20"),
            "{message}"
        );
    }
}

#[test]
fn configurations_that_mean_the_same_are_normalized_to_the_same() {
    let written = with_hours(
        "09:00",
        "17:00",
        &["FRI", "mon", "tue", "wed", "thu", "fri"],
    );
    let calendar = Calendar::new(CalendarConfig {
        country: "us".to_owned(),
        ..written
    })
    .unwrap();
    assert_eq!(calendar.config(), &CalendarConfig::default());
}
