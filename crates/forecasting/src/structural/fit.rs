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
    let active = counts.iter().filter(|&&count| count > 0.0).count();
    if active < FEWEST_ACTIVE_HOURS {
        return None;
    }
    let (coefficients, scale) = match link {
        Link::Identity => fit_identity(design, counts, onset)?,
        Link::Log => (fit_log(design, counts, onset)?, 1.0),
    };
    let coefficients: Vec<f64> = coefficients
        .into_iter()
        .map(|value| value * scale)
        .collect();
    Some(structural(link, design, counts, &coefficients))
}

/// No fitted count lies further below the mean than by half of this, in logarithms.
const LOG_FLOOR: f64 = 12.0;

fn structural(link: Link, design: &Design<'_>, counts: &[f64], coefficients: &[f64]) -> Structural {
    let (daily, rest) = coefficients[design.first_daily..].split_at(DAILY_COLUMNS);
    let (weekly, effects) = rest.split_at(WEEKLY_COLUMNS);
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
    let unscaled = |(&effect, &scale): (&f64, &f64)| if scale > 0.0 { effect / scale } else { 0.0 };
    Structural {
        level: coefficients[0],
        slope: coefficients[1] * 24.0 / SLOPE_HOURS,
        daily,
        weekly,
        effects: effects
            .iter()
            .zip(&design.regressor_scale)
            .map(unscaled)
            .collect(),
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

/// Quasi-Poisson with a log link by iteratively reweighted least squares.
fn fit_log(design: &Design<'_>, counts: &[f64], onset: usize) -> Option<Vec<f64>> {
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
    coefficients
}

/// Weighted sums of products of the columns with each other and with the target.
struct NormalEquations {
    products: Vec<f64>,
    right: Vec<f64>,
}

impl NormalEquations {
    fn gather(design: &Design<'_>, onset: usize, weights: &[f64], targets: &[f64]) -> Self {
        let width = design.width;
        let mut products = vec![0.0; width * width];
        let mut right = vec![0.0; width];
        for ((row, &weight), &target) in design.rows_from(onset).zip(weights).zip(targets) {
            for (first, &value) in row.iter().enumerate() {
                let weighted = weight * value;
                right[first] += weighted * target;
                let sums = &mut products[first * width..first * width + first + 1];
                for (sum, other) in sums.iter_mut().zip(row) {
                    *sum += weighted * other;
                }
            }
        }
        Self { products, right }
    }

    fn solve(&self, design: &Design<'_>, noise: f64) -> Option<Vec<f64>> {
        let mut matrix = self.products.clone();
        for (index, precision) in design.precision.iter().enumerate() {
            matrix[index * design.width + index] += noise * precision;
        }
        solve(&mut matrix, &self.right)
    }
}
