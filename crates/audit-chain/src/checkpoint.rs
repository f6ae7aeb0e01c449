//! Checkpoints (`https://c2sp.org/tlog-checkpoint`): a signed note that commits to a tree head.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::TreeHead;
use crate::note::{Note, NoteError, SigningKey, VerifierKey};
use crate::record::Digest;

/// A tree head and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// What it commits to.
    pub tree: TreeHead,
}

impl Checkpoint {
    /// Signs a tree head as the log that the key belongs to.
    ///
    /// # Errors
    /// Never for a key that could be read: its name fits on a line.
    pub fn sign(tree: TreeHead, key: &SigningKey) -> Result<Note, NoteError> {
        let root = STANDARD.encode(tree.root.as_bytes());
        let origin = key.verifier().name();
        let mut note = Note::new(format!("{origin}\n{}\n{root}\n", tree.size))?;
        note.sign(key, 0);
        Ok(note)
    }

    /// Reads a checkpoint that one of the keys has signed: the log's present one, or an earlier one.
    ///
    /// # Errors
    /// When it is damaged, of another log, or not signed by one of the keys.
    pub fn open(note: &Note, keys: &[VerifierKey]) -> Result<Self, NoteError> {
        let checkpoint = Self::read(note)?;
        let known = keys.iter().find(|key| key.name() == checkpoint.origin);
        let key = known.ok_or_else(|| {
            let names: Vec<_> = keys.iter().map(VerifierKey::name).collect();
            NoteError::Unsigned(names.join(" or "))
        })?;
        note.verify(key)?;
        Ok(checkpoint)
    }

    fn read(note: &Note) -> Result<Self, NoteError> {
        let malformed = NoteError::Format("its text is no origin, size and root hash");
        let mut lines = note.text().lines();
        let mut line = || lines.next().ok_or_else(|| malformed.clone());
        let (origin, size_text, root) = (line()?, line()?, line()?);
        let size: u64 = size_text.parse().map_err(|_| malformed.clone())?;
        let root = STANDARD.decode(root).map_err(|_| malformed.clone())?;
        let root = Digest::try_from(root.as_slice()).map_err(|_| malformed.clone())?;
        // One number has one text: no sign, no leading zero.
        if origin.is_empty() || size.to_string() != size_text {
            return Err(malformed);
        }
        Ok(Self {
            origin: origin.to_owned(),
            tree: TreeHead { size, root },
        })
    }
}
