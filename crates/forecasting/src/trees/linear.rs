//! The straight part of the model: least absolute deviations with a ridge, by reweighting.
//!
//! Trees are slow to learn that a forecast moves one for one with a lag. A linear model says so in
//! a line, and the trees explain what it leaves.

/// Passes of reweighting.
const PASSES: usize = 3;

/// Ridge, as a share of the rows.
const RIDGE: f64 = 1e-2;

/// Residuals below this many units count as this large.
const SMALL: f64 = 0.1;

/// A linear model of a row of features.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// What every row gets.
    pub intercept: f64,
    /// Weight of each feature.
    pub weights: Vec<f64>,
}

impl Linear {
    /// What the model says of a row.
    #[must_use]
    pub fn value(&self, features: &[f64]) -> f64 {
        let products = self.weights.iter().zip(features).map(|(w, x)| w * x);
        self.intercept + products.sum::<f64>()
    }

    /// Learns from rows of `width` features; zero everywhere when they determine nothing.
    pub(super) fn learn(rows: &[f64], width: usize, targets: &[f64]) -> Self {
        let scales = scales(rows, width);
        let mut model = Self {
            intercept: 0.0,
            weights: vec![0.0; width],
        };
        for _ in 0..PASSES {
            let Some(next) = model.reweighted(rows, width, targets, &scales) else {
                break;
            };
            model = next;
        }
        model
    }

    fn reweighted(
        &self,
        rows: &[f64],
        width: usize,
        targets: &[f64],
        scales: &[f64],
    ) -> Option<Self> {
        let size = width + 1;
        let mut matrix = vec![0.0; size * size];
        let mut right = vec![0.0; size];
        let mut scaled = vec![1.0; size];
        for (row, target) in rows.chunks_exact(width).zip(targets) {
            let weight = 1.0 / (target - self.value(row)).abs().max(SMALL);
            for (to, (value, scale)) in scaled.iter_mut().zip(row.iter().zip(scales)) {
                *to = value / scale;
            }
            for (at, value) in scaled.iter().enumerate() {
                let weighted = weight * value;
                right[at] += weighted * target;
                for (cell, other) in matrix[at * size..=at * size + at].iter_mut().zip(&scaled) {
                    *cell += weighted * other;
                }
            }
        }
        let ridge = RIDGE * targets.len() as f64;
        for at in 0..width {
            matrix[at * size + at] += ridge;
        }
        matrix[size * size - 1] += 1e-9;
        let solved = crate::structural::solve(&mut matrix, &right)?;
        Some(Self {
            intercept: solved[width],
            weights: solved.iter().zip(scales).map(|(w, s)| w / s).collect(),
        })
    }
}

/// Root mean square of each feature; one where it is always zero.
fn scales(rows: &[f64], width: usize) -> Vec<f64> {
    let mut squares = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        for (sum, value) in squares.iter_mut().zip(row) {
            *sum += value * value;
        }
    }
    let count = (rows.len() / width).max(1) as f64;
    squares
        .into_iter()
        .map(|sum: f64| if sum > 0.0 { (sum / count).sqrt() } else { 1.0 })
        .collect()
}
