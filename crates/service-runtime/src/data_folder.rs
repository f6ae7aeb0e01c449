//! The folder an installation on one machine lives in: for one process, and for its user only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// A data folder that belongs to this process until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct DataFolder {
    _lock: File,
}

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has it.
    #[error(
        "the data folder {} is in use by another foretide (process {process}): stop that one first, \
         or set another data_dir",
        .folder.display()
    )]
    InUse {
        /// Which folder.
        folder: PathBuf,
        /// The other process's id.
        process: String,
    },
    /// It cannot be made, written or locked.
    #[error(
        "the data folder {} cannot be used: let it be a folder that this user may write to, or set \
         another data_dir",
        .folder.display()
    )]
    Unusable {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DataFolder {
    /// Makes the folder when it is missing, takes it for this process, and takes away everybody else's
    /// right to look into it. What this process creates from here on is for its user only.
    ///
    /// # Errors
    /// [`DataFolderError`].
    pub fn claim(folder: &Path) -> Result<Self, DataFolderError> {
        let unusable = |source| DataFolderError::Unusable {
            folder: folder.to_owned(),
            source,
        };
        keep_new_files_private();
        std::fs::create_dir_all(folder).map_err(unusable)?;
        make_private(folder).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataFolderError::InUse {
                    folder: folder.to_owned(),
                    process: holder(&mut lock),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        lock.set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Self { _lock: lock })
    }
}

fn holder(lock: &mut File) -> String {
    let mut id = String::new();
    match lock.read_to_string(&mut id) {
        Ok(_) if !id.is_empty() => id,
        _ => "unknown".to_owned(),
    }
}

#[cfg(unix)]
fn keep_new_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

#[cfg(not(unix))]
fn keep_new_files_private() {}

/// A folder that belongs to somebody else, as mounted volumes do, stays as its owner has set it.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(
                folder = %folder.display(),
                "the data folder belongs to another user, who decides who may read it"
            );
            Ok(())
        }
        outcome => outcome,
    }
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}
