//! Boosting: tree after tree on what the model so far leaves.

use super::TreesOptions;
use super::bins::Bins;
use super::sample::{Sample, unit_hash};
use super::tree::{Ground, Growth, Node, Tree, partition};

/// Share of the rows each tree sees (Friedman, "Stochastic gradient boosting", 2002).
const ROWS_A_TREE: f64 = 0.5;

/// Residuals are taken for no larger than so many units when a tree looks for splits.
const HUBER: f64 = 0.3;

/// Added to the number of rows of a leaf, so that thin leaves say little.
const SHRINKAGE: f64 = 10.0;

/// Rows of a leaf, rows for each leaf a tree may have, and rows for each tree beyond the fewest.
/// A single short series is not worth a hundred trees.
const ROWS_A_LEAF: (usize, usize) = (10, 40);
const ROWS_FOR_A_LEAF: usize = 250;
const ROWS_FOR_A_TREE: usize = 250;
const FEWEST_TREES: usize = 60;

/// Learns trees whose values add up to what is left of the targets.
pub(super) fn boost(sample: &Sample, mut left: Vec<f64>, options: &TreesOptions) -> Vec<Tree> {
    let count = left.len();
    let bins = Bins::learn(&sample.rows, sample.width);
    let binned = bins.assign(&sample.rows);
    let growth = Growth {
        leaves: (count / ROWS_FOR_A_LEAF).max(4).min(options.leaves),
        fewest_rows: (count / 400).clamp(ROWS_A_LEAF.0, ROWS_A_LEAF.1),
        shrinkage: SHRINKAGE,
    };
    let rounds = (FEWEST_TREES + count / ROWS_FOR_A_TREE).min(options.trees);
    let mut trees = Vec::with_capacity(rounds);
    for round in 0..rounds as u64 {
        let gradients: Vec<f64> = left.iter().map(|r| r.clamp(-HUBER, HUBER)).collect();
        let is_drawn = |row: u32| unit_hash(u64::from(row), round) < ROWS_A_TREE;
        let mut rows: Vec<u32> = (0..count as u32).collect();
        let middle = partition(&mut rows, is_drawn);
        let (drawn, others) = rows.split_at_mut(middle);
        let ground = Ground {
            bins: &bins,
            binned: &binned,
            width: sample.width,
            gradients: &gradients,
            growth,
        };
        let (mut nodes, leaves) = ground.grow(drawn, others);
        for leaf in leaves {
            let drawn = &drawn[leaf.rows];
            let value = options.rate * leaf_value(drawn, &left);
            nodes[leaf.node] = Node::Leaf(value);
            for &row in drawn.iter().chain(&others[leaf.others]) {
                left[row as usize] -= value;
            }
        }
        trees.push(Tree { nodes });
    }
    trees
}

/// The median of what is left in a leaf, drawn towards zero where the leaf is thin.
fn leaf_value(rows: &[u32], left: &[f64]) -> f64 {
    if rows.is_empty() {
        return 0.0;
    }
    let mut residuals: Vec<f64> = rows.iter().map(|&row| left[row as usize]).collect();
    let certainty = rows.len() as f64 / (rows.len() as f64 + SHRINKAGE);
    certainty * super::median(&mut residuals)
}
