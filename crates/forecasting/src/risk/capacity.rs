//! The capacity a SOC has shown to need, learned by part of the week.

use crate::panel::Regressor;
use crate::statistics::{conformal_quantile, quantile};
use crate::week::HOURS_OF_WEEK;

/// Weeks a usual load is the median of.
const USUAL_WEEKS: usize = 13;

/// Fewest earlier weeks a usual load is taken from when past windows are scored.
const FEWEST_WEEKS: usize = 3;

/// Weeks of windows whose surprise sets how far above the usual load the capacity lies.
const SCORED_WEEKS: usize = 26;

/// Share of hours in which a regressor has the same value, for it to tell of events.
const EVENTLESS_SHARE: f64 = 0.75;

/// Hours of the history in which something announced was on: a regressor that has one value nearly
/// always had another. `hours` are the first of each regressor's values.
#[must_use]
pub fn announced_hours(regressors: &[Regressor], hours: usize) -> Vec<bool> {
    let mut announced = vec![false; hours];
    for regressor in regressors {
        let Some(values) = regressor.values.get(..hours) else {
            continue;
        };
        let usual = quantile(&mut values.to_vec(), 0.5);
        let differs = |value: &f64| (value - usual).abs() > f64::EPSILON;
        let events = values.iter().filter(|value| differs(value)).count();
        if (events as f64) < (1.0 - EVENTLESS_SHARE) * hours as f64 {
            for (announced, value) in announced.iter_mut().zip(values) {
                *announced |= differs(value);
            }
        }
    }
    announced
}

/// Load of a window that starts at `start_hour_of_week` and lasts `window_hours` which windows of
/// the history stayed under in `usual_share` of cases: the median of the same window in the last
/// weeks, plus the split-conformal quantile of what windows showed above their own earlier median.
/// Surprise is counted in units of the square root of the load, so quiet nights do not set the
/// measure for busy days. Windows with an `announced` hour are not usual and left out.
///
/// `None` when the history holds fewer than three such windows.
#[must_use]
pub fn learned_capacity(
    history: &[f64],
    history_hour_of_week: &[u8],
    announced: &[bool],
    start_hour_of_week: u8,
    window_hours: usize,
    usual_share: f64,
) -> Option<f64> {
    let same_windows = |start| {
        same_windows(
            history,
            history_hour_of_week,
            announced,
            start,
            window_hours,
        )
    };
    let same = same_windows(start_hour_of_week);
    if same.len() < FEWEST_WEEKS {
        return None;
    }
    let usual = usual_load(&same);
    let mut surprises = Vec::new();
    for offset in 0..HOURS_OF_WEEK.div_ceil(window_hours) {
        let start = (usize::from(start_hour_of_week) + offset * window_hours) % HOURS_OF_WEEK;
        let sums = same_windows(start as u8);
        let first = FEWEST_WEEKS.max(sums.len().saturating_sub(SCORED_WEEKS));
        surprises.extend((first..sums.len()).map(|week| surprise(sums[week], &sums[..week])));
    }
    if surprises.is_empty() {
        surprises.extend(same.iter().map(|&sum| (sum - usual) / unit(usual)));
    }
    let allowed = conformal_quantile(&mut surprises, usual_share).max(0.0);
    Some(usual + allowed * unit(usual))
}

/// Sums of the windows that start at the given hour of the week, lie inside and hold nothing
/// announced, oldest first.
fn same_windows(
    history: &[f64],
    hour_of_week: &[u8],
    announced: &[bool],
    start: u8,
    hours: usize,
) -> Vec<f64> {
    let starts = hour_of_week
        .iter()
        .zip(0..)
        .filter(|&(&hour, _)| hour == start);
    starts
        .filter_map(|(_, index): (_, usize)| {
            let window = history.get(index..index + hours)?;
            let is_usual = !announced.get(index..index + hours)?.contains(&true);
            is_usual.then(|| window.iter().sum())
        })
        .collect()
}

fn usual_load(earlier: &[f64]) -> f64 {
    let mut newest = earlier[earlier.len().saturating_sub(USUAL_WEEKS)..].to_vec();
    quantile(&mut newest, 0.5)
}

fn surprise(sum: f64, earlier: &[f64]) -> f64 {
    let usual = usual_load(earlier);
    (sum - usual) / unit(usual)
}

/// Relative spread that loads are taken to have beyond counting noise.
const RELATIVE_VARIANCE: f64 = 0.08;

fn unit(load: f64) -> f64 {
    (load + RELATIVE_VARIANCE * load * load + 1.0).sqrt()
}
