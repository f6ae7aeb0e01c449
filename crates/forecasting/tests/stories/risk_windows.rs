//! Raised windows: where they lie, how they merge, what they say.

use chrono::Duration;
use foretide_domain::{CapacityKind, DeclaredCapacity, Trigger};
use foretide_forecasting::risk::{
    RiskInput, RiskWindow, WEEKDAY_CONFORMAL, WindowSpread, announced_hours, learned_capacity,
    rolling_2sd, weekday_conformal,
};
use foretide_forecasting::{Regressor, TrainOptions, train};

use crate::support::{business_week, draw, frame_after, hours_of_week, monday, panel_of};

fn trigger(capacity: Option<f64>) -> Trigger {
    Trigger {
        from_hours: 24,
        to_hours: 72,
        window_hours: 8,
        probability: 0.5,
        capacity: capacity.map(DeclaredCapacity::PerWindow),
        usual_share: 0.95,
    }
}

const NORMAL: [f64; 11] = [-2.3, -2.0, -1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6, 2.0, 2.3];

fn spread(hours: usize) -> WindowSpread {
    WindowSpread {
        hours,
        overdispersion: 0.05,
        deviations: NORMAL,
    }
}

/// Periods raised over three days that start on a Monday, expected counts given by hour.
fn raised(mean: impl Fn(usize) -> f64, trigger: &Trigger) -> Vec<RiskWindow> {
    let history = draw(1, 20 * 168, |hour| business_week(hour, 5.0));
    let mean: Vec<f64> = (0..72).map(mean).collect();
    let drivers: Vec<f64> = mean
        .iter()
        .flat_map(|mean| [0.25 * mean, 0.75 * mean])
        .collect();
    let input = RiskInput {
        start: monday() + Duration::weeks(20),
        hour_of_week: &hours_of_week(0, 72),
        mean: &mean,
        drivers: &drivers,
        driver_names: &["level".to_owned(), "campaign".to_owned()],
        spreads: &[spread(8), spread(24)],
        history: &history,
        history_hour_of_week: &hours_of_week(0, history.len()),
        history_announced: &vec![false; history.len()],
    };
    input.periods(&weekday_conformal(&input, trigger))
}

#[test]
fn a_usual_week_raises_nothing() {
    assert_eq!(raised(|hour| business_week(hour, 5.0), &trigger(None)), []);
}

#[test]
fn a_surge_is_raised_at_its_hours_with_its_drivers() {
    let tuesday_day = 24 + 8..24 + 16;
    let surge = |hour| {
        if tuesday_day.contains(&hour) {
            4.0
        } else {
            1.0
        }
    };
    let windows = raised(
        |hour| surge(hour) * business_week(hour, 5.0),
        &trigger(None),
    );
    let [window] = windows.as_slice() else {
        panic!("{windows:#?}")
    };
    assert_eq!(window.trigger, WEEKDAY_CONFORMAL);
    assert_eq!(
        window.span.start,
        monday() + Duration::weeks(20) + Duration::hours(32)
    );
    assert_eq!(window.span.hours(), 8);
    assert!(window.probability > 0.9 && window.expected > window.capacity);
    assert_eq!(window.capacity_kind, CapacityKind::Usual);
    let drivers: f64 = window.drivers.iter().map(|(_, part)| part).sum();
    assert!((drivers - window.expected).abs() < 1e-9);
}

#[test]
fn adjoining_windows_become_one_period() {
    let windows = raised(
        |hour| if (40..56).contains(&hour) { 30.0 } else { 1.0 },
        &trigger(Some(100.0)),
    );
    let [window] = windows.as_slice() else {
        panic!("{windows:#?}")
    };
    assert_eq!(window.span.hours(), 16);
    assert_eq!((window.expected, window.capacity), (480.0, 200.0));
    assert_eq!(window.capacity_kind, CapacityKind::Declared);
}

#[test]
fn f11_a_period_has_the_probability_of_the_period_it_names() {
    // windows of 110, 104 and 101 where 100 can be carried: each alone, and all three as one
    let load = |hour: usize| match hour {
        24..32 => 110.0 / 8.0,
        32..40 => 104.0 / 8.0,
        40..48 => 101.0 / 8.0,
        _ => 0.1,
    };
    let windows = raised(load, &trigger(Some(100.0)));
    let [period] = windows.as_slice() else {
        panic!("{windows:#?}")
    };
    assert_eq!(period.span.hours(), 24);
    let whole = spread(24).exceedance(315.0, 300.0);
    let largest = spread(8).exceedance(110.0, 100.0);
    assert!((period.probability - whole).abs() < 1e-12);
    assert!((whole - largest).abs() > 0.01, "{whole} {largest}");
}

#[test]
fn between_two_lengths_a_probability_lies_between_theirs() {
    let spreads = [spread(8), spread(24)];
    let of = |hours| WindowSpread::exceedance_of(&spreads, hours, 100.0, 110.0).unwrap();
    assert!(
        (of(8) - of(24)).abs() < 1e-12,
        "the same spread at every length"
    );
    let wider = WindowSpread {
        overdispersion: 0.4,
        ..spread(24)
    };
    let spreads = [spread(8), wider];
    let of = |hours| WindowSpread::exceedance_of(&spreads, hours, 100.0, 110.0).unwrap();
    assert!(of(8) < of(16) && of(16) < of(24));
    assert_eq!((of(2), of(72)), (of(8), of(24)));
    assert_eq!(WindowSpread::exceedance_of(&[], 8, 1.0, 1.0), None);
}

