//! Synthetic telemetry (seeded, invented) and what is asked of it.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_anomalies::{DetectorOptions, Observation, detect};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Five-minute points in a day.
pub(crate) const DAY: usize = 288;

/// A series under construction, five minutes apart.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    pub(crate) points: Vec<(DateTime<Utc>, f64)>,
}

pub(crate) fn monday() -> DateTime<Utc> {
    "2026-01-05T00:00:00Z".parse().expect("a time")
}

impl Telemetry {
    pub(crate) fn of(points: usize, mut value: impl FnMut(usize) -> f64) -> Self {
        let at = |index: usize| monday() + TimeDelta::minutes(5) * index as i32;
        Self {
            points: (0..points).map(|index| (at(index), value(index))).collect(),
        }
    }

    /// Level 100, uniform noise of 10 to both sides.
    pub(crate) fn steady(points: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::of(points, |_| 100.0 + rng.random_range(-10.0..10.0))
    }

    /// Busy between 8 and 18 h, quiet otherwise, with noise.
    pub(crate) fn office_hours(points: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::of(points, |index| {
            let hour = index % DAY / 12;
            let level = if (8..18).contains(&hour) { 200.0 } else { 40.0 };
            level + rng.random_range(-8.0..8.0)
        })
    }

    pub(crate) fn with(mut self, range: Range<usize>, change: impl Fn(f64) -> f64) -> Self {
        for (_, value) in &mut self.points[range] {
            *value = change(*value);
        }
        self
    }

    pub(crate) fn without(mut self, range: Range<usize>) -> Self {
        self.points.drain(range);
        self
    }

    pub(crate) fn judged(&self) -> Vec<Observation> {
        self.judged_by(DetectorOptions::default())
    }

    pub(crate) fn judged_by(&self, options: DetectorOptions) -> Vec<Observation> {
        detect(self.points.iter().copied(), options).expect("options that are allowed")
    }
}

/// Indices of the points that raised an alert.
pub(crate) fn alerts(observations: &[Observation]) -> Vec<usize> {
    (0..observations.len())
        .filter(|index| observations[*index].alert)
        .collect()
}

pub(crate) fn alerts_in(observations: &[Observation], range: Range<usize>) -> Vec<usize> {
    let mut alerts = alerts(observations);
    alerts.retain(|index| range.contains(index));
    alerts
}
