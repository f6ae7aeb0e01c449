//! Where the master key comes from: the configuration, or a file of our own making.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use foretide_pseudonyms::MasterKey;
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;

const KEY_FILE: &str = "pseudonym.key";
/// The key before it, for its secrets to be wrapped anew.
const PREVIOUS_FILE: &str = "pseudonym.key.previous";

/// A master key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
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

/// The master key, and those before it that may still have wrapped something.
#[derive(Debug)]
pub(crate) struct MasterKeys {
    pub(crate) current: MasterKey,
    previous: Vec<MasterKey>,
}

impl MasterKeys {
    /// Takes the configured key, or the one in the state folder, which is made when missing. Earlier
    /// keys are the configured one, the file beside the key's, and the key's file where a key is
    /// configured in its place.
    ///
    /// # Errors
    /// When there is no usable key and none can be made, or an earlier one is malformed.
    pub(crate) fn load(config: &Config) -> Result<Self, MasterKeyError> {
        let folder = config.state_folder.as_deref();
        let mut previous = Vec::new();
        if let Some(key) = &config.previous_pseudonym_key {
            previous.push(from_secret(key, "previous_pseudonym_key")?);
        }
        let file = |name: &str| folder.map(|folder| folder.join(name));
        let current = match (&config.pseudonym_key, file(KEY_FILE)) {
            (Some(key), path) => {
                previous.extend(path.as_deref().map(from_file).transpose()?.flatten());
                from_secret(key, "pseudonym_key")?
            }
            (None, None) => return Err(MasterKeyError::Nowhere),
            (None, Some(path)) => match from_file(&path)? {
                Some(key) => key,
                None => made(&path)?,
            },
        };
        let before = file(PREVIOUS_FILE);
        previous.extend(before.as_deref().map(from_file).transpose()?.flatten());
        Ok(Self { current, previous })
    }

    /// The key of this id, if it is at hand.
    pub(crate) fn of(&self, id: &str) -> Option<&MasterKey> {
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        keys.find(|key| key.id() == id)
    }
}

fn from_secret(key: &SecretString, origin: &str) -> Result<MasterKey, MasterKeyError> {
    MasterKey::from_hex(key.expose_secret()).map_err(|_| MasterKeyError::Malformed {
        origin: origin.to_owned(),
    })
}

fn from_file(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    match fs::read_to_string(path) {
        Ok(text) => from_secret(&SecretString::from(text), &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(MasterKeyError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

fn made(path: &Path) -> Result<MasterKey, MasterKeyError> {
    let failed = |source| MasterKeyError::File {
        path: path.to_owned(),
        source,
    };
    let mut key = [0; foretide_pseudonyms::SECRET_BYTES];
    rand::rngs::OsRng
        .try_fill_bytes(&mut key)
        .map_err(|error| MasterKeyError::NoRandomness(error.to_string()))?;
    let text = SecretString::from(hex::encode(key));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let written =
        create_private(path).and_then(|mut file| file.write_all(text.expose_secret().as_bytes()));
    match written {
        Ok(()) => from_secret(&text, &path.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            from_file(path)?.ok_or_else(|| failed(error))
        }
        Err(error) => Err(failed(error)),
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

    fn config(key: Option<&str>, folder: Option<&Path>) -> Config {
        Config {
            pseudonym_key: key.map(SecretString::from),
            state_folder: folder.map(Path::to_owned),
            ..Config::default()
        }
    }

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let load = || MasterKeys::load(&config(None, Some(&place))).unwrap();
        assert_eq!(load().current.id(), load().current.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = fs::metadata(place.join(KEY_FILE)).unwrap();
            assert_eq!(file.permissions().mode() & 0o077, 0);
        }
    }

    #[test]
    fn a_key_that_is_moved_or_configured_in_its_place_leaves_the_old_one_at_hand() {
        let folder = tempfile::tempdir().unwrap();
        let first = MasterKeys::load(&config(None, Some(folder.path()))).unwrap();
        let configured = MasterKeys::load(&config(Some(&"a".repeat(64)), Some(folder.path())));
        assert!(configured.unwrap().of(first.current.id()).is_some());
        let path = |name| folder.path().join(name);
        fs::rename(path(KEY_FILE), path(PREVIOUS_FILE)).unwrap();
        let second = MasterKeys::load(&config(None, Some(folder.path()))).unwrap();
        assert_ne!(second.current.id(), first.current.id());
        assert!(second.of(first.current.id()).is_some());
    }

    #[test]
    fn unusable_keys_are_refused_without_being_shown() {
        let error = MasterKeys::load(&config(Some("hunter2"), None)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let nowhere = MasterKeys::load(&config(None, None));
        assert!(matches!(nowhere, Err(MasterKeyError::Nowhere)));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY_FILE), "short").unwrap();
        assert!(MasterKeys::load(&config(None, Some(folder.path()))).is_err());
        let both = Config {
            previous_pseudonym_key: Some(SecretString::from("short")),
            ..config(Some(&"a".repeat(64)), None)
        };
        assert!(MasterKeys::load(&both).is_err());
    }
}