#[test]
fn f11_announced_events_are_not_the_usual_load() {
    let weeks = 12;
    let hours = hours_of_week(0, weeks * 168);
    let ordinary = draw(4, weeks * 168, |hour| business_week(hour, 5.0));
    // every Tuesday's day of six weeks carried an announced exercise of four times the load
    let is_on = |hour: usize| hour / 168 >= 6 && (32..40).contains(&(hour % 168));
    let history: Vec<f64> = ordinary
        .iter()
        .enumerate()
        .map(|(hour, count)| if is_on(hour) { 4.0 * count } else { *count })
        .collect();
    let exercise = Regressor {
        name: "exercise".to_owned(),
        values: (0..weeks * 168 + 72)
            .map(|hour| if is_on(hour) { 1.0 } else { 0.0 })
            .collect(),
    };
    let daylight = Regressor {
        name: "daylight".to_owned(),
        values: (0..weeks * 168 + 72)
            .map(|hour| (hour % 24) as f64)
            .collect(),
    };
    let announced = announced_hours(&[exercise, daylight], history.len());
    assert_eq!(announced.iter().filter(|on| **on).count(), 6 * 8);
    let none = vec![false; history.len()];
    let usual = learned_capacity(&history, &hours, &announced, 32, 8, 0.95).unwrap();
    let right = learned_capacity(&ordinary, &hours, &none, 32, 8, 0.95).unwrap();
    let misled = learned_capacity(&history, &hours, &none, 32, 8, 0.95).unwrap();
    assert!((usual / right - 1.0).abs() < 0.1, "{usual} {right}");
    assert!(misled > 1.5 * right, "{misled} {right}");
}

#[test]
fn nothing_is_raised_outside_the_hours_looked_at_or_from_slices_that_do_not_fit() {
    assert_eq!(
        raised(
            |hour| if hour < 24 { 500.0 } else { 1.0 },
            &trigger(Some(100.0))
        ),
        []
    );
    let windows = weekday_conformal(
        &RiskInput {
            start: monday(),
            hour_of_week: &hours_of_week(0, 72),
            mean: &[500.0; 71],
            drivers: &[],
            driver_names: &[],
            spreads: &[],
            history: &[],
            history_hour_of_week: &[],
            history_announced: &[],
        },
        &trigger(Some(1.0)),
    );
    assert_eq!(windows, []);
}

#[test]
fn a_learned_capacity_knows_the_part_of_the_week() {
    let history = draw(2, 20 * 168, |hour| business_week(hour, 5.0));
    let hours = hours_of_week(0, history.len());
    let none = vec![false; history.len()];
    let capacity = |start| learned_capacity(&history, &hours, &none, start, 8, 0.95).unwrap();
    let (tuesday_day, tuesday_night, sunday_day) = (capacity(32), capacity(24), capacity(152));
    assert!(tuesday_day > 1.5 * tuesday_night && tuesday_day > 2.0 * sunday_day);
    let expected: f64 = (32..40).map(|hour| business_week(hour, 5.0)).sum();
    assert!(
        (1.1..2.0).contains(&(tuesday_day / expected)),
        "{}",
        tuesday_day / expected
    );
    assert_eq!(
        learned_capacity(&history[..300], &hours[..300], &none[..300], 32, 8, 0.95),
        None
    );
}

#[test]
fn window_probabilities_are_calibrated_on_new_weeks() {
    let hours = 91 * 24;
    let all = draw(3, hours + 40 * 168, |hour| business_week(hour, 4.0));
    let panel = panel_of(vec![("A", all[..hours].to_vec())], vec![]);
    let model = train(&panel, &TrainOptions::default(), &mut |_, _| {})
        .unwrap()
        .model;
    let spread = model.schema.window_spreads[0]
        .iter()
        .find(|spread| spread.hours == 8)
        .unwrap();
    let (mut foreseen, mut happened, mut windows) = (0.0, 0.0, 0.0);
    for issue in (hours..all.len() - 72).step_by(24) {
        let known = panel_of(vec![("A", all[..issue].to_vec())], vec![]);
        let inputs = model.schema.inputs(&frame_after(&known, 72)).unwrap();
        let mean = model.predict(&inputs).unwrap().mean;
        for first in (24..72).step_by(8) {
            let expected: f64 = mean[first..first + 8].iter().sum();
            let load: f64 = all[issue + first..issue + first + 8].iter().sum();
            let capacity = 1.15 * expected;
            foreseen += spread.exceedance(expected, capacity);
            happened += f64::from(u8::from(load > capacity));
            windows += 1.0;
        }
    }
    let (foreseen, happened) = (foreseen / windows, happened / windows);
    assert!(
        (foreseen - happened).abs() < 0.06,
        "foreseen {foreseen:.3}, happened {happened:.3}"
    );
}

#[test]
fn the_baseline_needs_thirty_days() {
    let input = RiskInput {
        start: monday(),
        hour_of_week: &hours_of_week(0, 72),
        mean: &[9.0; 72],
        drivers: &[],
        driver_names: &[],
        spreads: &[],
        history: &[1.0; 719],
        history_hour_of_week: &hours_of_week(0, 719),
        history_announced: &[false; 719],
    };
    assert_eq!(rolling_2sd(&input, &trigger(None)), []);
    let (history, hours) = ([1.0; 720], hours_of_week(0, 720));
    let input = RiskInput {
        history: &history,
        history_hour_of_week: &hours,
        history_announced: &[false; 720],
        ..input
    };
    let windows = input.periods(&rolling_2sd(&input, &trigger(None)));
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].span.hours(), windows[0].capacity), (48, 48.0));
}
