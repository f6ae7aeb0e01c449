//! The Theta method on seasonally adjusted values: simple exponential smoothing plus half the slope
//! of a line (Assimakopoulos and Nikolopoulos 2000; as smoothing with drift: Hyndman and Billah
//! 2003). The smoothing constant is the one with the least error one day ahead.

use super::Parts;
use super::decomposition::{Decomposition, WINDOW};

const CONSTANTS: [f64; 4] = [0.02, 0.1, 0.3, 0.8];

/// Slope of a line is carried on for as many hours at most.
const LONGEST_DRIFT: f64 = 336.0;

const LEAD: usize = 24;

/// Of the values that were decomposed, by the week.
pub(crate) fn project(decomposition: &Decomposition, known: &[f64], ahead: usize) -> Vec<Parts> {
    let window = &known[known.len().saturating_sub(WINDOW)..];
    let seasons = decomposition.along(window.len());
    let adjusted: Vec<f64> = window.iter().zip(seasons).map(|(v, s)| v - s).collect();
    let (level, _) = smoothed(&adjusted)
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are constants");
    let daily = decomposition.daily();
    (0..ahead)
        .map(|step| {
            let (day, week) = decomposition.seasons(&daily, step);
            let hours = (step as f64 + 1.0).min(LONGEST_DRIFT);
            [level, 0.5 * decomposition.slope * hours, day, week]
        })
        .collect()
}

/// For each constant the last level, and the error of levels against what came a day later.
fn smoothed(values: &[f64]) -> [(f64, f64); CONSTANTS.len()] {
    let mut found = [(values.first().copied().unwrap_or(0.0), 0.0); CONSTANTS.len()];
    let mut later = values.iter().skip(LEAD);
    for &value in values {
        let later = later.next();
        for ((level, error), constant) in found.iter_mut().zip(CONSTANTS) {
            *level += constant * (value - *level);
            if let Some(later) = later {
                *error += (later - *level).abs();
            }
        }
    }
    found
}
