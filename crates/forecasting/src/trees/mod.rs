//! Gradient-boosted trees, global across all series of a panel and direct over all hours ahead.
//!
//! A linear model of lags, then boosted trees on what it leaves: histograms and leaf-wise growth as
//! in LightGBM (Ke et al., NeurIPS 2017), Huber gradients and leaves set to medians as for absolute
//! loss in Friedman's "Greedy function approximation" (2001). Every series is seen in its own unit,
//! so that one model learns from all of them and serves those it has not seen. The same series and
//! options give the same model, bit for bit.
//!
//! A row of features is made by [`TreesHistory`] from what is known at an origin. Its first two
//! columns are the anchor and the unit ([`ROW_HEAD`]); the forecast is anchor + unit x (linear part
//! + sum of the trees).

mod bins;
mod boost;
mod features;
mod forest;
mod linear;
mod sample;
mod tree;

pub use features::{FEATURES, ROW_HEAD, ROW_WIDTH, TreesHistory};
pub use linear::Linear;
pub use tree::{Node, Tree};

use crate::schema::RESERVED_DRIVERS;
use sample::Sample;

/// Rows for each feature below which nothing is learnt.
const ROWS_A_FEATURE: usize = 4;

/// One series to learn from. The calendar may reach further than the values.
#[derive(Debug, Clone, Copy)]
pub struct TreesSeries<'a> {
    /// Hourly counts, oldest first, all finite.
    pub values: &'a [f64],
    /// Local hour of the week of each hour.
    pub hour_of_week: &'a [u8],
}

/// How to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct TreesOptions {
    /// Hours ahead that are learnt: 1 to `horizon_hours`.
    pub horizon_hours: usize,
    /// Most rows drawn from all series together.
    pub most_rows: usize,
    /// Most rows drawn from one series.
    pub rows_per_series: usize,
    /// Most trees; fewer where there are few rows.
    pub trees: usize,
    /// Most leaves of a tree; fewer where there are few rows.
    pub leaves: usize,
    /// Share of what a tree finds that is taken over.
    pub rate: f64,
}

impl Default for TreesOptions {
    fn default() -> Self {
        Self {
            horizon_hours: 72,
            most_rows: 40_000,
            rows_per_series: 1_500,
            trees: 120,
            leaves: 20,
            rate: 0.1,
        }
    }
}

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct TreesModel {
    /// The straight part.
    pub linear: Linear,
    /// The trees; their values add up.
    pub trees: Vec<Tree>,
}

impl TreesModel {
    /// Learns from all series together. `None` when they are too short for it.
    #[must_use]
    pub fn fit(series: &[TreesSeries<'_>], options: &TreesOptions) -> Option<Self> {
        let sample = Sample::draw(series, options);
        if sample.targets.len() < ROWS_A_FEATURE * sample.width {
            return None;
        }
        let linear = Linear::learn(&sample.rows, sample.width, &sample.targets);
        let left = sample
            .each_row()
            .zip(&sample.targets)
            .map(|(row, target)| target - linear.value(row))
            .collect();
        let trees = boost::boost(&sample, left, options);
        Some(Self { linear, trees })
    }

    /// The count foreseen for a row of [`ROW_WIDTH`] columns. Not bounded: what is below zero is
    /// for the caller to cut.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> f64 {
        let (head, features) = row.split_at(ROW_HEAD);
        let trees: f64 = self.trees.iter().map(|tree| tree.value(features)).sum();
        head[0] + head[1] * (self.linear.value(features) + trees)
    }

    /// [`Self::predict`] for many rows, one after the other, at once.
    #[must_use]
    pub fn predict_rows(&self, rows: &[f64]) -> Vec<f64> {
        let rows: Vec<&[f64]> = rows.chunks_exact(ROW_WIDTH).collect();
        self.predict_each(&rows)
    }

    /// [`Self::predict`] for many rows, wherever they lie, at once.
    pub(crate) fn predict_each(&self, rows: &[&[f64]]) -> Vec<f64> {
        let features: Vec<&[f64]> = rows.iter().map(|row| &row[ROW_HEAD..]).collect();
        let trees = forest::sums(&self.trees, &features);
        let count = |(row, trees): (&&[f64], f64)| {
            let (head, features) = row.split_at(ROW_HEAD);
            head[0] + head[1] * (self.linear.value(features) + trees)
        };
        rows.iter().zip(trees).map(count).collect()
    }
}

impl TreesModel {
    /// Additive parts of the count foreseen, no lower than zero, in the order of
    /// [`crate::RESERVED_DRIVERS`]: the mean of the last week; how far the anchor lies from it, as
    /// weekly season; what the model moves, as recent level; and what was cut below zero.
    #[must_use]
    pub fn parts(&self, row: &[f64], week_level: f64) -> [f64; RESERVED_DRIVERS.len()] {
        Self::parts_of(self.predict(row), row, week_level)
    }

    /// [`Self::parts`] of a count that is known already.
    pub(crate) fn parts_of(
        count: f64,
        row: &[f64],
        week_level: f64,
    ) -> [f64; RESERVED_DRIVERS.len()] {
        let anchor = row[0];
        let bounds = count.max(0.0) - count;
        let season = anchor - week_level;
        [week_level, 0.0, 0.0, season, count - anchor, bounds]
    }
}

/// The upper median, in linear time; the values are put out of order. There must be one.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
