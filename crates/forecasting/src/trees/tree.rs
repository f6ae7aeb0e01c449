//! A regression tree as a table, and how one grows leaf by leaf where the gain is largest.

use std::ops::Range;

use super::bins::{BINS, Bins};

/// A regression tree as a table of nodes; node 0 is the root. A row goes to the `left` child when
/// its feature is at most the threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Where rows part.
    Split {
        /// Which feature is looked at.
        feature: usize,
        /// Rows at most this go left.
        threshold: f64,
        /// Index of the child for small values.
        left: usize,
        /// Index of the child for large ones.
        right: usize,
    },
    /// What rows that arrive here get added.
    Leaf(f64),
}

impl Tree {
    /// What the tree adds for a row of features.
    #[must_use]
    pub fn value(&self, features: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => {
                    at = if features[feature] <= threshold {
                        left
                    } else {
                        right
                    }
                }
            }
        }
    }
}

/// How a tree may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    pub(super) leaves: usize,
    pub(super) fewest_rows: usize,
    /// Added to the number of rows of a leaf, so that thin leaves say little.
    pub(super) shrinkage: f64,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    sum: f64,
    count: f64,
}

struct Leaf {
    node: usize,
    rows: Range<usize>,
    others: Range<usize>,
    histogram: Vec<Cell>,
    best: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    bin: usize,
}

/// A leaf of a grown tree, and who arrives there.
pub(super) struct Place {
    pub(super) node: usize,
    /// Of the rows it was grown on.
    pub(super) rows: Range<usize>,
    /// Of the others.
    pub(super) others: Range<usize>,
}

/// Binned rows and what is to be explained of each.
pub(super) struct Ground<'a> {
    pub(super) bins: &'a Bins,
    pub(super) binned: &'a [u8],
    pub(super) width: usize,
    pub(super) gradients: &'a [f64],
    pub(super) growth: Growth,
}

impl Ground<'_> {
    /// Grows a tree on some rows; the others only follow, so that where they arrive is known. Gives
    /// the nodes, and the leaves, which have no values yet. Both lists are put into the order of the
    /// leaves.
    pub(super) fn grow(&self, rows: &mut [u32], others: &mut [u32]) -> (Vec<Node>, Vec<Place>) {
        let mut nodes = vec![Node::Leaf(0.0)];
        let histogram = self.histogram(rows);
        let best = self.best_split(&histogram);
        let mut leaves = vec![Leaf {
            node: 0,
            rows: 0..rows.len(),
            others: 0..others.len(),
            histogram,
            best,
        }];
        while leaves.len() < self.growth.leaves {
            let Some((at, split)) = most_gainful(&leaves) else {
                break;
            };
            let (left, right) = self.part(leaves.swap_remove(at), split, &mut nodes, rows, others);
            leaves.extend([left, right]);
        }
        let place = |leaf: Leaf| Place {
            node: leaf.node,
            rows: leaf.rows,
            others: leaf.others,
        };
        (nodes, leaves.into_iter().map(place).collect())
    }

    fn part(
        &self,
        leaf: Leaf,
        split: Split,
        nodes: &mut Vec<Node>,
        rows: &mut [u32],
        others: &mut [u32],
    ) -> (Leaf, Leaf) {
        let goes_left = |row: u32| {
            usize::from(self.binned[row as usize * self.width + split.feature]) <= split.bin
        };
        let [(left_rows, right_rows), (left_others, right_others)] =
            [(leaf.rows, &mut *rows), (leaf.others, others)].map(|(own, all)| {
                let middle = own.start + partition(&mut all[own.clone()], goes_left);
                (own.start..middle, middle..own.end)
            });
        // The larger child's histogram is what the smaller one leaves of the parent's.
        let left_is_smaller = left_rows.len() <= right_rows.len();
        let smaller = if left_is_smaller {
            &left_rows
        } else {
            &right_rows
        };
        let small = self.histogram(&rows[smaller.clone()]);
        let mut large = leaf.histogram;
        for (cell, other) in large.iter_mut().zip(&small) {
            cell.sum -= other.sum;
            cell.count -= other.count;
        }
        let (left_cells, right_cells) = if left_is_smaller {
            (small, large)
        } else {
            (large, small)
        };
        let (left, right) = (nodes.len(), nodes.len() + 1);
        nodes[leaf.node] = Node::Split {
            feature: split.feature,
            threshold: self.bins.end(split.feature, split.bin),
            left,
            right,
        };
        nodes.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
        let child = |node, rows, others, histogram: Vec<Cell>| Leaf {
            node,
            rows,
            others,
            best: self.best_split(&histogram),
            histogram,
        };
        (
            child(left, left_rows, left_others, left_cells),
            child(right, right_rows, right_others, right_cells),
        )
    }

    fn histogram(&self, rows: &[u32]) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); self.width * BINS];
        for &row in rows {
            let row = row as usize;
            let gradient = self.gradients[row];
            let bins = &self.binned[row * self.width..(row + 1) * self.width];
            for (cells, &bin) in cells.chunks_exact_mut(BINS).zip(bins) {
                let cell = &mut cells[usize::from(bin) % BINS];
                cell.sum += gradient;
                cell.count += 1.0;
            }
        }
        cells
    }

    fn best_split(&self, histogram: &[Cell]) -> Option<Split> {
        let whole = histogram[..BINS]
            .iter()
            .fold(Cell::default(), |whole, cell| Cell {
                sum: whole.sum + cell.sum,
                count: whole.count + cell.count,
            });
        let worth = |cell: Cell| cell.sum * cell.sum / (cell.count + self.growth.shrinkage);
        let fewest = self.growth.fewest_rows as f64;
        if whole.count < 2.0 * fewest {
            return None;
        }
        let mut best: Option<Split> = None;
        for (feature, cells) in histogram.chunks_exact(BINS).enumerate() {
            let mut left = Cell::default();
            for (bin, cell) in cells[..self.bins.splits(feature)].iter().enumerate() {
                left.sum += cell.sum;
                left.count += cell.count;
                let right = Cell {
                    sum: whole.sum - left.sum,
                    count: whole.count - left.count,
                };
                if left.count < fewest || right.count < fewest {
                    continue;
                }
                let gain = worth(left) + worth(right) - worth(whole);
                if gain > best.map_or(1e-9, |best| best.gain) {
                    best = Some(Split { gain, feature, bin });
                }
            }
        }
        best
    }
}

fn most_gainful(leaves: &[Leaf]) -> Option<(usize, Split)> {
    let splits = leaves.iter().enumerate();
    splits
        .filter_map(|(at, leaf)| leaf.best.map(|split| (at, split)))
        .reduce(|best, other| {
            if other.1.gain > best.1.gain {
                other
            } else {
                best
            }
        })
}

/// Puts rows that go left before the others, keeping the order within both; gives how many those
/// are.
/// Each row is written to both sides and one of them kept: chance decides, so a branch would be
/// guessed wrong half of the time.
pub(super) fn partition(rows: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut right = vec![0; rows.len()];
    let (mut kept, mut parted) = (0, 0);
    for index in 0..rows.len() {
        let row = rows[index];
        let is_left = usize::from(goes_left(row));
        rows[kept] = row;
        right[parted] = row;
        kept += is_left;
        parted += 1 - is_left;
    }
    rows[kept..].copy_from_slice(&right[..parted]);
    kept
}
