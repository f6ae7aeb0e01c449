//! Files with a private key: made once, readable by their user only.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use foretide_audit_chain::{KeyError, KeyKind, SigningKey};
use foretide_config::{ExposeSecret, SecretString};
use rand::TryRngCore;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("the key file {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it holds is no private key.
    #[error("the signing key from {origin} cannot be used")]
    Key {
        /// Where it came from.
        origin: String,
        /// Why.
        source: KeyError,
    },
    /// The machine gives no randomness.
    #[error("no random numbers for a new key: {0}")]
    NoRandomness(String),
    /// Neither a key nor a place to keep one.
    #[error("set audit.signing_key, or state_folder in which a key is made")]
    Nowhere,
}

/// Takes the key of the file, which is made when it is not there.
///
/// # Errors
/// When the file holds something else, or cannot be read or made.
pub fn read_or_make(path: &Path, name: &str, kind: KeyKind) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::File {
        path: path.to_owned(),
        source,
    };
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(text) => return parse(&SecretString::from(text), &path.display().to_string()),
    }
    let text = fresh(name, kind)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match write_private(path, text.expose_secret().as_bytes()) {
        // Somebody else has just made it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(path).map_err(failed)?;
            parse(&SecretString::from(text), &path.display().to_string())
        }
        Err(error) => Err(failed(error)),
        Ok(()) => parse(&text, &path.display().to_string()),
    }
}

/// A new private key, as text.
///
/// # Errors
/// When the name cannot be a key's, or the machine gives no randomness.
pub fn fresh(name: &str, kind: KeyKind) -> Result<SecretString, KeyFileError> {
    let seed: [u8; 32] = random()?;
    let text = SigningKey::text_of(name, kind, &seed).map_err(|source| KeyFileError::Key {
        origin: format!("the name {name:?}"),
        source,
    })?;
    Ok(SecretString::from(text))
}

/// A name that no other log has: a log's key is named when it is made.
pub(crate) fn fresh_log_name() -> Result<String, KeyFileError> {
    let number: [u8; 8] = random()?;
    Ok(format!("foretide-audit-{}", hex::encode(number)))
}

/// Reads a private key that came from `origin`.
pub(crate) fn parse(text: &SecretString, origin: &str) -> Result<SigningKey, KeyFileError> {
    text.expose_secret()
        .parse()
        .map_err(|source| KeyFileError::Key {
            origin: origin.to_owned(),
            source,
        })
}

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| KeyFileError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Whole or not at all: a key that was cut off would keep everything from starting.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.to_owned().into_os_string();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        // Unlike a rename, a link does not replace a key that somebody else has made meanwhile.
        std::fs::hard_link(&draft, path)
    });
    let removed = std::fs::remove_file(&draft);
    written.and(removed)
}
