//! Keys: the master's, and those of an epoch.

use hmac::{Hmac, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;

use crate::pseudonym::{EntityKind, EpochId, Pseudonym};
use crate::seal::{SealedValue, open_value, seal_value};

/// Bytes of a master key and of an epoch's secret.
pub const SECRET_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;

/// A key that cannot be used. Never holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 64 hexadecimal digits.
    #[error("must be 64 hexadecimal digits")]
    Malformed,
    /// What was sealed or wrapped does not open: another key, another place, or changed bytes.
    #[error("does not open under this key")]
    DoesNotOpen,
}

/// The secret of an epoch, from which its keys are derived.
pub struct EpochSecret(SecretBox<[u8; SECRET_BYTES]>);

impl std::fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EpochSecret(..)")
    }
}

impl EpochSecret {
    /// A secret of these bytes, which the caller has drawn at random.
    #[must_use]
    pub fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// The keys that follow from it.
    #[must_use]
    pub fn keys(&self, epoch: EpochId) -> EpochKeys {
        let secret = self.0.expose_secret();
        EpochKeys {
            epoch,
            hash: mac(&derived(secret, b"foretide pseudonyms: hash")),
            seal: sealing(&derived(secret, b"foretide pseudonyms: seal")),
        }
    }

    /// The keyed hash of this secret itself, for uses other than pseudonyms.
    #[must_use]
    pub fn mac(&self) -> Hmac<Sha256> {
        mac(self.0.expose_secret())
    }
}

/// The key that wraps the secrets of epochs. It is configured, and stored nowhere.
pub struct MasterKey {
    id: String,
    wrap: LessSafeKey,
    bytes: SecretBox<[u8; SECRET_BYTES]>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKey {
    /// The key that is written as 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is not.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; SECRET_BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::Malformed)?;
        let id = derived(&bytes, b"foretide pseudonyms: id of the master key");
        Ok(Self {
            id: hex::encode(&id[..4]),
            wrap: sealing(&derived(&bytes, b"foretide pseudonyms: wrap")),
            bytes: SecretBox::new(Box::new(bytes)),
        })
    }

    /// Eight digits by which keys are told apart. The key does not follow from them.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A secret of the same bytes: what fingerprints of rows are made with from the first start on,
    /// also after the master key was changed.
    #[must_use]
    pub fn as_secret(&self) -> EpochSecret {
        EpochSecret::new(*self.bytes.expose_secret())
    }

    /// Wraps the secret of an epoch. The nonce must be drawn at random, once.
    #[must_use]
    pub fn wrap(&self, epoch: EpochId, secret: &EpochSecret, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        encrypt(
            &self.wrap,
            nonce,
            &wrapped_place(epoch),
            secret.0.expose_secret(),
        )
    }

    /// Unwraps the secret of an epoch.
    ///
    /// # Errors
    /// When it was wrapped by another key or for another epoch, or was changed.
    pub fn unwrap(&self, epoch: EpochId, wrapped: &[u8]) -> Result<EpochSecret, KeyError> {
        let mut bytes = decrypt(&self.wrap, &wrapped_place(epoch), wrapped)?;
        let secret = <[u8; SECRET_BYTES]>::try_from(bytes.as_slice());
        bytes.fill(0);
        secret
            .map(EpochSecret::new)
            .map_err(|_| KeyError::DoesNotOpen)
    }
}

fn wrapped_place(epoch: EpochId) -> Vec<u8> {
    format!("secret of epoch {epoch}").into_bytes()
}

/// The keys of an epoch: one that hashes, one that seals. Cheap to clone.
#[derive(Clone)]
pub struct EpochKeys {
    epoch: EpochId,
    hash: Hmac<Sha256>,
    seal: LessSafeKey,
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochKeys({})", self.epoch)
    }
}

impl EpochKeys {
    /// The pseudonym of a value that was [normalised](crate::normalised).
    #[must_use]
    pub fn pseudonym(&self, kind: EntityKind, normal: &str) -> Pseudonym {
        let digest = digest(&self.hash, &[kind.name().as_bytes(), normal.as_bytes()]);
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Pseudonym {
            kind,
            epoch: self.epoch,
            hash: u64::from_be_bytes(first),
        }
    }

    /// Seals the value behind a pseudonym; nothing when it is longer than
    /// [`MAX_CLEAR_BYTES`](crate::MAX_CLEAR_BYTES).
    #[must_use]
    pub fn seal(&self, pseudonym: Pseudonym, normal: &str) -> Option<SealedValue> {
        let place = pseudonym.to_string();
        let digest = digest(&self.hash, &[b"nonce", place.as_bytes(), normal.as_bytes()]);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&digest[..NONCE_BYTES]);
        seal_value(&self.seal, nonce, place.as_bytes(), normal)
    }

    /// Opens the value behind a pseudonym.
    ///
    /// # Errors
    /// When it was sealed for another pseudonym or epoch, or was changed.
    pub fn open(&self, pseudonym: Pseudonym, sealed: &SealedValue) -> Result<String, KeyError> {
        open_value(&self.seal, pseudonym.to_string().as_bytes(), sealed)
    }
}

fn mac(key: &[u8; SECRET_BYTES]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length is taken")
}

