//! Weights of the components, learned from rolling origins inside the history.

use foretide_domain::LEVELS;
use serde::{Deserialize, Serialize};

use super::prior::CountPrior;
use super::state::{
    COMPONENTS, COUNT_SHAPE_HOURS, Components, CountForecast, Memories, REACHES, Shape, Tracks,
    reach_of,
};

/// How far the first step moves the logarithms of the weights, per unit of relative pinball loss.
const FIRST_STEP: f64 = 30.0;

/// Steps of descent. Few on purpose: stopping early keeps the weights near equal where the history
/// says little.
const STEPS: usize = 12;

/// Steps after which the length of a step has halved.
const STEP_MEMORY: f64 = 20.0;

/// A weight that starts lower could never rise.
const SMALLEST_START: f64 = 1e-3;

/// What an origin weighs, relative to the next newer one.
const OLDER_DISCOUNT: f64 = 0.99;

/// Origins that the weights are learned from, and number of origins for which a shape is
/// kept.
const MOST_ORIGINS: usize = 36;
const SHAPE_ORIGINS: usize = 12;

/// Hours of history before the first origin.
const FEWEST_KNOWN_HOURS: usize = 14 * 24;

/// Hours between two origins: not whole days, so that the next hour is met at every time of day.
const ORIGIN_EVERY: usize = 47;

/// Hours ahead of the newest origin that must be known.
const LONGEST_AHEAD: usize = 24;

/// Fewest origins that say anything about weights.
const FEWEST_ORIGINS: usize = 7;

/// Hours ahead that are scored, of each origin, as far as they are known.
const SCORED_AHEAD: [usize; 18] = [
    1, 2, 4, 6, 7, 9, 11, 13, 15, 17, 19, 21, 23, 24, 28, 39, 53, 67,
];

/// Weights of the components for each reach; they sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CountMixture {
    /// Weights by reach.
    pub weights: [[f64; COMPONENTS]; REACHES],
}

impl Default for CountMixture {
    /// All alike.
    fn default() -> Self {
        Self {
            weights: [[1.0 / COMPONENTS as f64; COMPONENTS]; REACHES],
        }
    }
}

/// A component's quantiles, and what happened, at one hour of one origin.
struct Scored {
    quantiles: [[f64; 5]; COMPONENTS],
    actual: f64,
    weight: f64,
}

