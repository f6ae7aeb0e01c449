//! The trees laid out for many rows at once.
//!
//! Rows part at random, so a branch at each node would be guessed wrong half of the time. Here the
//! next node is looked up instead, a few rows take their steps side by side, and a tree is passed by
//! as many rows as stay at hand before the next one is fetched.

use super::tree::{Node, Tree};

/// Rows that take their steps side by side.
const LANES: usize = 8;

/// Rows that pass all trees before the next ones do: few enough to stay in a core's cache.
const BATCH: usize = 512;

/// Where a row goes from a node: the child for values above the threshold, that for the others. A
/// leaf leads to itself.
#[derive(Clone, Copy)]
struct Step {
    threshold: f64,
    feature: u32,
    children: [u32; 2],
}

/// A tree whose rows all arrive after the same number of steps.
struct Steps {
    steps: Vec<Step>,
    values: Vec<f64>,
    depth: usize,
}

impl Steps {
    fn new(tree: &Tree) -> Self {
        let mut depths = vec![0; tree.nodes.len()];
        let (mut steps, mut values) = (Vec::new(), Vec::new());
        for (at, node) in tree.nodes.iter().enumerate() {
            let (step, value) = match *node {
                Node::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => {
                    // Children stand after their parent.
                    for child in [left, right] {
                        depths[child] = depths[at] + 1;
                    }
                    let step = Step {
                        threshold,
                        feature: feature as u32,
                        children: [right as u32, left as u32],
                    };
                    (step, 0.0)
                }
                Node::Leaf(value) => {
                    let step = Step {
                        threshold: 0.0,
                        feature: 0,
                        children: [at as u32; 2],
                    };
                    (step, value)
                }
            };
            steps.push(step);
            values.push(value);
        }
        Self {
            steps,
            values,
            depth: depths.into_iter().max().unwrap_or(0),
        }
    }

    fn values<const N: usize>(&self, rows: [&[f64]; N]) -> [f64; N] {
        let mut at = [0_u32; N];
        for _ in 0..self.depth {
            for (at, row) in at.iter_mut().zip(rows) {
                let step = &self.steps[*at as usize];
                let is_left = row[step.feature as usize] <= step.threshold;
                *at = step.children[usize::from(is_left)];
            }
        }
        at.map(|at| self.values[at as usize])
    }

    /// Adds the value of each row to its sum.
    fn add(&self, rows: &[&[f64]], sums: &mut [f64]) {
        let (groups, rest) = rows.as_chunks::<LANES>();
        let (sums, sums_rest) = sums.as_chunks_mut::<LANES>();
        for (sums, &rows) in sums.iter_mut().zip(groups) {
            for (sum, value) in sums.iter_mut().zip(self.values(rows)) {
                *sum += value;
            }
        }
        for (sum, &row) in sums_rest.iter_mut().zip(rest) {
            let [value] = self.values([row]);
            *sum += value;
        }
    }
}

/// What the trees add up to for each row of features: the sums of [`Tree::value`] in the trees'
/// order.
pub(super) fn sums(trees: &[Tree], rows: &[&[f64]]) -> Vec<f64> {
    let trees: Vec<Steps> = trees.iter().map(Steps::new).collect();
    let mut sums = vec![0.0; rows.len()];
    for (rows, sums) in rows.chunks(BATCH).zip(sums.chunks_mut(BATCH)) {
        for tree in &trees {
            tree.add(rows, sums);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feature: usize, threshold: f64, left: usize) -> Node {
        Node::Split {
            feature,
            threshold,
            left,
            right: left + 1,
        }
    }

    #[test]
    fn many_rows_at_once_as_one_by_one() {
        let lopsided = vec![
            split(0, 0.3, 1),
            Node::Leaf(-1.0),
            split(1, 0.5, 3),
            Node::Leaf(0.25),
            split(0, 0.7, 5),
            Node::Leaf(3.0),
            Node::Leaf(7.0),
        ];
        let trees = [
            Tree { nodes: lopsided },
            Tree {
                nodes: vec![Node::Leaf(0.5)],
            },
        ];
        // More than a batch, no whole number of lanes, and thresholds themselves among the values.
        let values: Vec<f64> = (0..2 * (BATCH as u32 + 21))
            .map(|at| f64::from(at * 7 % 11) / 10.0)
            .collect();
        let rows: Vec<&[f64]> = values.chunks_exact(2).collect();
        let expected: Vec<f64> = rows
            .iter()
            .map(|row| trees.iter().map(|tree| tree.value(row)).sum())
            .collect();
        assert_eq!(sums(&trees, &rows), expected);
        assert!(expected.contains(&7.5) && expected.contains(&-0.5));
    }
}
