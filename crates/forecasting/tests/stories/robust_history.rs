//! What a history is believed for: sources that have just been connected, absurd hours, units.

use crate::support::{business_week, draw, frame_after, hours_of_week, panel_of};
use foretide_forecasting::{
    PanelModel, PanelPrediction, ScoringFrame, TrainOptions, TrainedPanel, TrainingPanel, train,
};

fn trained(values: Vec<f64>) -> (TrainingPanel, TrainedPanel) {
    let panel = panel_of(vec![("Defender", values)], vec![]);
    let trained = train(&panel, &TrainOptions::default(), &mut |_, _| {}).unwrap();
    (panel, trained)
}

fn predicted(model: &PanelModel, frame: &ScoringFrame) -> PanelPrediction {
    model.predict(&model.schema.inputs(frame).unwrap()).unwrap()
}

fn forecast(values: Vec<f64>) -> (PanelPrediction, String) {
    let (panel, TrainedPanel { model, reports }) = trained(values);
    let prediction = predicted(&model, &frame_after(&panel, 48));
    (prediction, reports[0].note.clone())
}

fn sum(prediction: &PanelPrediction) -> f64 {
    prediction.mean.iter().sum()
}

/// Weeks of zeros, a multiple of 168 hours so that clocks agree, and then a live source.
fn behind_zeros(weeks: usize, live: &[f64]) -> Vec<f64> {
    let mut values = vec![0.0; weeks * 168];
    let live_from = values.len() - live.len();
    values[live_from..].copy_from_slice(live);
    values
}

#[test]
fn empty_hours_before_a_source_was_connected_are_no_history() {
    for days in [2, 3, 5, 7, 10, 13] {
        let live = draw(4, days * 24, |hour| {
            business_week(7 * 168 - days * 24 + hour, 20.0) + 1.0
        });
        let (long, note) = forecast(behind_zeros(9, &live));
        let (short, _) = forecast(behind_zeros(2, &live));
        let difference = long.max_relative_difference(&short);
        assert!(difference < 1e-9, "{days} days: {difference}");
        let said = format!("learning: {days} of 60 days");
        assert!(note.starts_with(&said), "{note}");
        let lately: f64 = live[live.len() - 48..].iter().sum();
        let week_long = days >= 7;
        let truth = draw(4, 200 * 48, |hour| business_week(hour % 48, 20.0) + 1.0);
        let truth = truth.iter().sum::<f64>() / 200.0;
        let ratio = sum(&long) / truth;
        assert!(
            !week_long || (0.8..1.25).contains(&ratio),
            "{days} days: {ratio}"
        );
        assert!(
            sum(&long) > 0.5 * lately,
            "{days} days: {} {lately}",
            sum(&long)
        );
    }
}

#[test]
fn one_absurd_hour_moves_no_forecast_and_is_told() {
    let usual = draw(6, 13 * 168, |hour| business_week(hour, 8.0));
    let (undisturbed, _) = forecast(usual.clone());
    for ago in [1, 2, 40, 336] {
        let mut values = usual.clone();
        let at = values.len() - ago;
        values[at] = 3000.0;
        let (disturbed, note) = forecast(values);
        let ratio = sum(&disturbed) / sum(&undisturbed);
        assert!((0.95..1.05).contains(&ratio), "{ago} hours ago: {ratio}");
        assert!(
            note.contains("an hour beyond all others is left out (3000 at 2026-"),
            "{note}"
        );
    }
}

#[test]
fn an_absurd_hour_after_training_moves_no_forecast_and_a_new_level_does() {
    let usual = draw(7, 13 * 168, |hour| business_week(hour, 8.0));
    let (panel, TrainedPanel { model, .. }) = trained(usual);
    let without_flood = predicted(&model, &frame_after(&panel, 48));
    let mut frame = frame_after(&panel, 48);
    let last = panel.hours() - 1;
    frame.series[0].values[last] = 3000.0;
    let with_flood = predicted(&model, &frame);
    let ratio = sum(&with_flood) / sum(&without_flood);
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    frame.series[0].values[last - 11..].fill(3000.0);
    assert!(sum(&predicted(&model, &frame)) > 10.0 * sum(&without_flood));
}

