//! Whether a chain is whole.

use std::collections::HashSet;
use std::fmt;

use crate::merkle::{MerkleTree, TreeHead};
use crate::record::{AuditRecord, Digest, Head};

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The record's hash is not the hash of its fields: one of them was changed.
    Altered,
    /// The record is not there; the next one found is given.
    Missing {
        /// Sequence of the record found in its place.
        found: u64,
    },
    /// A record with this sequence was there already: inserted twice, or a fork.
    Repeated,
    /// The record was made for another predecessor: it, or the one before, was exchanged.
    Unlinked {
        /// Hash of the record before.
        before: Digest,
    },
    /// An event that is in the chain already.
    RepeatedEvent,
    /// The checkpoint names a record beyond the end of the chain: its tail was cut off.
    Truncated {
        /// Sequence of the last record that is there.
        last: u64,
    },
    /// The record is not the one the checkpoint was taken of: the chain was rewritten.
    NotTheCheckpoint {
        /// Hash that was kept.
        expected: Digest,
    },
    /// The records up to here are not those that a signed checkpoint commits to. Up to the record
    /// before this one they are, or nothing is known.
    NotTheTree {
        /// Records that the checkpoint commits to.
        size: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("a field was altered: the hash does not match"),
            Self::Missing { found } => {
                write!(
                    f,
                    "the record is missing or out of order: record {found} stands in its place"
                )
            }
            Self::Repeated => f.write_str("the sequence occurs twice: a copy or a fork"),
            Self::Unlinked { before } => write!(
                f,
                "it does not continue the record before it (hash {before}): one of the two was exchanged"
            ),
            Self::RepeatedEvent => f.write_str("its event is in the chain already"),
            Self::Truncated { last } => write!(
                f,
                "the checkpoint's record is not there: the chain was cut off after record {last}"
            ),
            Self::NotTheCheckpoint { expected } => write!(
                f,
                "its hash is not the checkpoint's ({expected}): the chain was rewritten"
            ),
            Self::NotTheTree { size } => write!(
                f,
                "from here to record {size} the chain is not what the checkpoint at {size} was signed for: it was rewritten"
            ),
        }
    }
}

/// Where a chain is broken, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence}: {problem}")]
pub struct Broken {
    /// Sequence of the first record that does not fit.
    pub sequence: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Checks a chain record by record, so that it never needs to be in memory as a whole.
#[derive(Debug)]
pub struct Verifier {
    head: Head,
    events: HashSet<String>,
    checkpoints: Vec<Head>,
    tree: MerkleTree,
    tree_heads: Vec<TreeHead>,
}

impl Verifier {
    /// Begins at the first record. Each checkpoint must be met on the way, in any order.
    #[must_use]
    pub fn new(checkpoints: &[Head]) -> Self {
        Self {
            head: Head::genesis(),
            events: HashSet::new(),
            checkpoints: checkpoints.to_vec(),
            tree: MerkleTree::default(),
            tree_heads: Vec::new(),
        }
    }

    /// Each of these, of signed checkpoints, must be met on the way as well.
    #[must_use]
    pub fn with_tree_heads(mut self, tree_heads: impl IntoIterator<Item = TreeHead>) -> Self {
        self.tree_heads.extend(tree_heads);
        self.tree_heads.sort_by_key(|head| head.size);
        self
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When it does not continue the chain. The verifier is of no more use then.
    pub fn push(&mut self, record: &AuditRecord) -> Result<(), Broken> {
        let (sequence, problem) = match self.problem_with(record) {
            Some((sequence, problem)) => (sequence, problem),
            None => {
                self.head = record.head();
                self.events.insert(record.event_id.clone());
                self.tree.push(record.hash.as_bytes());
                return Ok(());
            }
        };
        Err(Broken { sequence, problem })
    }

    fn problem_with(&self, record: &AuditRecord) -> Option<(u64, Problem)> {
        let expected = self.head.sequence + 1;
        if record.sequence != expected && record.computed_hash() != record.hash {
            return Some((expected, Problem::Altered));
        }
        if record.sequence > expected {
            return Some((
                expected,
                Problem::Missing {
                    found: record.sequence,
                },
            ));
        }
        if record.sequence < expected {
            return Some((record.sequence, Problem::Repeated));
        }
        if record.computed_hash() != record.hash {
            return Some((expected, Problem::Altered));
        }
        if record.previous_hash != self.head.hash {
            return Some((
                expected,
                Problem::Unlinked {
                    before: self.head.hash,
                },
            ));
        }
        if self.events.contains(&record.event_id) {
            return Some((expected, Problem::RepeatedEvent));
        }
        self.differing_checkpoint(record)
            .map(|hash| (expected, Problem::NotTheCheckpoint { expected: hash }))
    }

    fn differing_checkpoint(&self, record: &AuditRecord) -> Option<Digest> {
        let same_sequence = |checkpoint: &&Head| checkpoint.sequence == record.sequence;
        let mut kept = self
            .checkpoints
            .iter()
            .filter(same_sequence)
            .map(|checkpoint| checkpoint.hash);
        kept.find(|hash| *hash != record.hash)
    }

    /// Ends the check.
    ///
    /// # Errors
    /// When a checkpoint lies beyond the last record, or a tree head is another than the records'.
    pub fn finish(self) -> Result<Head, Broken> {
        let mut agreed = 0;
        let within = |head: &&TreeHead| head.size <= self.head.sequence;
        for known in self.tree_heads.iter().filter(within) {
            if self.tree.root_at(known.size) != Some(known.root) {
                return Err(Broken {
                    sequence: agreed + 1,
                    problem: Problem::NotTheTree { size: known.size },
                });
            }
            agreed = known.size;
        }
        let heads = self.checkpoints.iter().map(|head| head.sequence);
        let trees = self.tree_heads.iter().map(|head| head.size);
        match heads.chain(trees).max() {
            Some(sequence) if sequence > self.head.sequence => Err(Broken {
                sequence: self.head.sequence + 1,
                problem: Problem::Truncated {
                    last: self.head.sequence,
                },
            }),
            _ => Ok(self.head),
        }
    }
}

/// Checks a whole chain, from its first record, against what is known of it from elsewhere.
///
/// # Errors
/// Names the first record that does not fit: altered, missing, out of order, repeated, forked; or cut
/// off or rewritten, as far as the checkpoints can tell.
pub fn verify<'r>(
    records: impl IntoIterator<Item = &'r AuditRecord>,
    checkpoints: &[Head],
) -> Result<Head, Broken> {
    let mut verifier = Verifier::new(checkpoints);
    for record in records {
        verifier.push(record)?;
    }
    verifier.finish()
}