impl CountMixture {
    /// Learns by exponentiated gradient descent on the pinball loss (Kivinen and Warmuth 1997) over
    /// rolling origins inside the history, each seeing nothing after itself. Starts from the prior's
    /// weights, or from equal ones, and stays there when the history is too short.
    #[must_use]
    pub fn learn(values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> Self {
        let scored = scored_hours(values, hour_of_week, prior);
        let mut mixture = prior.mixture.unwrap_or_default();
        for (weights, scored) in mixture.weights.iter_mut().zip(scored) {
            if let Some(learned) = descend(&scored, *weights) {
                *weights = learned;
            }
        }
        mixture
    }

    /// Mean of several mixtures. `None` of none.
    #[must_use]
    pub fn mean(mixtures: &[Self]) -> Option<Self> {
        let count = mixtures.len() as f64;
        let weight = |reach: usize, component: usize| {
            let all = mixtures
                .iter()
                .map(|mixture| mixture.weights[reach][component]);
            all.sum::<f64>() / count
        };
        (!mixtures.is_empty()).then(|| Self {
            weights: std::array::from_fn(|reach| {
                std::array::from_fn(|component| weight(reach, component))
            }),
        })
    }

    /// The mixture at an hour ahead: a weighted mean of the components' quantiles.
    #[must_use]
    pub fn mix(&self, components: &Components, ahead: usize) -> CountForecast {
        mixed(&self.weights[reach_of(ahead)], components)
    }
}

fn mixed(weights: &[f64; COMPONENTS], components: &Components) -> CountForecast {
    let mut sum = CountForecast::default();
    for (weight, component) in weights.iter().zip(components) {
        for (total, part) in sum.parts.iter_mut().zip(component.parts) {
            *total += weight * part;
        }
        for (total, quantile) in sum.quantiles.iter_mut().zip(component.quantiles) {
            *total += weight * quantile;
        }
    }
    sum
}

fn scored_hours(values: &[f64], hour_of_week: &[u8], prior: &CountPrior) -> [Vec<Scored>; REACHES] {
    let mut scored: [Vec<Scored>; REACHES] = Default::default();
    let days = values.len().saturating_sub(FEWEST_KNOWN_HOURS) / ORIGIN_EVERY;
    let origins = days.min(MOST_ORIGINS);
    if origins < FEWEST_ORIGINS {
        return scored;
    }
    let oldest = values
        .len()
        .saturating_sub(COUNT_SHAPE_HOURS + ORIGIN_EVERY * MOST_ORIGINS);
    let (values, hour_of_week) = (&values[oldest..], &hour_of_week[oldest..]);
    let memories = Memories::new();
    let origins: Vec<usize> = (1..=origins).rev().collect();
    for origins in origins.chunks(SHAPE_ORIGINS) {
        let known_at = |back: &usize| values.len() - LONGEST_AHEAD - ORIGIN_EVERY * (back - 1);
        let first = origins.first().map_or(0, known_at);
        let shape = Shape::learn(&values[..first], &hour_of_week[..first], prior);
        let tracks = Tracks::new(&shape, values, hour_of_week);
        for back in origins {
            let known = known_at(back);
            let ahead_of = |ahead: usize| known + ahead - 1;
            let scored_ahead = || {
                let ahead = SCORED_AHEAD.into_iter();
                ahead.filter(|ahead| ahead_of(*ahead) < values.len())
            };
            let hour_of_week = |ahead: usize| usize::from(hour_of_week[ahead_of(ahead)]);
            let is_wanted = |time: usize| {
                let mut hours = scored_ahead();
                hours.any(|ahead| hour_of_week(ahead) % 24 == time)
            };
            let state = tracks.state(&memories, known, is_wanted);
            for ahead in scored_ahead() {
                let components = state.components(&shape, ahead, hour_of_week(ahead));
                scored[reach_of(ahead)].push(Scored {
                    quantiles: components.map(|component| component.quantiles),
                    actual: values[ahead_of(ahead)],
                    weight: OLDER_DISCOUNT.powi(*back as i32),
                });
            }
        }
    }
    scored
}

fn descend(scored: &[Scored], start: [f64; COMPONENTS]) -> Option<[f64; COMPONENTS]> {
    let scale: f64 = scored.iter().map(|hour| hour.weight * hour.actual).sum();
    if scale <= 0.0 {
        return None;
    }
    let unit = scale * LEVELS.len() as f64;
    let mut weights = start;
    let mut logarithms = start.map(|weight| weight.max(SMALLEST_START).ln());
    for step in 0..STEPS {
        let slope = slope(scored, &weights, unit);
        let length = FIRST_STEP / (1.0 + step as f64 / STEP_MEMORY);
        for (logarithm, slope) in logarithms.iter_mut().zip(slope) {
            *logarithm -= length * slope;
        }
        let highest = logarithms.into_iter().fold(f64::NEG_INFINITY, f64::max);
        weights = logarithms.map(|logarithm| (logarithm - highest).exp());
        let sum: f64 = weights.iter().sum();
        weights = weights.map(|weight| weight / sum);
    }
    Some(weights)
}

/// Slope of the pinball loss, in units of the mean count, along each weight; its weighted mean is
/// taken off, since weights only trade against each other.
fn slope(scored: &[Scored], weights: &[f64; COMPONENTS], unit: f64) -> [f64; COMPONENTS] {
    let mut slopes = [0.0; COMPONENTS];
    for hour in scored {
        let mut mix = [0.0; LEVELS.len()];
        for (weight, component) in weights.iter().zip(&hour.quantiles) {
            for (total, quantile) in mix.iter_mut().zip(component) {
                *total += weight * quantile;
            }
        }
        let side: [f64; LEVELS.len()] = std::array::from_fn(|level| {
            let is_above = f64::from(u8::from(hour.actual > mix[level]));
            hour.weight * (1.0 - LEVELS[level] - is_above)
        });
        for (slope, component) in slopes.iter_mut().zip(&hour.quantiles) {
            *slope += side.iter().zip(component).map(|(s, q)| s * q).sum::<f64>();
        }
    }
    let slopes = slopes.map(|slope| slope / unit);
    let common: f64 = slopes.iter().zip(weights).map(|(slope, w)| slope * w).sum();
    slopes.map(|slope| slope - common)
}
