//! Severity x product adds up: forecasts of cells and of their sums are made coherent.
//!
//! Every series is forecast by itself, so the parts do not add up to the whole. The expected counts
//! are moved as little as their uncertainty allows until they do: weighted least squares with the
//! forecast variances on the diagonal (MinT with a diagonal covariance, Wickramasuriya, Athanasopoulos
//! and Hyndman, "Optimal forecast reconciliation", JASA 2019), under the condition that no cell is
//! negative (Wickramasuriya, Turlach and Hyndman, "Optimal non-negative forecast reconciliation",
//! Statistics and Computing 2020), solved by coordinate descent. Only the cells are unknowns; every
//! sum is computed from them, so the result is coherent by construction, however far the descent
//! came.
//!
//! Tactics are a grouped dimension: an alert can have several, so they do not add up and are left
//! as they are.

use std::collections::{BTreeMap, BTreeSet};

use foretide_domain::{Dimension, SeriesId};

use crate::model::PanelPrediction;
use crate::panel::PanelSeries;
use crate::schema::RESERVED_DRIVERS;

/// Sweeps of the descent at most. The result adds up after any number of them.
const MOST_SWEEPS: usize = 200;

/// The descent ends when no cell moves by more than this share of the largest one.
const TOLERANCE: f64 = 1e-9;

/// Distance of the 10% and 90% quantiles of a normal distribution, in standard deviations.
const WIDTH_IN_SDS: f64 = 2.563_103;

/// Least standard deviation as a share of the mean: nothing is known exactly.
const LEAST_SD_SHARE: f64 = 0.01;

/// Least variance, in squared counts.
const LEAST_VARIANCE: f64 = 1e-6;

/// Which series of a frame add up to which others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Positions of the finest series.
    cells: Vec<usize>,
    /// Sums: their position, and the indices in `cells` of what they are the sum of.
    sums: Vec<Sum>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    position: usize,
    parts: Vec<usize>,
}

impl Hierarchy {
    /// Finds the sums among the series of a frame (all histories equally long). A series counts as
    /// a sum only if its history is the sum of its cells' histories in every hour, so a value that
    /// has no series of its own (too rare, or newer than the model) leaves its sums alone.
    ///
    /// None when nothing adds up: no finest set of dimensions, or no sum that is covered.
    #[must_use]
    pub fn of(series: &[PanelSeries]) -> Option<Self> {
        let finest = finest(series.iter().map(|series| &series.id))?;
        let is_cell = |id: &SeriesId| id.dimensions().keys().eq(finest.iter());
        let cells: Vec<usize> = (0..series.len())
            .filter(|&position| is_cell(&series[position].id))
            .collect();
        let adds_up = |id: &SeriesId| {
            !is_cell(id) && id.dimensions().keys().all(|name| finest.contains(name))
        };
        let sums: Vec<Sum> = (0..series.len())
            .filter(|&position| adds_up(&series[position].id))
            .map(|position| Sum {
                position,
                parts: parts(&series[position].id, &cells, series),
            })
            .filter(|sum| is_covered(sum, &cells, series))
            .collect();
        (!sums.is_empty()).then_some(Self { cells, sums })
    }

