//! Raised windows: where they lie, how they merge, what they say.

use chrono::Duration;
use foretide_domain::Trigger;
use foretide_forecasting::risk::{
    RiskInput, RiskWindow, WEEKDAY_CONFORMAL, WindowSpread, learned_capacity, rolling_2sd,
    weekday_conformal,
};
use foretide_forecasting::{TrainOptions, train};

use crate::support::{business_week, draw, frame_after, hours_of_week, monday, panel_of};

fn trigger(capacity: Option<f64>) -> Trigger {
    Trigger {
        from_hours: 24,
        to_hours: 72,
        window_hours: 8,
        probability: 0.5,
        capacity,
        usual_share: 0.95,
    }
}

/// Windows raised over three days that start on a Monday, expected counts given by hour.
fn raised(mean: impl Fn(usize) -> f64, trigger: &Trigger) -> Vec<RiskWindow> {
    let history = draw(1, 20 * 168, |hour| business_week(hour, 5.0));
    let mean: Vec<f64> = (0..72).map(mean).collect();
    let drivers: Vec<f64> = mean
        .iter()
        .flat_map(|mean| [0.25 * mean, 0.75 * mean])
        .collect();
    let normal = [-2.3, -2.0, -1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6, 2.0, 2.3];
    weekday_conformal(
        &RiskInput {
            start: monday() + Duration::weeks(20),
            hour_of_week: &hours_of_week(0, 72),
            mean: &mean,
            drivers: &drivers,
            driver_names: &["level".to_owned(), "campaign".to_owned()],
            spreads: &[WindowSpread {
                hours: 8,
                overdispersion: 0.05,
                deviations: normal,
            }],
            history: &history,
            history_hour_of_week: &hours_of_week(0, history.len()),
        },
        trigger,
    )
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
        },
        &trigger(Some(1.0)),
    );
    assert_eq!(windows, []);
}

#[test]
fn a_learned_capacity_knows_the_part_of_the_week() {
    let history = draw(2, 20 * 168, |hour| business_week(hour, 5.0));
    let hours = hours_of_week(0, history.len());
    let capacity = |start| learned_capacity(&history, &hours, start, 8, 0.95).unwrap();
    let (tuesday_day, tuesday_night, sunday_day) = (capacity(32), capacity(24), capacity(152));
    assert!(tuesday_day > 1.5 * tuesday_night && tuesday_day > 2.0 * sunday_day);
    let expected: f64 = (32..40).map(|hour| business_week(hour, 5.0)).sum();
    assert!(
        (1.1..2.0).contains(&(tuesday_day / expected)),
        "{}",
        tuesday_day / expected
    );
    assert_eq!(
        learned_capacity(&history[..300], &hours[..300], 32, 8, 0.95),
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
    };
    assert_eq!(rolling_2sd(&input, &trigger(None)), []);
    let (history, hours) = ([1.0; 720], hours_of_week(0, 720));
    let input = RiskInput {
        history: &history,
        history_hour_of_week: &hours,
        ..input
    };
    let windows = rolling_2sd(&input, &trigger(None));
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].span.hours(), windows[0].capacity), (48, 48.0));
}
