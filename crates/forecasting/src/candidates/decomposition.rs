//! Seasonal means and a straight line, like KQL's `series_decompose_forecast`
//! (learn.microsoft.com/kusto/query/series-decompose-forecast-function).

use super::Parts;
use crate::week::HOURS_OF_WEEK;

/// Hours decomposed at most: eight weeks.
pub(crate) const WINDOW: usize = 8 * HOURS_OF_WEEK;

/// Rounds in which season and line are fitted to what the other leaves.
const ROUNDS: usize = 2;

/// Level and slope at the centre of the window, and a season that starts with the first hour ahead.
pub(crate) struct Decomposition {
    pub(crate) level: f64,
    pub(crate) slope: f64,
    pub(crate) season: Vec<f64>,
    centre: f64,
}

impl Decomposition {
    /// Of the newest weeks; `season` is 24 or 168 hours.
    pub(crate) fn of(known: &[f64], season: usize) -> Self {
        let window = &known[known.len().saturating_sub(WINDOW)..];
        let count = window.len() as f64;
        let first = first_slot(window.len(), season);
        let mut found = Self {
            level: 0.0,
            slope: 0.0,
            season: vec![0.0; season],
            centre: (count - 1.0) / 2.0,
        };
        let counts: Vec<f64> = (0..season)
            .map(|slot| {
                let before = (slot + season - first) % season;
                (window.len().saturating_sub(before)).div_ceil(season) as f64
            })
            .collect();
        found.fit_line(window);
        for _ in 0..ROUNDS {
            let mut sums = vec![0.0; season];
            let mut slot = first;
            for (index, &value) in window.iter().enumerate() {
                let line = found.level + found.slope * (index as f64 - found.centre);
                sums[slot] += value - line;
                slot = if slot + 1 == season { 0 } else { slot + 1 };
            }
            for ((slot, sum), count) in found.season.iter_mut().zip(sums).zip(&counts) {
                *slot = if *count > 0.0 { sum / count } else { 0.0 };
            }
            found.fit_line(window);
        }
        found
    }

    /// The season of each of the decomposed hours, of which there were `count`.
    pub(crate) fn along(&self, count: usize) -> impl Iterator<Item = f64> {
        let first = first_slot(count, self.season.len());
        self.season.iter().cycle().skip(first).copied()
    }

    fn fit_line(&mut self, window: &[f64]) {
        let count = window.len() as f64;
        let squares = count * (count * count - 1.0) / 12.0;
        let (mut sum, mut cross) = (0.0, 0.0);
        let hours = window.iter().zip(self.along(window.len()));
        for (index, (&value, season)) in hours.enumerate() {
            let rest = value - season;
            sum += rest;
            cross += rest * (index as f64 - self.centre);
        }
        self.level = sum / count;
        self.slope = if squares > 0.0 { cross / squares } else { 0.0 };
    }

    /// The seasonal parts `step` hours ahead: of the day and of the week.
    pub(crate) fn seasons(&self, daily: &[f64; 24], step: usize) -> (f64, f64) {
        let value = self.season[step % self.season.len()];
        let day = daily[step % 24];
        (day, value - day)
    }

    /// Mean season by hour of the day, counted from the first hour ahead.
    pub(crate) fn daily(&self) -> [f64; 24] {
        let mut daily = [0.0; 24];
        let days = (self.season.len() / 24) as f64;
        for (slot, value) in self.season.iter().enumerate() {
            daily[slot % 24] += value / days;
        }
        daily
    }

    /// The line and the season carried on.
    pub(crate) fn project(&self, ahead: usize) -> Vec<Parts> {
        let daily = self.daily();
        (0..ahead)
            .map(|step| {
                let (day, week) = self.seasons(&daily, step);
                let days = self.centre + 1.0 + step as f64;
                [self.level, self.slope * days, day, week]
            })
            .collect()
    }
}

/// The place in the season of the first of so many values, if the hour after the last is at zero.
fn first_slot(count: usize, season: usize) -> usize {
    (season - count % season) % season
}
