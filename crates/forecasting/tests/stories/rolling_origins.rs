//! Forecasts at many moments of histories that each have their own clock.

use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use foretide_domain::Quantiles;
use foretide_forecasting::{
    ForecastError, HourlyHistory, Origin, OriginForecast, RegressorTrack, RollingOptions,
    forecast_origins,
};
use proptest::prelude::*;

use crate::support::{business_week, draw, monday, series_id};

const HORIZON: usize = 48;

fn utc_hour_of_week(hour: DateTime<Utc>) -> u8 {
    (hour.weekday().num_days_from_monday() * 24 + hour.hour()) as u8
}

fn history(name: &str, days_late: i64, values: Vec<f64>) -> HourlyHistory {
    HourlyHistory {
        id: series_id(name),
        start: monday() + Duration::days(days_late),
        values,
    }
}

fn two_products() -> Vec<HourlyHistory> {
    let busy = draw(1, 40 * 24, |hour| business_week(hour, 20.0));
    let late = draw(2, 24 * 24, |hour| business_week(hour + 72, 3.0));
    vec![history("busy", 0, busy), history("late", 3, late)]
}

fn origins() -> Vec<Origin> {
    [(1, 500), (0, 900), (0, 700), (1, 576), (0, 724)]
        .map(|(series, known_hours)| Origin {
            series,
            known_hours,
        })
        .to_vec()
}

fn options(threads: usize, refit_every_hours: Option<usize>) -> RollingOptions {
    RollingOptions {
        horizon_hours: HORIZON,
        threads,
        refit_every_hours,
        ..RollingOptions::default()
    }
}

fn forecast(
    histories: &[HourlyHistory],
    origins: &[Origin],
    options: &RollingOptions,
) -> Result<Vec<OriginForecast>, ForecastError> {
    forecast_origins(
        histories,
        &utc_hour_of_week,
        &[],
        origins,
        options,
        &|_, _| {},
    )
}

fn assert_is_forecast(forecast: &OriginForecast) {
    let width = forecast.driver_names.len();
    assert_eq!(forecast.mean.len(), HORIZON);
    assert_eq!(forecast.quantiles.len(), HORIZON);
    assert_eq!(forecast.drivers.len(), HORIZON * width);
    for (hour, (&mean, &quantiles)) in forecast.mean.iter().zip(&forecast.quantiles).enumerate() {
        assert!(Quantiles::new(quantiles).is_ok(), "{quantiles:?}");
        let parts = &forecast.drivers[hour * width..(hour + 1) * width];
        let size = parts.iter().map(|part| part.abs()).fold(mean, f64::max);
        let sum: f64 = parts.iter().sum();
        assert!((sum - mean).abs() <= 1e-9 * size.max(1.0), "{sum} {mean}");
    }
    let weights: f64 = forecast.weights.iter().map(|(_, weight)| weight).sum();
    assert!((weights - 1.0).abs() < 1e-9, "{weights}");
}

#[test]
fn every_origin_is_answered_in_the_order_asked() {
    let histories = two_products();
    let forecasts = forecast(&histories, &origins(), &options(1, None)).unwrap();
    for (forecast, origin) in forecasts.iter().zip(origins()) {
        assert_eq!(forecast.series, origin.series);
        assert_eq!(forecast.known_hours, origin.known_hours);
        let start = histories[origin.series].start + Duration::hours(origin.known_hours as i64);
        assert_eq!(forecast.start, start);
        assert_is_forecast(forecast);
    }
}

#[test]
fn threads_change_nothing() {
    let histories = two_products();
    for refit in [None, Some(168)] {
        let alone = forecast(&histories, &origins(), &options(1, refit)).unwrap();
        let together = forecast(&histories, &origins(), &options(3, refit)).unwrap();
        assert_eq!(alone, together);
    }
}

/// Every value from an hour of the common calendar on is spoilt.
fn spoilt_from(histories: &[HourlyHistory], calendar_hour: usize) -> Vec<HourlyHistory> {
    let mut spoilt = histories.to_vec();
    for history in &mut spoilt {
        let late = (history.start - monday()).num_hours() as usize;
        let known = calendar_hour - late;
        // A series that ended before has no hour to spoil.
        if history.values.len() >= known {
            history.values.truncate(known);
            history.values.extend(vec![1e6; 30]);
        }
    }
    spoilt
}

