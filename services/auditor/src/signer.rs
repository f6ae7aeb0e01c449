//! Signs checkpoints: the tree over the chain's records, kept in memory and caught up with the table.
//!
//! The tree remembers what was signed. Where the table no longer continues it, nothing is signed: a
//! checkpoint that contradicts an earlier one would be the proof that this installation lies.

use foretide_audit_chain::{
    Checkpoint, Digest, Head, KeyKind, MerkleTree, Note, SigningKey, TreeHead, VerifierKey,
};
use foretide_domain::SharedClock;
use tokio::sync::{Mutex, Notify};

use crate::config::Config;
use crate::error::AuditorError;
use crate::key_file::{self, KeyFileError};
use crate::storage::Storage;

const KEY_FILE: &str = "audit.key";
/// Records read at a time.
const PAGE: u64 = 10_000;

/// The log's keys.
#[derive(Debug)]
pub(crate) struct Keys {
    signing: SigningKey,
    /// The present one first.
    pub(crate) trusted: Vec<VerifierKey>,
}

impl Keys {
    /// Takes the configured key, or the one in the state folder, which is made when missing.
    pub(crate) fn load(config: &Config) -> Result<Self, KeyFileError> {
        let signing = match (&config.audit.signing_key, &config.state_folder) {
            (Some(key), _) => key_file::parse(key, "audit.signing_key")?,
            (None, None) => return Err(KeyFileError::Nowhere),
            (None, Some(folder)) => {
                let name = key_file::fresh_log_name()?;
                key_file::read_or_make(&folder.join(KEY_FILE), &name, KeyKind::Log)?
            }
        };
        let unusable = |source| KeyFileError::Key {
            origin: "audit.previous_keys".to_owned(),
            source,
        };
        let mut trusted = vec![signing.verifier().clone()];
        trusted.extend(config.audit.earlier_keys().map_err(unusable)?);
        Ok(Self { signing, trusted })
    }

    /// The present key, as others check by it.
    pub(crate) fn verifier(&self) -> &VerifierKey {
        self.signing.verifier()
    }
}

/// What is in the tree, and what of it is signed.
#[derive(Debug, Default)]
struct State {
    tree: MerkleTree,
    /// The record that was last taken into the tree.
    last: Option<Head>,
    /// Nothing until the records are known to be what was signed before.
    signed: Option<u64>,
}

/// Signs checkpoints and proves what they say.
pub(crate) struct Signer {
    storage: Storage,
    pub(crate) keys: Keys,
    clock: SharedClock,
    state: Mutex<State>,
    /// Something was signed that is not published yet.
    pub(crate) signed: Notify,
}

impl Signer {
    pub(crate) fn new(storage: Storage, keys: Keys, clock: SharedClock) -> Self {
        Self {
            storage,
            keys,
            clock,
            state: Mutex::default(),
            signed: Notify::new(),
        }
    }

    pub(crate) async fn is_resumed(&self) -> bool {
        self.state.lock().await.signed.is_some()
    }

    /// Begins with what was signed before, which the records must still be.
    pub(crate) async fn resume(&self, known: &[TreeHead]) -> Result<(), AuditorError> {
        let mut state = self.state.lock().await;
        // The table may have been put right since the last attempt.
        *state = State::default();
        self.catch_up(&mut state).await?;
        for head in known {
            if state.tree.root_at(head.size) != Some(head.root) {
                return Err(AuditorError::NotWhatWasSigned(head.size));
            }
        }
        let newest = self.storage.checkpoints(1).await?;
        state.signed = Some(newest.first().map_or(0, |checkpoint| checkpoint.size));
        Ok(())
    }

    /// Signs the head, if anything was recorded since the last time.
    pub(crate) async fn sign(&self) -> Result<(), AuditorError> {
        let mut state = self.state.lock().await;
        let signed = state.signed.ok_or(AuditorError::NotResumed)?;
        self.catch_up(&mut state).await?;
        let head = state.tree.head();
        if head.size <= signed {
            return Ok(());
        }
        let note = Checkpoint::sign(head, &self.keys.signing)?;
        self.storage
            .keep_checkpoint(head.size, &note.to_string(), self.clock.now())
            .await?;
        state.signed = Some(head.size);
        self.signed.notify_one();
        Ok(())
    }

    /// The newest checkpoint that is signed.
    pub(crate) async fn newest(&self) -> Result<Note, AuditorError> {
        let newest = self.storage.checkpoints(1).await?;
        let newest = newest.first().ok_or(AuditorError::NoCheckpoint)?;
        Ok(newest.note.parse()?)
    }

    /// Shows that the tree of `new` records begins with the tree of `old` ones.
    pub(crate) async fn consistency(
        &self,
        old: u64,
        new: u64,
    ) -> Result<Vec<Digest>, AuditorError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state).await?;
        let proof = state.tree.consistency_proof(old, new);
        proof.ok_or(AuditorError::NoSuchTree(new))
    }

    /// Shows that the record of this sequence is in the tree of `size` records.
    pub(crate) async fn inclusion(
        &self,
        sequence: u64,
        size: u64,
    ) -> Result<Vec<Digest>, AuditorError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state).await?;
        let index = sequence.checked_sub(1);
        let proof = index.and_then(|index| state.tree.inclusion_proof(index, size));
        proof.ok_or(AuditorError::NoSuchTree(size))
    }

    /// Takes new records into the tree. The first that is read is the last that is known.
    async fn catch_up(&self, state: &mut State) -> Result<(), AuditorError> {
        loop {
            let from = state.last.map_or(1, |last| last.sequence);
            let links = self.storage.links(from, PAGE).await?;
            if let Some(last) = state.last
                && links.first().map(|link| link.head) != Some(last)
            {
                return Err(AuditorError::NotWhatWasSigned(last.sequence));
            }
            let known = usize::from(state.last.is_some());
            for link in links.iter().skip(known) {
                let before = state.last.unwrap_or(Head::genesis());
                if link.head.sequence != before.sequence + 1 || link.previous_hash != before.hash {
                    return Err(AuditorError::NotWhatWasSigned(before.sequence + 1));
                }
                state.tree.push(link.head.hash.as_bytes());
                state.last = Some(link.head);
            }
            if (links.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }
}
