//! Configuration: one YAML file, environment for secrets, errors that name file, key and allowed
//! values.
//!
//! Every section refuses unknown keys. Secrets are [`SecretString`]s; a text value of the form
//! `${NAME}` is taken from the environment, so that a secret never has to stand in the file.

use std::path::{Path, PathBuf};

pub use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_norway::Value;

/// Exit code of a process that was given a bad configuration (`EX_CONFIG` of sysexits.h).
pub const EXIT_BAD_CONFIG: u8 = 78;

/// Largest configuration file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than a configuration can be.
    #[error("{}: is {size} bytes; a configuration has at most {MAX_FILE_BYTES}", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size, bytes.
        size: u64,
    },
    /// Not YAML.
    #[error("{}: is not valid YAML: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
    },
    /// A key is unknown, missing, of the wrong type or out of bounds.
    #[error("{}: key {key}: {message}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Dotted path of the key.
        key: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// `${NAME}` names a variable that is not set.
    #[error("{}: key {key}: environment variable {variable} is not set; set it or give the value in the file", path.display())]
    MissingVariable {
        /// Which file.
        path: PathBuf,
        /// Dotted path of the key.
        key: String,
        /// Name of the variable.
        variable: String,
    },
}

/// Reads a file into a typed configuration, taking `${NAME}` from `variables`.
///
/// # Errors
/// Names the file and, where there is one, the key and what is allowed.
pub fn load<T: DeserializeOwned>(
    path: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<T, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse(path, &text, variables)
}

/// Like [`load`], for a text that is already in memory; `path` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<T, ConfigError> {
    let mut value: Value = serde_norway::from_str(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    if value.is_null() {
        value = Value::Mapping(serde_norway::Mapping::new());
    }
    substitute(&mut value, path, "", variables)?;
    serde_path_to_error::deserialize(value).map_err(|error| ConfigError::Key {
        path: path.to_owned(),
        key: match error.path().to_string() {
            root if root == "." => "(top level)".to_owned(),
            key => key,
        },
        message: error.inner().to_string(),
    })
}

/// A refusal by a check that types alone cannot make.
#[must_use]
pub fn refused(path: &Path, key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError::Key {
        path: path.to_owned(),
        key: key.to_owned(),
        message: message.into(),
    }
}

fn substitute(
    value: &mut Value,
    path: &Path,
    key: &str,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let below = |name: &str| {
        if key.is_empty() {
            name.to_owned()
        } else {
            format!("{key}.{name}")
        }
    };
    match value {
        Value::String(text) => {
            let name = text
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'));
            if let Some(variable) = name {
                *text = variables(variable).ok_or_else(|| ConfigError::MissingVariable {
                    path: path.to_owned(),
                    key: key.to_owned(),
                    variable: variable.to_owned(),
                })?;
            }
            Ok(())
        }
        Value::Mapping(entries) => entries.iter_mut().try_for_each(|(name, entry)| {
            let name = name.as_str().unwrap_or("?").to_owned();
            substitute(entry, path, &below(&name), variables)
        }),
        Value::Sequence(entries) => {
            entries
                .iter_mut()
                .enumerate()
                .try_for_each(|(index, entry)| {
                    substitute(entry, path, &format!("{key}[{index}]"), variables)
                })
        }
        _ => Ok(()),
    }
}