#[test]
fn hours_after_an_origin_change_nothing_in_any_series() {
    let histories = two_products();
    for (series, known_hours, calendar_hour) in [(0, 700, 700), (1, 500, 572), (1, 360, 432)] {
        let origin = [Origin {
            series,
            known_hours,
        }];
        let spoilt = spoilt_from(&histories, calendar_hour);
        let as_it_was = forecast(&histories, &origin, &options(1, None)).unwrap();
        let as_it_might_be = forecast(&spoilt, &origin, &options(1, None)).unwrap();
        assert_eq!(as_it_was, as_it_might_be);
    }
}

#[test]
fn a_kept_fit_still_moves_with_new_hours() {
    let mut histories = two_products();
    let origins = [700, 724].map(|known_hours| Origin {
        series: 0,
        known_hours,
    });
    let before = forecast(&histories, &origins, &options(1, Some(168))).unwrap();
    for value in &mut histories[0].values[700..724] {
        *value *= 3.0;
    }
    let after = forecast(&histories, &origins, &options(1, Some(168))).unwrap();
    assert_eq!(before[0], after[0]);
    let sum = |forecast: &OriginForecast| forecast.mean.iter().sum::<f64>();
    assert!(sum(&after[1]) > 1.02 * sum(&before[1]));
}

#[test]
fn progress_ends_with_all_origins() {
    let told = std::sync::Mutex::new(vec![]);
    let progress = |done, of| told.lock().unwrap().push((done, of));
    forecast_origins(
        &two_products(),
        &utc_hour_of_week,
        &[],
        &origins(),
        &options(2, None),
        &progress,
    )
    .unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
}

#[test]
fn what_cannot_be_forecast_from_is_named() {
    let histories = two_products();
    let at = |series, known_hours| {
        [Origin {
            series,
            known_hours,
        }]
    };
    let refused = |histories: &[HourlyHistory], origins: &[Origin]| {
        forecast(histories, origins, &options(1, None)).unwrap_err()
    };
    assert!(matches!(
        refused(&histories, &at(0, 335)),
        ForecastError::TooShort { needed: 336, .. }
    ));
    assert!(matches!(
        refused(&histories, &at(0, 961)),
        ForecastError::LengthMismatch { .. }
    ));
    assert!(matches!(
        refused(&histories, &at(2, 500)),
        ForecastError::BadOption { .. }
    ));
    assert!(matches!(
        refused(&[], &[]),
        ForecastError::Empty("the list of series")
    ));
    let mut spoilt = histories.clone();
    spoilt[1].values[7] = f64::NAN;
    assert!(matches!(
        refused(&spoilt, &at(0, 500)),
        ForecastError::BadCount { position: 7, .. }
    ));
    let twice = [histories[0].clone(), histories[0].clone()];
    assert!(matches!(
        refused(&twice, &at(0, 500)),
        ForecastError::NameTaken(_)
    ));
    let short = RegressorTrack {
        name: "campaign".to_owned(),
        start: monday(),
        values: vec![0.0; 700],
    };
    let refused = forecast_origins(
        &histories,
        &utc_hour_of_week,
        &[short],
        &at(0, 700),
        &options(1, None),
        &|_, _| {},
    );
    assert!(matches!(
        refused,
        Err(ForecastError::LengthMismatch { expected: 748, .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_comes_in_a_forecast_comes_out(
        values in prop::collection::vec(
            prop_oneof![8 => 0.0..50.0_f64, 4 => Just(0.0), 1 => 0.0..1e6_f64],
            400..900,
        ),
    ) {
        let origin = Origin { series: 0, known_hours: values.len() };
        let histories = [history("any", 0, values)];
        let forecasts = forecast(&histories, &[origin], &options(1, None)).unwrap();
        assert_is_forecast(&forecasts[0]);
    }
}
