//! The columns a Prophet-class model is fitted on. They are the same for all series of a panel, so
//! they are made once for each cut of the history.

use std::f64::consts::TAU;

use crate::effects::RegressorRange;
use crate::panel::Regressor;
use crate::statistics::variance;
use crate::week::HOURS_OF_WEEK;

/// Hours in which the trend's slope is counted: four weeks.
pub(super) const SLOPE_HOURS: f64 = 672.0;

/// Harmonics of the day, and of the week (without those that are the day's).
const DAILY_HARMONICS: usize = 6;
const WEEKLY_HARMONICS: [usize; 9] = [1, 2, 3, 4, 5, 6, 8, 9, 10];

pub(super) const DAILY_COLUMNS: usize = 2 * DAILY_HARMONICS;
pub(super) const WEEKLY_COLUMNS: usize = 2 * WEEKLY_HARMONICS.len();
pub(super) const SEASON_COLUMNS: usize = DAILY_COLUMNS + WEEKLY_COLUMNS;

const MOST_CHANGEPOINTS: usize = 10;

/// No changepoint in the last hours, so that the last slope rests on more than noise.
const STEADY_HOURS: usize = 336;

/// Prior standard deviations of the coefficients, in logs or in standard deviations of the series.
const SLOPE_DEVIATION: f64 = 0.12;
const CHANGE_DEVIATION: f64 = 0.15;
const DAILY_DEVIATION: f64 = 0.6;
const WEEKLY_DEVIATION: f64 = 0.35;
const EFFECT_DEVIATION: f64 = 0.3;

/// Fourier columns by hour of the week.
pub(crate) struct SeasonBasis(Vec<[f64; SEASON_COLUMNS]>);

impl SeasonBasis {
    pub(crate) fn new() -> Self {
        let row = |hour: usize| {
            let mut columns = [0.0; SEASON_COLUMNS];
            let daily = (1..=DAILY_HARMONICS).map(|harmonic| (harmonic, 24.0));
            let weekly = WEEKLY_HARMONICS
                .into_iter()
                .map(|harmonic| (harmonic, 168.0));
            for (pair, (harmonic, period)) in daily.chain(weekly).enumerate() {
                let angle = TAU * (harmonic * hour) as f64 / period;
                columns[2 * pair] = angle.sin();
                columns[2 * pair + 1] = angle.cos();
            }
            columns
        };
        Self((0..HOURS_OF_WEEK).map(row).collect())
    }

    pub(super) fn daily(&self, hour: usize, coefficients: &[f64]) -> f64 {
        dot(&self.0[hour][..DAILY_COLUMNS], coefficients)
    }

    pub(super) fn weekly(&self, hour: usize, coefficients: &[f64]) -> f64 {
        dot(&self.0[hour][DAILY_COLUMNS..], coefficients)
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rows of columns for the first hours of a panel, oldest first: constant, slope (zero at the end),
/// changes of slope (zero from each changepoint on), daily, weekly, regressors.
pub(crate) struct Design<'a> {
    pub(super) basis: &'a SeasonBasis,
    pub(crate) hours: usize,
    pub(super) width: usize,
    pub(super) rows: Vec<f64>,
    /// Which hour of the week each row lies in; rows of the same have the same seasons.
    hour_of_week: Vec<u8>,
    /// Inverse prior variance of each coefficient.
    pub(super) precision: Vec<f64>,
    /// First of the daily columns; constant, slope and changes stand before it.
    pub(super) first_daily: usize,
    /// Deviation by which each regressor column was divided; zero when it never moved.
    pub(super) regressor_scale: Vec<f64>,
    /// Centres and ranges of the regressors over these hours.
    pub(crate) ranges: Vec<RegressorRange>,
}

impl<'a> Design<'a> {
    /// The design of the first `hours` of the panel.
    pub(crate) fn new(
        basis: &'a SeasonBasis,
        hour_of_week: &[u8],
        regressors: &[Regressor],
        hours: usize,
    ) -> Self {
        let changepoints = changepoints(hours);
        let first_daily = 2 + changepoints.len();
        let width = first_daily + SEASON_COLUMNS + regressors.len();
        let ranges: Vec<_> = regressors
            .iter()
            .map(|regressor| range_of(&regressor.values[..hours]))
            .collect();
        let scales: Vec<_> = regressors
            .iter()
            .map(|regressor| variance(&regressor.values[..hours]).sqrt())
            .collect();
        let mut rows = Vec::with_capacity(hours * width);
        for (index, &hour) in hour_of_week[..hours].iter().enumerate() {
            rows.push(1.0);
            rows.push((index as f64 - hours as f64) / SLOPE_HOURS);
            let before = |&change: &usize| (index as f64 - change as f64).min(0.0) / SLOPE_HOURS;
            rows.extend(changepoints.iter().map(before));
            rows.extend_from_slice(&basis.0[usize::from(hour)]);
            for ((regressor, range), &scale) in regressors.iter().zip(&ranges).zip(&scales) {
                let distance = range.distance(regressor.values[index]);
                rows.push(if scale > 0.0 { distance / scale } else { 0.0 });
            }
        }
        let precision = precision(changepoints.len(), regressors.len());
        Self {
            basis,
            hours,
            width,
            rows,
            hour_of_week: hour_of_week[..hours].to_vec(),
            precision,
            first_daily,
            regressor_scale: scales,
            ranges,
        }
    }