#[test]
fn the_same_data_in_another_unit_have_the_same_forecast() {
    let counts = draw(8, 13 * 168, |hour| business_week(hour, 8.0));
    let measures: Vec<f64> = (0..13 * 168)
        .map(|hour| business_week(hour, 300.0) + 40.0 * (hour as f64 * 0.618).fract())
        .collect();
    for values in [counts, measures] {
        let (plain, _) = forecast(values.clone());
        for unit in [1e-6, 1e6] {
            let scaled: Vec<f64> = values.iter().map(|value| value * unit).collect();
            let (mut other, _) = forecast(scaled);
            for quantile in other.quantiles.iter_mut().flatten() {
                *quantile /= unit;
            }
            for value in other.mean.iter_mut().chain(&mut other.drivers) {
                *value /= unit;
            }
            let difference = plain.max_relative_difference(&other);
            assert!(difference < 1e-4, "x {unit}: {difference}");
        }
    }
}

#[test]
fn hours_of_the_week_of_live_days_are_those_of_the_clock() {
    // Connected on a Thursday: what is foreseen for its evening is that of an evening.
    let hours = 4 * 168;
    let live = 72;
    let by_day = |hour: usize| {
        if (8..18).contains(&(hour % 24)) {
            20.0
        } else {
            2.0
        }
    };
    let mut values = vec![0.0; hours];
    for (hour, value) in values.iter_mut().enumerate().skip(hours - live) {
        *value = by_day(hour) + (hour % 3) as f64;
    }
    let (prediction, _) = forecast(values);
    let hours_ahead = hours_of_week(hours, 48);
    for (hour, mean) in hours_ahead.iter().zip(&prediction.mean) {
        let is_day = (9..17).contains(&(hour % 24));
        let is_night = !(6..20).contains(&(hour % 24));
        assert!(!is_day || *mean > 10.0, "{hour}: {mean}");
        assert!(!is_night || *mean < 10.0, "{hour}: {mean}");
    }
}

#[test]
fn a_level_that_shifted_is_followed_named_and_dated() {
    for factor in [3.0, 1.0 / 3.0] {
        let level = |hour: usize| {
            if hour < 90 * 24 - 120 {
                30.0
            } else {
                30.0 * factor
            }
        };
        let values = draw(5, 90 * 24, |hour| business_week(hour, level(hour)));
        let (prediction, note) = forecast(values);
        let truth: f64 = (0..48)
            .map(|ahead| business_week(90 * 24 + ahead, 30.0 * factor))
            .sum();
        let ratio = sum(&prediction) / truth;
        assert!((0.8..1.2).contains(&ratio), "{factor}: {ratio}");
        assert!(note.contains("the level shifted"), "{note}");
        // Five days before the end of training, give or take the quiet hours of a night.
        let since = note.split(" at ").last().unwrap();
        let dated = chrono::NaiveDateTime::parse_from_str(since, "%F %H:%M").unwrap();
        let end = panel_of(vec![("Defender", vec![0.0])], vec![]).start;
        let shift = end.naive_utc() + chrono::TimeDelta::hours(90 * 24 - 120);
        assert!((dated - shift).num_hours().abs() <= 6, "{note}");
    }
}

#[test]
fn a_level_that_grows_is_foreseen_to_grow() {
    let level = |hour: usize| 3.0 * (hour as f64 / (21.0 * 24.0)).exp2();
    let values = draw(6, 90 * 24, |hour| business_week(hour, level(hour)));
    let (prediction, _) = forecast(values);
    let truth: f64 = (90 * 24..90 * 24 + 48)
        .map(|hour| business_week(hour, level(hour)))
        .sum();
    let ratio = sum(&prediction) / truth;
    assert!((0.93..1.07).contains(&ratio), "{ratio}");
}