fn derived(secret: &[u8; SECRET_BYTES], purpose: &[u8]) -> [u8; SECRET_BYTES] {
    digest(&mac(secret), &[purpose])
}

/// The parts are kept apart: ("a", "bc") is not ("ab", "c").
fn digest(mac: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn sealing(key: &[u8; SECRET_BYTES]) -> LessSafeKey {
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the length it must have");
    LessSafeKey::new(key)
}

/// Nonce, cipher text, tag.
pub(crate) fn encrypt(
    key: &LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    place: &[u8],
    clear: &[u8],
) -> Vec<u8> {
    let mut sealed = clear.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(place),
        &mut sealed,
    )
    .expect("a short text is taken");
    [nonce.as_slice(), &sealed].concat()
}

pub(crate) fn decrypt(key: &LessSafeKey, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(KeyError::DoesNotOpen)?;
    let mut text = text.to_vec();
    let clear = key
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(place),
            &mut text,
        )
        .map_err(|_| KeyError::DoesNotOpen)?
        .len();
    text.truncate(clear);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(byte: u8, epoch: u32) -> EpochKeys {
        EpochSecret::new([byte; SECRET_BYTES]).keys(EpochId(epoch))
    }

    fn master(digit: &str) -> MasterKey {
        MasterKey::from_hex(&digit.repeat(64)).unwrap()
    }

    proptest! {
        #[test]
        fn kinds_and_epochs_are_kept_apart(value in "[a-z0-9.@]{1,40}") {
            let one = keys(1, 1);
            let user = one.pseudonym(EntityKind::User, &value);
            prop_assert_eq!(user, one.pseudonym(EntityKind::User, &value));
            prop_assert_ne!(user.hash, one.pseudonym(EntityKind::Host, &value).hash);
            prop_assert_ne!(user.hash, keys(2, 2).pseudonym(EntityKind::User, &value).hash);
        }

        #[test]
        fn a_sealed_value_opens_for_its_pseudonym_only(value in "\\PC{1,80}", other in "\\PC{1,80}") {
            let (foreign, keys) = (keys(2, 1), keys(1, 1));
            let pseudonym = keys.pseudonym(EntityKind::User, &value);
            let sealed = keys.seal(pseudonym, &value).unwrap();
            prop_assert_eq!(keys.open(pseudonym, &sealed), Ok(value.clone()));
            prop_assert_eq!(keys.seal(pseudonym, &value), Some(sealed.clone()));
            let elsewhere = keys.pseudonym(EntityKind::Host, &other);
            prop_assert_eq!(keys.open(elsewhere, &sealed), Err(KeyError::DoesNotOpen));
            prop_assert_eq!(foreign.open(pseudonym, &sealed), Err(KeyError::DoesNotOpen));
        }

        #[test]
        fn a_changed_byte_does_not_open(value in "[a-z]{1,20}", at: prop::sample::Index, bit in 0_u8..8) {
            let keys = keys(1, 1);
            let pseudonym = keys.pseudonym(EntityKind::User, &value);
            let mut bytes = keys.seal(pseudonym, &value).unwrap().as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let changed = SealedValue::from_stored(bytes.clone());
            prop_assert_eq!(keys.open(pseudonym, &changed), Err(KeyError::DoesNotOpen));
            bytes.truncate(at);
            let cut = SealedValue::from_stored(bytes);
            prop_assert_eq!(keys.open(pseudonym, &cut), Err(KeyError::DoesNotOpen));
        }

        #[test]
        fn a_wrapped_secret_opens_for_its_epoch_only(secret: [u8; 32], nonce: [u8; 12], at: prop::sample::Index) {
            let secret = EpochSecret::new(secret);
            let mut wrapped = master("a").wrap(EpochId(3), &secret, nonce);
            let opened = master("a").unwrap(EpochId(3), &wrapped).unwrap();
            let hash = |secret: &EpochSecret| secret.keys(EpochId(3)).pseudonym(EntityKind::User, "ada");
            prop_assert_eq!(hash(&opened), hash(&secret));
            prop_assert!(master("a").unwrap(EpochId(4), &wrapped).is_err());
            prop_assert!(master("b").unwrap(EpochId(3), &wrapped).is_err());
            let at = at.index(wrapped.len());
            wrapped[at] ^= 1;
            prop_assert!(master("a").unwrap(EpochId(3), &wrapped).is_err());
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let key = "0123456789abcdef".repeat(4);
        let master = MasterKey::from_hex(&key).unwrap();
        let secret = master.as_secret();
        let shown = format!("{master:?} {secret:?} {:?}", secret.keys(EpochId(1)));
        assert_eq!(
            shown,
            format!("MasterKey({}) EpochSecret(..) EpochKeys(1)", master.id())
        );
        assert!(!key.contains(master.id()));
        for text in [
            "",
            "hunter2",
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(66),
        ] {
            let error = MasterKey::from_hex(text).unwrap_err();
            assert_eq!(error, KeyError::Malformed);
        }
    }

    /// Pseudonyms lie in lakes: another way of making them would lose every join. The value is that of
    /// another implementation (Python hmac).
    #[test]
    fn the_way_pseudonyms_are_made_is_fixed() {
        let pseudonym = keys(7, 1).pseudonym(EntityKind::User, "ada@contoso.example");
        assert_eq!(pseudonym.to_string(), "user-1-3ce82349cfb5d088");
    }
}
