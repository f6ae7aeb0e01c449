//! Records and how they are hashed.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::canonical::CanonicalJson;

/// Says what is hashed and in which form; a change of the form is a change of this text.
const DOMAIN: &[u8] = b"foretide.audit-record.v1";

/// Something that is not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash must be 32 bytes, as text 64 lower-case hexadecimal digits")]
pub struct DigestError;

/// A SHA-256. Shown, stored and serialised as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// All zeros: what the first record has as the hash of the one before it.
    pub const ZERO: Self = Self([0; 32]);

    /// From its 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = DigestError;

    fn try_from(bytes: &[u8]) -> Result<Self, DigestError> {
        bytes.try_into().map(Self).map_err(|_| DigestError)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(DigestError);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Where a chain ends: worth keeping somewhere else, as a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Sequence of the newest record; 0 when there is none.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// The head of a chain without records.
    #[must_use]
    pub const fn genesis() -> Self {
        Self {
            sequence: 0,
            hash: Digest::ZERO,
        }
    }
}

/// What happened, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Chosen by whoever reports it, so that a retry is not a second record.
    pub event_id: String,
    /// Who did it: a person's name, or `service:<name>`.
    pub actor: String,
    /// What was done, e.g. `proposal.approved`.
    pub action: String,
    /// To what it was done, e.g. `proposal/<id>`.
    pub subject: String,
    /// The run it belongs to, if any.
    pub run_id: Option<String>,
    /// Anything else worth keeping.
    pub details: CanonicalJson,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// Place in the chain: 1, 2, 3 and so on, without a gap.
    pub sequence: u64,
    /// Identifier of the event, chosen by whoever reported it.
    pub event_id: String,
    /// When it was recorded, to the millisecond.
    pub recorded_at: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what it was done.
    pub subject: String,
    /// The run it belongs to, if any.
    #[serde(default)]
    pub run_id: Option<String>,
    /// Anything else worth keeping.
    pub details: CanonicalJson,
    /// Hash of the record before.
    pub previous_hash: Digest,
    /// Hash of this record.
    pub hash: Digest,
}

impl AuditRecord {
    /// The hash that the record's other fields call for.
    #[must_use]
    pub fn computed_hash(&self) -> Digest {
        let mut hasher = FieldHasher::new();
        hasher.field(&self.sequence.to_be_bytes());
        hasher.field(self.event_id.as_bytes());
        hasher.field(&self.recorded_at.timestamp_millis().to_be_bytes());
        hasher.field(&self.recorded_at.timestamp_subsec_nanos().to_be_bytes());
        hasher.field(self.actor.as_bytes());
        hasher.field(self.action.as_bytes());
        hasher.field(self.subject.as_bytes());
        hasher.field(&[u8::from(self.run_id.is_some())]);
        hasher.field(self.run_id.as_deref().unwrap_or_default().as_bytes());
        hasher.field(self.details.as_str().as_bytes());
        hasher.field(&self.previous_hash.0);
        hasher.finish()
    }

    /// The head of a chain that ends with this record.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

/// Hashes fields so that their borders count: each is preceded by its length.
struct FieldHasher(Sha256);

impl FieldHasher {
    fn new() -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.field(DOMAIN);
        hasher
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The record that comes after `head`. The moment is cut to the millisecond, which every store keeps.
#[must_use]
pub fn append(head: &Head, event: Event, recorded_at: DateTime<Utc>) -> AuditRecord {
    let recorded_at = recorded_at
        .duration_trunc(TimeDelta::milliseconds(1))
        .unwrap_or(recorded_at);
    let mut record = AuditRecord {
        sequence: head.sequence + 1,
        event_id: event.event_id,
        recorded_at,
        actor: event.actor,
        action: event.action,
        subject: event.subject,
        run_id: event.run_id,
        details: event.details,
        previous_hash: head.hash,
        hash: Digest::ZERO,
    };
    record.hash = record.computed_hash();
    record
}
