//! Where the counterparts are, and what to do when they are not there.

use std::path::{Path, PathBuf};

/// Why a counterpart did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is not installed on this machine.
    #[error("{what} is not there ({looked_for}): run `cargo xtask setup`")]
    Absent {
        /// The counterpart.
        what: &'static str,
        /// The file that was looked for.
        looked_for: String,
    },
    /// It is installed and did not come up.
    #[error("{what} did not start: {source:#}")]
    Failed {
        /// The counterpart.
        what: &'static str,
        /// What went wrong.
        source: anyhow::Error,
    },
}

impl StartError {
    /// For `map_err`: the counterpart `what` is installed and failed.
    pub(crate) fn failed(what: &'static str) -> impl Fn(anyhow::Error) -> Self {
        move |source| Self::Failed { what, source }
    }
}

/// The repository this crate was built from.
#[must_use]
pub fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the repository root")
        .to_path_buf()
}

/// The folder `cargo xtask setup` installs into: `FORETIDE_TOOLS`, or `<repository>/.tools`.
#[must_use]
pub fn tools_dir() -> PathBuf {
    std::env::var_os("FORETIDE_TOOLS")
        .map_or_else(|| repository_root().join(".tools"), PathBuf::from)
}

/// Whether a missing counterpart is a failure (`FORETIDE_REQUIRE_COUNTERPARTS=1`) and not a reason
/// to skip.
#[must_use]
pub fn require_counterparts() -> bool {
    std::env::var("FORETIDE_REQUIRE_COUNTERPARTS").is_ok_and(|value| value == "1")
}

/// The started counterpart, or `None` (said on standard error) when it is not installed and need
/// not be.
///
/// # Errors
/// When it is installed and did not start, or when it is required and not installed.
pub fn or_skip<T>(started: Result<T, StartError>) -> anyhow::Result<Option<T>> {
    match started {
        Ok(counterpart) => Ok(Some(counterpart)),
        Err(absent @ StartError::Absent { .. }) if !require_counterparts() => {
            eprintln!("skipped: {absent}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The Python interpreter of an environment in the tools folder, with the packages of
/// `crates/xtask/requirements/<name>.txt`.
///
/// # Errors
/// When the environment is not installed.
pub fn python_of(environment: &'static str) -> Result<PathBuf, StartError> {
    existing(
        environment,
        tools_dir().join(environment).join("bin/python"),
    )
}

/// `path`, if it exists; else the error that says what is missing.
pub(crate) fn existing(what: &'static str, path: PathBuf) -> Result<PathBuf, StartError> {
    if path.exists() {
        Ok(path)
    } else {
        let looked_for = path.display().to_string();
        Err(StartError::Absent { what, looked_for })
    }
}

/// The first file called `name` in one of `folders`.
pub(crate) fn find_in(folders: impl IntoIterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Folders on `PATH`.
pub(crate) fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}
