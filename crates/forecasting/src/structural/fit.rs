//! Penalised fits: ridge least squares for the identity link, iteratively reweighted quasi-Poisson
//! for the log link, so that counts with many zeros need no transformation.

use super::cholesky::solve;
use super::design::{DAILY_COLUMNS, Design, SLOPE_HOURS, WEEKLY_COLUMNS, dot};
use super::{Link, Structural};
use crate::statistics::{mean, variance};
use crate::week::HOURS_OF_WEEK;

/// Shares of the newest week's surprise that the backtest chooses from.
pub(crate) const GAINS: [f64; 3] = [0.0, 0.5, 1.0];

/// Hours with a count above zero below which there is no season to fit.
const FEWEST_ACTIVE_HOURS: usize = 24;

const MOST_ROUNDS: usize = 8;

/// Round after round the log link stops once no fitted value moves by more than this.
const CONVERGED: f64 = 1e-3;

/// Fits hours `onset..` of the design to the values (which start at hour 0). `None` when there is
/// too little to fit.
pub(crate) fn fit(
    link: Link,
    design: &Design<'_>,
    values: &[f64],
    onset: usize,
) -> Option<Structural> {
    let counts = &values[onset..design.hours];
    if !is_active(counts) {
        return None;
    }
    let (coefficients, scale) = match link {
        Link::Identity => fit_identity(design, counts, onset)?,
        Link::Log => (fit_log(design, counts, onset)?.coefficients, 1.0),
    };
    let coefficients: Vec<f64> = coefficients
        .into_iter()
        .map(|value| value * scale)
        .collect();
    Some(structural(link, design, counts, &coefficients))
}

/// Whether enough happened for a season.
pub(super) fn is_active(counts: &[f64]) -> bool {
    counts.iter().filter(|&&count| count > 0.0).count() >= FEWEST_ACTIVE_HOURS
}

/// No fitted count lies further below the mean than by half of this, in logarithms.
const LOG_FLOOR: f64 = 12.0;

fn structural(link: Link, design: &Design<'_>, counts: &[f64], coefficients: &[f64]) -> Structural {
    let (daily, rest) = coefficients[design.first_daily..].split_at(DAILY_COLUMNS);
    let weekly = &rest[..WEEKLY_COLUMNS];
    let daily: Vec<f64> = (0..24)
        .map(|hour| design.basis.daily(hour, daily))
        .collect();
    let weekly: Vec<f64> = (0..HOURS_OF_WEEK)
        .map(|hour| design.basis.weekly(hour, weekly))
        .collect();
    let season_mean = match link {
        Link::Identity => 0.0,
        Link::Log => {
            let factor = |hour: usize| (daily[hour % 24] + weekly[hour]).exp();
            mean(&(0..HOURS_OF_WEEK).map(factor).collect::<Vec<_>>())
        }
    };
    Structural {
        level: coefficients[0],
        slope: coefficients[1] * 24.0 / SLOPE_HOURS,
        daily,
        weekly,
        state_gain: 0.0,
        season_mean,
        pseudo_level: 0.1 * mean(counts) + 1e-9,
        bound: 3.0 * counts.iter().copied().fold(0.0, f64::max) + 1.0,
    }
}

/// Ridge least squares on values in standard deviations; the noise is estimated in a first round.
fn fit_identity(design: &Design<'_>, counts: &[f64], onset: usize) -> Option<(Vec<f64>, f64)> {
    let scale = variance(counts).sqrt();
    if scale <= 0.0 {
        return None;
    }
    let targets: Vec<f64> = counts.iter().map(|count| count / scale).collect();
    let weights = vec![1.0; counts.len()];
    let normal = NormalEquations::gather(design, onset, &weights, &targets);
    let first = normal.solve(design, 0.5)?;
    let residuals: Vec<f64> = design
        .rows_from(onset)
        .zip(&targets)
        .map(|(row, target)| target - dot(row, &first))
        .collect();
    let noise = variance(&residuals).max(1e-6);
    Some((normal.solve(design, noise)?, scale))
}

/// Coefficients of a quasi-Poisson model and the logarithms of the counts it expects.
pub(super) struct LogFit {
    pub(super) coefficients: Vec<f64>,
    pub(super) logs: Vec<f64>,
}

/// Quasi-Poisson with a log link by iteratively reweighted least squares.
pub(super) fn fit_log(design: &Design<'_>, counts: &[f64], onset: usize) -> Option<LogFit> {
    let average = mean(counts);
    let highest = counts.iter().copied().fold(0.0, f64::max);
    let (lowest_log, highest_log) = (average.ln() - LOG_FLOOR / 2.0, highest.ln() + 1.0);
    let mut logs = vec![average.ln(); counts.len()];
    let mut coefficients = None;
    for _ in 0..MOST_ROUNDS {
        let fitted: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
        let surprises = fitted
            .iter()
            .zip(counts)
            .map(|(mu, y)| (y - mu).powi(2) / mu);
        let dispersion = mean(&surprises.collect::<Vec<_>>()).max(1e-6 * average);
        let targets: Vec<f64> = logs
            .iter()
            .zip(&fitted)
            .zip(counts)
            .map(|((log, mu), count)| log + (count - mu) / mu)
            .collect();
        let normal = NormalEquations::gather(design, onset, &fitted, &targets);
        let solved = normal.solve(design, dispersion)?;
        let mut largest_move: f64 = 0.0;
        for (log, row) in logs.iter_mut().zip(design.rows_from(onset)) {
            let next = dot(row, &solved).clamp(lowest_log, highest_log);
            largest_move = largest_move.max((next - *log).abs());
            *log = next;
        }
        coefficients = Some(solved);
        if largest_move < CONVERGED {
            break;
        }
    }
    coefficients.map(|coefficients| LogFit { coefficients, logs })
}

/// Weighted sums of products of the columns with each other and with the target.
#[derive(Clone)]
pub(super) struct NormalEquations {
    products: Vec<f64>,
    right: Vec<f64>,
}

impl NormalEquations {
    pub(super) fn gather(
        design: &Design<'_>,
        onset: usize,
        weights: &[f64],
        targets: &[f64],
    ) -> Self {
        let width = design.width;
        let mut all = Self {
            products: vec![0.0; width * width],
            right: vec![0.0; width],
        };
        for ((row, &weight), &target) in design.rows_from(onset).zip(weights).zip(targets) {
            all.add(row, weight, target);
        }
        all
    }

    /// Adds an hour; with its weight below zero, takes it away again.
    pub(super) fn add(&mut self, row: &[f64], weight: f64, target: f64) {
        let width = self.right.len();
        for (first, &value) in row.iter().enumerate() {
            let weighted = weight * value;
            self.right[first] += weighted * target;
            let sums = &mut self.products[first * width..first * width + first + 1];
            for (sum, other) in sums.iter_mut().zip(row) {
                *sum += weighted * other;
            }
        }
    }

    /// The matrix with the coefficients' priors.
    pub(super) fn penalised(&self, design: &Design<'_>, noise: f64) -> Vec<f64> {
        let mut matrix = self.products.clone();
        for (index, precision) in design.precision.iter().enumerate() {
            matrix[index * design.width + index] += noise * precision;
        }
        matrix
    }

    pub(super) fn solve(&self, design: &Design<'_>, noise: f64) -> Option<Vec<f64>> {
        solve(&mut self.penalised(design, noise), &self.right)
    }
}
