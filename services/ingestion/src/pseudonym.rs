//! Keyed hashes in place of names and addresses, as rows are read.
//!
//! Users, machines and addresses never reach the lake. A pseudonym of the epoch that was in force on
//! the day of the row stands for them, and what is behind it goes into the vault, sealed, in the
//! transaction that registers what was read. Whatever else rows are told apart by (ids of alerts,
//! whole rows) becomes a fingerprint: a keyed hash that has nothing behind it and whose key stays,
//! since a row that comes again after a change of keys must be known as the same row.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foretide_pseudonyms::{EntityKind, KeyRing, Pseudonym, SealedValue, normalised};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::event::{Thing, day_of};

/// The keys in force. Clones share them.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    fingerprints: Hmac<Sha256>,
    ring: Arc<RwLock<Arc<KeyRing>>>,
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms(..)")
    }
}

impl Pseudonyms {
    pub(crate) fn new(fingerprints: Hmac<Sha256>, ring: KeyRing) -> Self {
        Self {
            fingerprints,
            ring: Arc::new(RwLock::new(Arc::new(ring))),
        }
    }

    /// The keys as they are now.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&ring)
    }

    /// Puts other keys in force, for everything that is read from now on.
    pub(crate) fn replace(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// What hashes the rows of one object, under the keys as they are now.
    pub(crate) fn of_object(&self) -> ObjectPseudonyms {
        ObjectPseudonyms {
            fingerprints: self.fingerprints.clone(),
            ring: self.ring(),
            met: RefCell::default(),
        }
    }
}

/// An entity that was met: its pseudonym and, sealed, its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) pseudonym: Pseudonym,
    pub(crate) sealed: SealedValue,
    /// What it is called in the other epochs, should it have been met there.
    pub(crate) elsewhere: Vec<Pseudonym>,
}

/// Hashes the rows of one object and remembers whom it met.
#[derive(Clone)]
pub(crate) struct ObjectPseudonyms {
    fingerprints: Hmac<Sha256>,
    ring: Arc<KeyRing>,
    met: RefCell<HashMap<Pseudonym, Met>>,
}

impl std::fmt::Debug for ObjectPseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectPseudonyms(..)")
    }
}

impl ObjectPseudonyms {
    /// 128 bits for a thing of this kind. The parts are kept apart: ("a","bc") is not ("ab","c").
    pub(crate) fn hash(&self, kind: &str, parts: &[&[u8]]) -> u128 {
        let mut mac = self.fingerprints.clone();
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        let bytes = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&bytes[..16]);
        u128::from_be_bytes(first)
    }

    /// 64 bits for a thing that is counted once and names nobody.
    pub(crate) fn thing(&self, text: &str) -> Thing {
        let hash = self.hash("thing", &[text.as_bytes()]);
        Thing {
            epoch: 0,
            hash: u64::try_from(hash >> 64).expect("64 bits are left"),
        }
    }

    /// The pseudonym of somebody or something in a row of that moment (milliseconds since 1970);
    /// nothing when the value names nothing.
    pub(crate) fn entity(&self, kind: EntityKind, value: &str, moment: i64) -> Option<Thing> {
        let normal = normalised(kind, value)?;
        let (_, keys) = self.ring.in_force(day_of(moment))?;
        let pseudonym = keys.pseudonym(kind, &normal);
        let mut met = self.met.borrow_mut();
        if !met.contains_key(&pseudonym)
            && let Some(sealed) = keys.seal(pseudonym, &normal)
        {
            let others = self.ring.pseudonyms(kind, &normal);
            let elsewhere = others.filter(|other| *other != pseudonym).collect();
            let entity = Met {
                pseudonym,
                sealed,
                elsewhere,
            };
            met.insert(pseudonym, entity);
        }
        Some(Thing {
            epoch: pseudonym.epoch.0,
            hash: pseudonym.hash,
        })
    }

    /// Whom the object's rows have met so far, in the order of their pseudonyms.
    pub(crate) fn take_met(&self) -> Vec<Met> {
        let mut met: Vec<Met> = self.met.take().into_values().collect();
        met.sort_unstable_by_key(|met| met.pseudonym);
        met
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use foretide_pseudonyms::{Epoch, EpochId, EpochSecret};

    use super::*;

    /// Keys of two epochs, the second from 1970-01-11 on.
    pub(crate) fn two_epochs() -> Pseudonyms {
        let epoch = |id: u8, day: i64| {
            let id_of = EpochId(u32::from(id));
            let starts_on = day_of(day * 86_400_000);
            let keys = EpochSecret::new([id; 32]).keys(id_of);
            (id_of, Epoch { starts_on, keys })
        };
        let ring = KeyRing::new([epoch(1, 0), epoch(2, 10)]);
        Pseudonyms::new(EpochSecret::new([9; 32]).mac(), ring)
    }

    #[test]
    fn who_is_met_is_remembered_once_with_names_of_other_epochs() {
        let pseudonyms = two_epochs();
        let object = pseudonyms.of_object();
        let first = object.entity(EntityKind::User, "Ada@contoso.example", 0);
        let again = object.entity(EntityKind::User, "ada@contoso.example ", 1000);
        let later = object.entity(EntityKind::User, "ada@contoso.example", 10 * 86_400_000);
        assert_eq!(first, again);
        assert_eq!(
            (
                first.map(|thing| thing.epoch),
                later.map(|thing| thing.epoch)
            ),
            (Some(1), Some(2))
        );
        let met = object.take_met();
        assert_eq!(met.len(), 2);
        assert_eq!(met[0].elsewhere, [met[1].pseudonym]);
        assert_eq!(met[1].elsewhere, [met[0].pseudonym]);
        assert_eq!(object.take_met(), []);
    }

    #[test]
    fn what_names_nobody_is_not_kept() {
        let object = two_epochs().of_object();
        assert_eq!(object.entity(EntityKind::Host, "  ", 0), None);
        let long = "x".repeat(foretide_pseudonyms::MAX_CLEAR_BYTES + 1);
        assert!(object.entity(EntityKind::Host, &long, 0).is_some());
        assert_ne!(object.thing("CVE-2026-1"), object.thing("CVE-2026-2"));
        assert_eq!(object.take_met(), []);
    }

    #[test]
    fn parts_of_a_fingerprint_are_kept_apart() {
        let object = two_epochs().of_object();
        assert_ne!(
            object.hash("k", &[b"a", b"bc"]),
            object.hash("k", &[b"ab", b"c"])
        );
    }
}
