//! The audit log as a hash chain: every record carries the hash of the one before it.
//!
//! A record's hash covers all of its fields, each preceded by its length, so no two different records
//! share an encoding. Whoever alters, removes, reorders or inserts a record breaks the chain at that
//! row, and [`verify`] names it. What a chain alone cannot show is that its newest records were cut
//! off or that all of it was rewritten: for that, a Merkle tree over the records' hashes is signed as
//! a [`Checkpoint`] and kept elsewhere. Whoever keeps one can check by a short proof that the log only
//! grew since ([`verify_consistency`]).
//!
//! ```
//! use foretide_audit_chain::{CanonicalJson, Event, Head, append, verify};
//!
//! let event = Event {
//!     event_id: "01J".into(),
//!     actor: "ada".into(),
//!     action: "proposal.approved".into(),
//!     subject: "proposal/7".into(),
//!     run_id: None,
//!     details: CanonicalJson::of(&serde_json::json!({"comment": "go"})),
//! };
//! let first = append(&Head::genesis(), event, "2026-01-05T06:00:00Z".parse().unwrap());
//! assert_eq!(verify([&first], &[]), Ok(first.head()));
//!
//! let mut altered = first.clone();
//! altered.actor = "mallory".into();
//! assert_eq!(verify([&altered], &[]).unwrap_err().sequence, 1);
//! ```
//!
//! Pure: no I/O but the reader and writer given to [`export`], no clock.

mod canonical;
mod checkpoint;
pub mod export;
mod merkle;
mod note;
mod record;
mod verify;

pub use canonical::{CanonicalJson, CanonicalJsonError};
pub use checkpoint::Checkpoint;
pub use merkle::{
    MerkleTree, ProofError, TreeHead, leaf_hash, verify_consistency, verify_inclusion,
};
pub use note::{KeyError, KeyKind, MAX_NOTE_BYTES, Note, NoteError, SigningKey, VerifierKey};
pub use record::{AuditRecord, Digest, DigestError, Event, Head, append};
pub use verify::{Broken, Problem, Verifier, verify};
