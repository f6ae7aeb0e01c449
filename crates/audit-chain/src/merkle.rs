//! Merkle trees as in RFC 6962: tree heads, and proofs that one tree holds an entry or another tree.
//!
//! The entries of the audit log's tree are the hashes of its records, 32 bytes each.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::record::Digest;

/// Which entries a tree has, in one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    /// Number of entries.
    pub size: u64,
    /// Root hash over all of them.
    pub root: Digest,
}

/// Two tree heads of one log that cannot both be true, or a proof that shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Fewer entries than before.
    #[error("the log shrank from {from} to {to} records: its tail was cut off")]
    Shrank {
        /// Entries that were there.
        from: u64,
        /// Entries that are there.
        to: u64,
    },
    /// The same number of entries, but others.
    #[error("the log forked: it has two different histories of {size} records")]
    Forked {
        /// Entries of both.
        size: u64,
    },
    /// The larger tree does not begin with the smaller one.
    #[error(
        "the log forked: its {to} records are not proven to begin with the {from} that were there"
    )]
    NotAnExtension {
        /// Entries that were there.
        from: u64,
        /// Entries that are there.
        to: u64,
    },
    /// The tree does not hold the entry.
    #[error("entry {index} is not proven to be in the tree of {size}")]
    NotIncluded {
        /// Place of the entry, counted from 0.
        index: u64,
        /// Entries of the tree.
        size: u64,
    },
}

/// The hash of one entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    hash(&[&[0], entry])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest::new(hasher.finalize().into())
}

/// A tree that grows: an entry costs O(log n) at most, a head or a proof O(log² n).
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    /// `levels[k][i]` is the hash of the complete subtree over entries `i * 2^k` to `(i + 1) * 2^k`.
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// Adds an entry at the end.
    pub fn push(&mut self, entry: &[u8]) {
        let mut hash = leaf_hash(entry);
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => {
                    hash = node_hash(left, right);
                }
                _ => return,
            }
        }
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let size = self.size();
        TreeHead {
            size,
            root: self.range(0, size),
        }
    }

    /// The root when the tree had so many entries; nothing when it never had.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        (size <= self.size()).then(|| self.range(0, size))
    }

    /// Shows that entry `index`, counted from 0, is in the tree of `size` entries. Nothing when there
    /// is no such entry or tree.
    #[must_use]
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut end) = (0, size);
        let mut proof = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(start, middle));
                start = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Shows that the tree of `new` entries begins with all `old` entries of the smaller one. Nothing
    /// when there are no such trees.
    #[must_use]
    pub fn consistency_proof(&self, old: u64, new: u64) -> Option<Vec<Digest>> {
        if old > new || new > self.size() {
            return None;
        }
        if old == 0 {
            return Some(Vec::new());
        }
        let (mut start, mut end) = (0, new);
        let mut proof = Vec::new();
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(start, middle));
                start = middle;
            }
        }
        // The smaller tree's own root is known to whoever asks.
        if start > 0 {
            proof.push(self.range(start, end));
        }
        proof.reverse();
        Some(proof)
    }

    /// Hash over the entries from `start` to `end`, a range that a split of the tree leads to.
    fn range(&self, start: u64, end: u64) -> Digest {
        let size = end - start;
        if size == 0 {
            return hash(&[]);
        }
        if size.is_power_of_two() {
            let level = size.trailing_zeros();
            return self.levels[level as usize][(start >> level) as usize];
        }
        let middle = start + split(size);
        node_hash(&self.range(start, middle), &self.range(middle, end))
    }
}

/// Entries in the left part of a tree of `size` entries: the largest power of two below it.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Checks that an entry is in a tree, as RFC 9162 section 2.1.3.2 has it.
///
/// # Errors
/// When the proof does not show it.
pub fn verify_inclusion(
    entry: &[u8],
    index: u64,
    head: &TreeHead,
    proof: &[Digest],
) -> Result<(), ProofError> {
    let refused = ProofError::NotIncluded {
        index,
        size: head.size,
    };
    if index >= head.size {
        return Err(refused);
    }
    let (mut node, mut last) = (index, head.size - 1);
    let mut root = leaf_hash(entry);
    for sibling in proof {
        if last == 0 {
            return Err(refused);
        }
        if node % 2 == 1 || node == last {
            root = node_hash(sibling, &root);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && root == head.root {
        Ok(())
    } else {
        Err(refused)
    }
}

/// Checks that a log only grew from `old` to `new`, as RFC 9162 section 2.1.4.2 has it.
///
/// # Errors
/// When it shrank or forked, or the proof does not show that it did not.
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if new.size < old.size {
        return Err(ProofError::Shrank {
            from: old.size,
            to: new.size,
        });
    }
    if new.size == old.size && new.root != old.root {
        return Err(ProofError::Forked { size: new.size });
    }
    let refused = ProofError::NotAnExtension {
        from: old.size,
        to: new.size,
    };
    if old.size == 0 || old.size == new.size {
        return if proof.is_empty() {
            Ok(())
        } else {
            Err(refused)
        };
    }
    let own_root = old.size.is_power_of_two().then_some(&old.root);
    let mut hashes = own_root.into_iter().chain(proof);
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    let shift = node.trailing_ones();
    node >>= shift;
    last >>= shift;
    let first = hashes.next().ok_or(refused)?;
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return Err(refused);
        }
        if node % 2 == 1 || node == last {
            old_root = node_hash(sibling, &old_root);
            new_root = node_hash(sibling, &new_root);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            new_root = node_hash(&new_root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && old_root == old.root && new_root == new.root {
        Ok(())
    } else {
        Err(refused)
    }
}

/// At the right edge of the tree, levels without a sibling are passed over.
fn skip_missing_siblings(node: &mut u64, last: &mut u64) {
    while node.is_multiple_of(2) && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