    /// The rows from the given hour on.
    pub(super) fn rows_from(&self, first: usize) -> impl Iterator<Item = &[f64]> {
        self.rows[first * self.width..].chunks_exact(self.width)
    }

    /// The same, each with its hour of the week.
    pub(super) fn hours_from(&self, first: usize) -> impl Iterator<Item = (usize, &[f64])> {
        let hours = self.hour_of_week[first..].iter();
        hours
            .map(|&hour| usize::from(hour))
            .zip(self.rows_from(first))
    }

    /// Season columns of each hour of the week.
    pub(super) fn seasons(&self) -> &[[f64; SEASON_COLUMNS]] {
        &self.basis.0
    }

    /// The columns of a row that are no seasons: those before them, and those after.
    pub(super) fn apart<'r, T>(&self, row: &'r [T]) -> (&'r [T], &'r [T]) {
        let (before, rest) = row.split_at(self.first_daily);
        (before, &rest[SEASON_COLUMNS..])
    }

    /// Rows times coefficients, from the given hour on.
    pub(super) fn fitted(&self, first: usize, coefficients: &[f64]) -> impl Iterator<Item = f64> {
        let of_season = &coefficients[self.first_daily..][..SEASON_COLUMNS];
        let seasons: Vec<f64> = self.basis.0.iter().map(|row| dot(row, of_season)).collect();
        let (before, after) = self.apart(coefficients);
        self.hours_from(first).map(move |(hour, row)| {
            let (own_before, own_after) = self.apart(row);
            dot(own_before, before) + seasons[hour] + dot(own_after, after)
        })
    }
}

fn changepoints(hours: usize) -> Vec<usize> {
    let end = hours.saturating_sub(STEADY_HOURS);
    let count = (end / HOURS_OF_WEEK).min(MOST_CHANGEPOINTS);
    (1..=count).map(|index| index * end / count).collect()
}

fn range_of(values: &[f64]) -> RegressorRange {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => RegressorRange {
            centre: 0.0,
            low: 0.0,
            high: 0.0,
        },
        [low, ..] => RegressorRange {
            centre: sorted[sorted.len() / 2],
            low: *low,
            high: sorted[sorted.len() - 1],
        },
    }
}

fn precision(changepoints: usize, regressors: usize) -> Vec<f64> {
    let of = |deviation: f64| 1.0 / (deviation * deviation);
    let mut precision = vec![1e-6, of(SLOPE_DEVIATION)];
    precision.extend(std::iter::repeat_n(of(CHANGE_DEVIATION), changepoints));
    let smoothed = |deviation: f64, harmonic: usize, smooth: f64| {
        let value = of(deviation) * (1.0 + (harmonic as f64 / smooth).powi(2));
        [value, value]
    };
    precision.extend((1..=DAILY_HARMONICS).flat_map(|k| smoothed(DAILY_DEVIATION, k, 3.0)));
    precision.extend(
        WEEKLY_HARMONICS
            .into_iter()
            .flat_map(|k| smoothed(WEEKLY_DEVIATION, k, 6.0)),
    );
    precision.extend(std::iter::repeat_n(of(EFFECT_DEVIATION), regressors));
    precision
}
