//! Penalised fits: ridge least squares for the identity link, iteratively reweighted quasi-Poisson
//! for the log link, so that counts with many zeros need no transformation.

use super::cholesky::solve;
use super::design::{DAILY_COLUMNS, Design, SEASON_COLUMNS, SLOPE_HOURS, WEEKLY_COLUMNS};
use super::{Link, Structural};
use crate::statistics::{above_zero, mean, variance};
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
        pseudo_level: above_zero(0.1 * mean(counts), 1e-9),
        bound: above_zero(3.0 * counts.iter().copied().fold(0.0, f64::max), 1.0),
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
        .fitted(onset, &first)
        .zip(&targets)
        .map(|(fitted, target)| target - fitted)
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
        for (log, fitted) in logs.iter_mut().zip(design.fitted(onset, &solved)) {
            let next = fitted.clamp(lowest_log, highest_log);
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
    /// Hours of the same hour of the week have the same seasons, so those enter once for each hour
    /// of the week, and only the other columns hour by hour.
    pub(super) fn gather(
        design: &Design<'_>,
        onset: usize,
        weights: &[f64],
        targets: &[f64],
    ) -> Self {
        let (width, first) = (design.width, design.first_daily);
        let own_width = width - SEASON_COLUMNS;
        let mut all = Self {
            products: vec![0.0; width * width],
            right: vec![0.0; width],
        };
        let place = |own: usize| {
            if own < first {
                own
            } else {
                own + SEASON_COLUMNS
            }
        };
        // By hour of the week: weights, weighted targets, weighted own columns.
        let mut masses = [(0.0, 0.0); HOURS_OF_WEEK];
        let mut moments = vec![0.0; HOURS_OF_WEEK * own_width];
        let mut own = vec![0.0; own_width];
        let mut own_products = vec![0.0; own_width * own_width];
        for (((hour, row), &weight), &target) in design.hours_from(onset).zip(weights).zip(targets)
        {
            let (before, after) = design.apart(row);
            own[..first].copy_from_slice(before);
            own[first..].copy_from_slice(after);
            let (mass, mass_of_targets) = &mut masses[hour];
            *mass += weight;
            *mass_of_targets += weight * target;
            let moments = &mut moments[hour * own_width..][..own_width];
            for (at, (&value, moment)) in own.iter().zip(moments).enumerate() {
                let weighted = weight * value;
                *moment += weighted;
                all.right[place(at)] += weighted * target;
                let sums = &mut own_products[at * own_width..][..=at];
                for (sum, other) in sums.iter_mut().zip(&own) {
                    *sum += weighted * other;
                }
            }
        }
        for at in 0..own_width {
            for other in 0..=at {
                all.products[place(at) * width + place(other)] =
                    own_products[at * own_width + other];
            }
        }
        all.add_seasons(design, &masses, &moments);
        all
    }

    /// Adds the products of the season columns with each other, with the own columns and with the
    /// targets.
    fn add_seasons(
        &mut self,
        design: &Design<'_>,
        masses: &[(f64, f64); HOURS_OF_WEEK],
        moments: &[f64],
    ) {
        let (width, first) = (design.width, design.first_daily);
        let own_width = width - SEASON_COLUMNS;
        let hours = design.seasons().iter().zip(masses);
        for ((seasons, &(mass, target)), moments) in hours.zip(moments.chunks_exact(own_width)) {
            let (before, after) = moments.split_at(first);
            for (at, season) in seasons.iter().enumerate() {
                let row = first + at;
                self.right[row] += target * season;
                let sums = &mut self.products[row * width..][..=row];
                let (sums_before, sums_seasons) = sums.split_at_mut(first);
                for (sum, moment) in sums_before.iter_mut().zip(before) {
                    *sum += season * moment;
                }
                let weighted = mass * season;
                for (sum, other) in sums_seasons.iter_mut().zip(seasons) {
                    *sum += weighted * other;
                }
            }
            for (at, moment) in after.iter().enumerate() {
                let row = first + SEASON_COLUMNS + at;
                let sums = &mut self.products[row * width + first..][..SEASON_COLUMNS];
                for (sum, season) in sums.iter_mut().zip(seasons) {
                    *sum += moment * season;
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::Regressor;
    use crate::structural::SeasonBasis;

    #[test]
    fn gathering_by_hour_of_the_week_is_adding_hour_by_hour() {
        let hours = 900;
        // A clock that is changed on the way.
        let grid: Vec<u8> = (0..hours)
            .map(|hour| ((hour + 40 + usize::from(hour > 300)) % HOURS_OF_WEEK) as u8)
            .collect();
        let regressor = |name: &str, every: usize| Regressor {
            name: name.to_owned(),
            values: (0..hours)
                .map(|hour| f64::from(u8::from(hour % every < 30)))
                .collect(),
        };
        let regressors = [regressor("a", 200), regressor("b", 333)];
        let basis = SeasonBasis::new();
        let design = Design::new(&basis, &grid, &regressors, hours);
        let onset = 77;
        let weights: Vec<f64> = (onset..hours).map(|at| 1.0 + (at % 13) as f64).collect();
        let targets: Vec<f64> = (onset..hours).map(|at| (at * at % 17) as f64).collect();
        let gathered = NormalEquations::gather(&design, onset, &weights, &targets);
        let mut added = NormalEquations {
            products: vec![0.0; design.width * design.width],
            right: vec![0.0; design.width],
        };
        for ((row, &weight), &target) in design.rows_from(onset).zip(&weights).zip(&targets) {
            added.add(row, weight, target);
        }
        let all = added.products.iter().zip(&gathered.products);
        for (one, other) in all.chain(added.right.iter().zip(&gathered.right)) {
            assert!(
                (one - other).abs() < 1e-8 * one.abs().max(1.0),
                "{one} {other}"
            );
        }
        let coefficients: Vec<f64> = (0..design.width).map(|at| (at % 5) as f64).collect();
        let fitted = design.fitted(onset, &coefficients);
        for (fitted, row) in fitted.zip(design.rows_from(onset)) {
            let expected: f64 = row.iter().zip(&coefficients).map(|(x, c)| x * c).sum();
            assert!((fitted - expected).abs() < 1e-9);
        }
    }
}
