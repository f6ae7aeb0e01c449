//! Keyed hashes in place of names and addresses.
//!
//! Users and addresses never reach the lake. Where their number matters, a keyed hash stands for
//! them: the same address gives the same hash, and without the key no list of addresses gives it
//! away.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "pseudonym.key";

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither a key nor a place to keep one.
    #[error("set pseudonym_key, or state_folder in which a key is made")]
    Nowhere,
    /// Not 64 hexadecimal digits.
    #[error("the pseudonym key from {origin} must be 64 hexadecimal digits")]
    Malformed {
        /// Where it came from.
        origin: String,
    },
    /// The file cannot be read or made.
    #[error("the key file {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The machine gives no randomness.
    #[error("no random numbers for a new key: {0}")]
    NoRandomness(String),
}

/// Makes keyed hashes. Cheap to clone.
#[derive(Clone)]
pub struct Pseudonyms(Hmac<Sha256>);

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pseudonyms(..)")
    }
}

impl Pseudonyms {
    /// Takes the configured key, or the one in the state folder, which is made when missing.
    ///
    /// # Errors
    /// When there is no usable key and none can be made.
    pub fn load(key: Option<&SecretString>, folder: Option<&Path>) -> Result<Self, KeyError> {
        if let Some(key) = key {
            return Self::from_hex(key.expose_secret(), "pseudonym_key");
        }
        let path = folder.ok_or(KeyError::Nowhere)?.join(KEY_FILE);
        let text = read_or_make(&path)?;
        Self::from_hex(text.trim(), &path.display().to_string())
    }

    fn from_hex(text: &str, origin: &str) -> Result<Self, KeyError> {
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text, &mut key).map_err(|_| KeyError::Malformed {
            origin: origin.to_owned(),
        })?;
        Ok(Self(
            Hmac::new_from_slice(&key).expect("a key of any length is taken"),
        ))
    }

    /// 128 bits for a thing of this kind. The parts are kept apart: ("a","bc") is not ("ab","c").
    pub(crate) fn hash(&self, kind: &str, parts: &[&[u8]]) -> u128 {
        let mut mac = self.0.clone();
        for part in std::iter::once(kind.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        let bytes = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&bytes[..16]);
        u128::from_be_bytes(first)
    }

    /// 64 bits for an address: enough to count distinct ones.
    pub(crate) fn address(&self, address: &str) -> u64 {
        let hash = self.hash("address", &[address.as_bytes()]);
        u64::try_from(hash >> 64).expect("64 bits are left")
    }
}

fn read_or_make(path: &Path) -> Result<String, KeyError> {
    let failed = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map_err(failed),
    }
    let mut key = [0; KEY_BYTES];
    rand::rngs::OsRng
        .try_fill_bytes(&mut key)
        .map_err(|error| KeyError::NoRandomness(error.to_string()))?;
    let text = hex::encode(key);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match create_private(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::read_to_string(path).map_err(failed)
        }
        written => written.map(|()| text).map_err(failed),
    }
}

fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let first = Pseudonyms::load(None, Some(&place)).unwrap();
        let again = Pseudonyms::load(None, Some(&place)).unwrap();
        assert_eq!(first.address("198.51.100.7"), again.address("198.51.100.7"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(place.join(KEY_FILE))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn other_keys_give_other_hashes() {
        let load = |digit: &str| {
            let key = SecretString::from(digit.repeat(64));
            Pseudonyms::load(Some(&key), None).unwrap()
        };
        assert_ne!(load("a").address("x"), load("b").address("x"));
        assert_ne!(
            load("a").hash("k", &[b"a", b"bc"]),
            load("a").hash("k", &[b"ab", b"c"])
        );
    }

    #[test]
    fn unusable_keys_are_refused_without_being_shown() {
        let key = SecretString::from("hunter2");
        let error = Pseudonyms::load(Some(&key), None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(matches!(
            Pseudonyms::load(None, None),
            Err(KeyError::Nowhere)
        ));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY_FILE), "short").unwrap();
        assert!(Pseudonyms::load(None, Some(folder.path())).is_err());
    }
}
