//! The Theta method on seasonally adjusted values: simple exponential smoothing plus half the slope
//! of a line (Assimakopoulos and Nikolopoulos 2000; as smoothing with drift: Hyndman and Billah
//! 2003). The smoothing constant is the one with the least error one day ahead.

use super::Parts;
use super::decomposition::{Decomposition, WINDOW};
use crate::week::HOURS_OF_WEEK;

const CONSTANTS: [f64; 4] = [0.02, 0.1, 0.3, 0.8];

/// Slope of a line is carried on for as many hours at most.
const LONGEST_DRIFT: f64 = 336.0;

const LEAD: usize = 24;

pub(crate) fn project(known: &[f64], ahead: usize) -> Vec<Parts> {
    let decomposition = Decomposition::of(known, HOURS_OF_WEEK);
    let window = &known[known.len().saturating_sub(WINDOW)..];
    let first = (HOURS_OF_WEEK - window.len() % HOURS_OF_WEEK) % HOURS_OF_WEEK;
    let adjusted: Vec<f64> = window
        .iter()
        .enumerate()
        .map(|(index, value)| value - decomposition.season[(first + index) % HOURS_OF_WEEK])
        .collect();
    let (level, _) = CONSTANTS
        .map(|constant| smoothed(&adjusted, constant))
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

/// The last level and the error of levels against what came a day later.
fn smoothed(values: &[f64], constant: f64) -> (f64, f64) {
    let mut level = values.first().copied().unwrap_or(0.0);
    let mut error = 0.0;
    for (index, &value) in values.iter().enumerate() {
        level += constant * (value - level);
        if let Some(later) = values.get(index + LEAD) {
            error += (later - level).abs();
        }
    }
    (level, error)
}
