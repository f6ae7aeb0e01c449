//! What each known-future regressor did to one series, how sure that is, and whether it held in
//! events that it was not learned from.
//!
//! The regressors are columns beside trend and seasons of a quasi-Poisson model, so a campaign is
//! held against the hours as they are at that time of the week. Its deviation is taken from sums
//! over days, since the hours of a day are missed alike.

use super::LOG_LIMIT;
use super::cholesky::solve;
use super::design::{Design, dot};
use super::fit::{LogFit, NormalEquations, fit_log, is_active};
use crate::statistics::mean;

/// Longest stretch of hours that is held out at once: a week.
const LONGEST_EVENT: usize = 168;

const DAY: usize = 24;

/// The effect of one regressor on one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EventEffect {
    /// Logarithm of the factor of one unit.
    pub(crate) per_unit: f64,
    /// Its variance; infinite where nothing was seen.
    pub(crate) variance: f64,
    /// Log-likelihood gained in each event by knowing the effect from the others; `None` where
    /// there was only one.
    pub(crate) held_out: Option<f64>,
}

impl EventEffect {
    pub(crate) const UNKNOWN: Self = Self {
        per_unit: 0.0,
        variance: f64::INFINITY,
        held_out: None,
    };
}

/// Effects of the regressors of a design on the hours `onset..` of values that start at hour 0.
pub(crate) fn event_effects(design: &Design<'_>, values: &[f64], onset: usize) -> Vec<EventEffect> {
    let regressors = design.regressor_scale.len();
    let counts = &values[onset..design.hours];
    let fitted = is_active(counts)
        .then(|| fit_log(design, counts, onset))
        .flatten();
    let Some(fitted) = fitted else {
        return vec![EventEffect::UNKNOWN; regressors];
    };
    let study = Study::new(design, counts, onset, &fitted);
    (0..regressors)
        .map(|regressor| study.effect(regressor).unwrap_or(EventEffect::UNKNOWN))
        .collect()
}

struct Study<'a> {
    design: &'a Design<'a>,
    counts: &'a [f64],
    onset: usize,
    coefficients: &'a [f64],
    means: Vec<f64>,
    targets: Vec<f64>,
    normal: NormalEquations,
    /// Logarithm of the mean count.
    level: f64,
    dispersion: f64,
    /// How much more sums over days scatter than independent hours would make them.
    clustering: f64,
}

impl<'a> Study<'a> {
    fn new(design: &'a Design<'a>, counts: &'a [f64], onset: usize, fitted: &'a LogFit) -> Self {
        let means: Vec<f64> = fitted.logs.iter().map(|log| log.exp()).collect();
        let residuals: Vec<f64> = means
            .iter()
            .zip(counts)
            .map(|(mean, count)| (count - mean) / mean.sqrt())
            .collect();
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        let days = residuals.chunks(DAY).map(|day| day.iter().sum::<f64>());
        let of_days: f64 = days.map(|day| day * day).sum();
        let targets: Vec<f64> = fitted
            .logs
            .iter()
            .zip(&means)
            .zip(counts)
            .map(|((log, mean), count)| log + (count - mean) / mean)
            .collect();
        Self {
            design,
            counts,
            onset,
            coefficients: &fitted.coefficients,
            normal: NormalEquations::gather(design, onset, &means, &targets),
            means,
            targets,
            level: mean(counts).ln(),
            dispersion: (squares / counts.len() as f64).max(f64::MIN_POSITIVE),
            clustering: (of_days / squares.max(f64::MIN_POSITIVE)).max(1.0),
        }
    }

    fn effect(&self, regressor: usize) -> Option<EventEffect> {
        let scale = self.design.regressor_scale[regressor];
        if scale <= 0.0 {
            return None;
        }
        let column = self.design.width - self.design.regressor_scale.len() + regressor;
        let mut unit = vec![0.0; self.design.width];
        unit[column] = 1.0;
        let mut matrix = self.normal.penalised(self.design, self.dispersion);
        let inverse = solve(&mut matrix, &unit)?[column];
        Some(EventEffect {
            per_unit: self.coefficients[column] / scale,
            variance: self.dispersion * self.clustering * inverse / (scale * scale),
            held_out: self.held_out(column),
        })
    }

    /// Log-likelihood gained in each event by an effect learned from the others, in units in which
    /// the counts scatter.
    fn held_out(&self, column: usize) -> Option<f64> {
        let events = self.events(column);
        if events.len() < 2 {
            return None;
        }
        let mut gained = 0.0;
        for event in events {
            let hours = || {
                let rows = self.design.rows_from(self.onset + event.start);
                rows.take(event.len()).zip(event.clone())
            };
            let mut rest = self.normal.clone();
            for (row, hour) in hours() {
                rest.add(row, -self.means[hour], self.targets[hour]);
            }
            let coefficients = rest.solve(self.design, self.dispersion)?;
            for (row, hour) in hours() {
                // Kept near the level, whatever unit counts are in: bytes go beyond exp(20).
                let away = (dot(row, &coefficients) - self.level).clamp(-LOG_LIMIT, LOG_LIMIT);
                let with = self.level + away;
                let moved = row[column] * coefficients[column];
                gained += self.counts[hour] * moved - (with.exp() - (with - moved).exp());
            }
        }
        Some(gained / (self.dispersion * self.clustering))
    }

    /// Stretches in which the regressor is not at its usual value.
    fn events(&self, column: usize) -> Vec<std::ops::Range<usize>> {
        let mut events: Vec<std::ops::Range<usize>> = Vec::new();
        for (hour, row) in self.design.rows_from(self.onset).enumerate() {
            if row[column] == 0.0 {
                continue;
            }
            match events.last_mut() {
                Some(last) if last.end == hour && last.len() < LONGEST_EVENT => last.end += 1,
                _ => events.push(hour..hour + 1),
            }
        }
        events
    }
}
