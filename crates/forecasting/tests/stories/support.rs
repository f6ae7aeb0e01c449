//! Synthetic weeks for the tests: seeded, with a business week, surges and noise like real counts.

use chrono::{DateTime, Duration, Utc};
use foretide_domain::SeriesId;
use foretide_forecasting::{PanelSeries, Regressor, ScoringFrame, TrainingPanel};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, Poisson};

/// A Monday, 00:00 UTC.
pub(crate) fn monday() -> DateTime<Utc> {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

pub(crate) fn series_id(name: &str) -> SeriesId {
    format!("attack_volume/product={name}").parse().unwrap()
}

/// Hours of the week from a Monday 00:00 on.
pub(crate) fn hours_of_week(first: usize, count: usize) -> Vec<u8> {
    (first..first + count)
        .map(|hour| (hour % 168) as u8)
        .collect()
}

/// Expected count of a five-day SOC: busy from 8 to 18, a fifth of that on weekends.
pub(crate) fn business_week(hour: usize, level: f64) -> f64 {
    let hour_of_day = hour % 24;
    let daily = if (8..18).contains(&hour_of_day) {
        1.8
    } else {
        0.5
    };
    let weekly = if hour / 24 % 7 >= 5 { 0.22 } else { 1.0 };
    level * daily * weekly
}

/// A negative binomial count: Poisson with a gamma-distributed mean of shape `k`.
pub(crate) fn count(rng: &mut ChaCha8Rng, mean: f64, k: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    let rate = Gamma::new(k, mean / k).unwrap().sample(rng);
    if rate <= 0.0 {
        0.0
    } else {
        Poisson::new(rate).unwrap().sample(rng)
    }
}

/// A series drawn hour by hour around `mean(hour)`.
pub(crate) fn draw(seed: u64, hours: usize, mean: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..hours)
        .map(|hour| count(&mut rng, mean(hour), 12.0))
        .collect()
}

/// One regressor that is 1 on random days.
pub(crate) fn random_days(seed: u64, hours: usize) -> Regressor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let days: Vec<bool> = (0..hours / 24 + 1).map(|_| rng.random_bool(0.06)).collect();
    let values = (0..hours)
        .map(|hour| f64::from(u8::from(days[hour / 24])))
        .collect();
    Regressor {
        name: "campaign".to_owned(),
        values,
    }
}

/// A panel of named series from Monday 00:00 on.
pub(crate) fn panel_of(series: Vec<(&str, Vec<f64>)>, regressors: Vec<Regressor>) -> TrainingPanel {
    let hours = series[0].1.len();
    TrainingPanel {
        start: monday(),
        hour_of_week: hours_of_week(0, hours),
        regressors,
        series: series
            .into_iter()
            .map(|(name, values)| PanelSeries {
                id: series_id(name),
                values,
            })
            .collect(),
    }
}

/// The frame that follows a panel: everything known, `horizon` hours ahead, regressors at zero there.
pub(crate) fn frame_after(panel: &TrainingPanel, horizon: usize) -> ScoringFrame {
    let hours = panel.hours();
    ScoringFrame {
        start: panel.start + Duration::hours(hours as i64),
        hour_of_week: hours_of_week(hours, horizon),
        history_hour_of_week: panel.hour_of_week.clone(),
        regressors: panel
            .regressors
            .iter()
            .map(|regressor| Regressor {
                name: regressor.name.clone(),
                values: [&regressor.values[..], &vec![0.0; horizon]].concat(),
            })
            .collect(),
        series: panel.series.clone(),
    }
}
