//! A season found once by MSTL is carried on while the level follows new hours.

use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use foretide_forecasting::{
    CandidateKind, HourlyHistory, Origin, OriginForecast, RollingOptions, forecast_origins,
};

use crate::support::{business_week, draw, monday, series_id};

const HOURS: usize = 50 * 24;

/// Hours after Monday 00:00 at which the history starts, so that nothing begins with its week.
const LATE: usize = 77;

fn local_hour_of_week(hour: DateTime<Utc>) -> u8 {
    (hour.weekday().num_days_from_monday() * 24 + hour.hour()) as u8
}

fn history(values: Vec<f64>) -> HourlyHistory {
    HourlyHistory {
        id: series_id("Defender"),
        start: monday() + Duration::hours(LATE as i64),
        values,
    }
}

fn said(
    values: Vec<f64>,
    candidates: Vec<CandidateKind>,
    known_hours: &[usize],
) -> Vec<OriginForecast> {
    let options = RollingOptions {
        horizon_hours: 48,
        refit_every_hours: Some(168),
        candidates,
        ..RollingOptions::default()
    };
    let origin = |&known_hours: &usize| Origin {
        series: 0,
        known_hours,
    };
    let origins: Vec<Origin> = known_hours.iter().map(origin).collect();
    let histories = [history(values)];
    forecast_origins(
        &histories,
        &local_hour_of_week,
        &[],
        &origins,
        &options,
        &|_, _| {},
    )
    .unwrap()
}

fn expected(hour: usize) -> f64 {
    business_week(hour + LATE, 60.0)
}

fn share_missed(forecast: &OriginForecast) -> f64 {
    let ahead = |step: usize| expected(forecast.known_hours + step);
    let missed: f64 = forecast
        .mean
        .iter()
        .enumerate()
        .map(|(step, mean)| (mean - ahead(step)).abs())
        .sum();
    missed / (0..forecast.mean.len()).map(ahead).sum::<f64>()
}

#[test]
fn a_business_week_is_carried_on_whenever_the_last_fit_was() {
    let values = draw(5, HOURS, expected);
    let since_fit = [0, 1, 30, 167];
    let known = since_fit.map(|hours| HOURS - 168 + hours);
    for forecast in said(values, vec![CandidateKind::MstlEts], &known) {
        assert_eq!(forecast.weights, [(CandidateKind::MstlEts, 1.0)]);
        let missed = share_missed(&forecast);
        assert!(missed < 0.2, "at {}: {missed}", forecast.known_hours);
    }
}

#[test]
fn hours_since_the_last_fit_move_the_level() {
    let mut values = draw(5, HOURS, expected);
    let known = [HOURS - 168, HOURS];
    let before = said(values.clone(), vec![CandidateKind::MstlEts], &known);
    for value in &mut values[HOURS - 168..] {
        *value *= 4.0;
    }
    let after = said(values, vec![CandidateKind::MstlEts], &known);
    assert_eq!(before[0], after[0]);
    let sum = |forecast: &OriginForecast| forecast.mean.iter().sum::<f64>();
    let moved = sum(&after[1]) / sum(&before[1]);
    assert!((2.0..8.0).contains(&moved), "{moved}");
}

#[test]
fn under_three_weeks_it_takes_no_part() {
    for days in [15, 20] {
        let values = draw(5, days * 24, expected);
        let forecasts = said(values, vec![], &[days * 24]);
        let weights = &forecasts[0].weights;
        let takes_part = |(kind, _): &(CandidateKind, f64)| *kind == CandidateKind::MstlEts;
        assert!(!weights.iter().any(takes_part), "{days}: {weights:?}");
    }
}
