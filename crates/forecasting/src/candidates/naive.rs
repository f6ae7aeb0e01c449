//! What happened at the same local hour before.

use super::{Parts, point};
use crate::statistics::mean;
use crate::week::HOURS_OF_WEEK;

const DAY: usize = 24;

/// The mean of the last `weeks` values at the same hour of the week. With one week: seasonal naive
/// (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2).
pub(crate) fn same_hour_of_week(known: &[f64], weeks: usize, ahead: usize) -> Vec<Parts> {
    seasonal(known, HOURS_OF_WEEK, weeks, ahead)
}

/// The last value at the same hour of the day.
pub(crate) fn same_hour_of_day(known: &[f64], ahead: usize) -> Vec<Parts> {
    seasonal(known, DAY, 1, ahead)
}

fn seasonal(known: &[f64], season: usize, rounds: usize, ahead: usize) -> Vec<Parts> {
    let rounds = rounds.min(known.len() / season).max(1);
    let recent = &known[known.len().saturating_sub(rounds * season)..];
    let level = mean(recent);
    let average = |position: usize, season: usize| {
        let first = position % season;
        let values = recent.iter().skip(first).step_by(season);
        values.clone().sum::<f64>() / values.count().max(1) as f64
    };
    let profile: Vec<f64> = (0..season.min(recent.len()))
        .map(|position| average(position, season))
        .collect();
    let daily: Vec<f64> = (0..DAY).map(|position| average(position, DAY)).collect();
    (0..ahead)
        .map(|step| {
            let value = profile[step % profile.len()];
            let day = daily[step % DAY] - level;
            [level, 0.0, day, value - level - day]
        })
        .collect()
}

/// Apportions points to the level and seasons of the last weeks; what is left is trend.
pub(crate) fn apportioned(known: &[f64], points: &[f64]) -> Vec<Parts> {
    let weeks = same_hour_of_week(known, 4, points.len());
    weeks
        .iter()
        .zip(points)
        .map(|(parts, value)| {
            let [level, _, daily, weekly] = *parts;
            [level, value - point(parts), daily, weekly]
        })
        .collect()
}
