//! Values behind pseudonyms, sealed.

use ring::aead::LessSafeKey;

use crate::keys::{KeyError, NONCE_BYTES, decrypt, encrypt};

/// Longest value that is kept, bytes: no user, machine or address has a longer name.
pub const MAX_CLEAR_BYTES: usize = 512;
/// Values are filled up to a multiple of this, so that their length does not give them away.
const BLOCK_BYTES: usize = 64;
const LENGTH_BYTES: usize = 2;

/// A sealed value: nonce, cipher text and tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue(Vec<u8>);

impl SealedValue {
    /// Takes the bytes as they were stored. Whether they are sound is seen when they are opened.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn seal_value(
    key: &LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    place: &[u8],
    value: &str,
) -> Option<SealedValue> {
    let length = u16::try_from(value.len()).ok()?;
    if value.len() > MAX_CLEAR_BYTES {
        return None;
    }
    let mut clear = Vec::with_capacity(MAX_CLEAR_BYTES + BLOCK_BYTES);
    clear.extend_from_slice(&length.to_be_bytes());
    clear.extend_from_slice(value.as_bytes());
    clear.resize(clear.len().next_multiple_of(BLOCK_BYTES), 0);
    Some(SealedValue(encrypt(key, nonce, place, &clear)))
}

pub(crate) fn open_value(
    key: &LessSafeKey,
    place: &[u8],
    sealed: &SealedValue,
) -> Result<String, KeyError> {
    let clear = decrypt(key, place, &sealed.0)?;
    let (length, rest) = clear
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(KeyError::DoesNotOpen)?;
    let value = rest
        .get(..usize::from(u16::from_be_bytes(*length)))
        .ok_or(KeyError::DoesNotOpen)?;
    String::from_utf8(value.to_vec()).map_err(|_| KeyError::DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::EpochSecret;
    use crate::pseudonym::{EntityKind, EpochId};

    #[test]
    fn lengths_are_hidden_and_bounded() {
        let keys = EpochSecret::new([1; 32]).keys(EpochId::FIRST);
        let sealed = |length: usize| {
            let value = "x".repeat(length);
            let pseudonym = keys.pseudonym(EntityKind::User, &value);
            keys.seal(pseudonym, &value)
        };
        let size = |length| sealed(length).unwrap().as_bytes().len();
        assert_eq!(size(1), size(62));
        assert_eq!(size(63), size(126));
        assert!(size(62) < size(63));
        assert!(sealed(MAX_CLEAR_BYTES).is_some());
        assert_eq!(sealed(MAX_CLEAR_BYTES + 1), None);
        assert_eq!(sealed(70_000), None);
    }
}