    /// Positions of the series that take part, cells first.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let sums = self.sums.iter().map(|sum| sum.position);
        self.cells.iter().copied().chain(sums)
    }

    /// Makes the expected counts add up in every hour and moves quantiles and drivers along.
    ///
    /// `prediction` holds `hours` rows for each series of the frame, series by series. Quantiles
    /// are moved by as many counts as the mean, but what was zero stays zero and nothing falls
    /// below it; the driver `bounds` takes the difference, so drivers still sum to the mean.
    ///
    /// # Panics
    /// When the prediction does not have the rows of the frame the hierarchy was found in.
    pub fn reconcile(&self, prediction: &mut PanelPrediction, hours: usize) {
        let variances: BTreeMap<usize, f64> = self
            .positions()
            .map(|position| (position, variance(prediction, position * hours, hours)))
            .collect();
        for hour in 0..hours {
            let base = |position: usize| prediction.mean[position * hours + hour];
            let cells = self.descend(&base, &variances);
            let moved: Vec<(usize, f64)> = self.coherent(&cells).collect();
            for (position, mean) in moved {
                move_row(prediction, position * hours + hour, mean);
            }
        }
    }

    /// Expected counts by position, the sums computed from the cells.
    fn coherent<'a>(&'a self, cells: &'a [f64]) -> impl Iterator<Item = (usize, f64)> + 'a {
        let sums = self.sums.iter().map(|sum| {
            let mean = sum.parts.iter().map(|&part| cells[part]).sum();
            (sum.position, mean)
        });
        self.cells
            .iter()
            .copied()
            .zip(cells.iter().copied())
            .chain(sums)
    }

    fn descend(&self, base: &dyn Fn(usize) -> f64, variances: &BTreeMap<usize, f64>) -> Vec<f64> {
        let starts: Vec<f64> = self.cells.iter().map(|&cell| base(cell)).collect();
        let mut cells: Vec<f64> = starts.iter().map(|start| start.max(0.0)).collect();
        let total = |cells: &[f64], sum: &Sum| sum.parts.iter().map(|&part| cells[part]).sum();
        let mut excess: Vec<f64> = self
            .sums
            .iter()
            .map(|sum| -> f64 { total(&cells, sum) })
            .zip(&self.sums)
            .map(|(total, sum): (f64, _)| total - base(sum.position))
            .collect();
        let sums_of = self.sums_of_cells();
        let largest = cells.iter().copied().fold(1e-9, f64::max);
        for _ in 0..MOST_SWEEPS {
            let mut furthest = 0.0_f64;
            for (cell, sums) in sums_of.iter().enumerate() {
                let precision = 1.0 / variances[&self.cells[cell]];
                let (mut slope, mut curvature) =
                    ((cells[cell] - starts[cell]) * precision, precision);
                for &sum in sums {
                    let precision = 1.0 / variances[&self.sums[sum].position];
                    slope += excess[sum] * precision;
                    curvature += precision;
                }
                let step = (-slope / curvature).max(-cells[cell]);
                cells[cell] += step;
                for &sum in sums {
                    excess[sum] += step;
                }
                furthest = furthest.max(step.abs());
            }
            if furthest <= TOLERANCE * largest {
                break;
            }
        }
        cells
    }

    /// For each cell the sums it is part of.
    fn sums_of_cells(&self) -> Vec<Vec<usize>> {
        let mut sums_of = vec![Vec::new(); self.cells.len()];
        for (index, sum) in self.sums.iter().enumerate() {
            for &part in &sum.parts {
                sums_of[part].push(index);
            }
        }
        sums_of
    }
}

/// The set of dimensions that holds all others, tactics aside; it must have at least one.
fn finest<'a>(ids: impl Iterator<Item = &'a SeriesId>) -> Option<BTreeSet<Dimension>> {
    let sets: BTreeSet<BTreeSet<Dimension>> = ids
        .map(|id| id.dimensions().keys().copied().collect::<BTreeSet<_>>())
        .filter(|set| !set.contains(&Dimension::Tactic))
        .collect();
    let finest = sets.iter().max_by_key(|set| set.len())?;
    let holds_all = sets.iter().all(|set| set.is_subset(finest));
    (holds_all && !finest.is_empty()).then(|| finest.clone())
}

fn parts(sum: &SeriesId, cells: &[usize], series: &[PanelSeries]) -> Vec<usize> {
    let belongs = |cell: &SeriesId| {
        sum.dimensions()
            .iter()
            .all(|(name, value)| cell.dimensions().get(name) == Some(value))
    };
    (0..cells.len())
        .filter(|&index| belongs(&series[cells[index]].id))
        .collect()
}

fn is_covered(sum: &Sum, cells: &[usize], series: &[PanelSeries]) -> bool {
    let values = &series[sum.position].values;
    values.iter().enumerate().all(|(hour, &value)| {
        let parts: f64 = sum
            .parts
            .iter()
            .map(|&part| series[cells[part]].values[hour])
            .sum();
        (parts - value).abs() <= 1e-6 * value.abs().max(1.0)
    })
}

/// Mean variance over the horizon, from the width of the 80% interval, in squared counts.
fn variance(prediction: &PanelPrediction, first: usize, hours: usize) -> f64 {
    let of_row = |row: usize| {
        let [_, low, _, high, _] = prediction.quantiles[row];
        let spread = (high - low) / WIDTH_IN_SDS;
        let least = LEAST_SD_SHARE * prediction.mean[row];
        spread * spread + least * least
    };
    let sum: f64 = (first..first + hours).map(of_row).sum();
    sum / hours.max(1) as f64 + LEAST_VARIANCE
}

fn move_row(prediction: &mut PanelPrediction, row: usize, mean: f64) {
    let difference = mean - prediction.mean[row];
    let width = prediction.drivers.len() / prediction.mean.len();
    prediction.mean[row] = mean;
    for quantile in &mut prediction.quantiles[row] {
        if *quantile > 0.0 {
            *quantile = (*quantile + difference).max(0.0);
        }
    }
    prediction.drivers[row * width + BOUNDS] += difference;
}

/// Place of the driver that takes what adding up changed.
const BOUNDS: usize = RESERVED_DRIVERS.len() - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reserved_driver_is_bounds() {
        assert_eq!(RESERVED_DRIVERS[BOUNDS], "bounds");
    }
}
