//! The note a running `up` leaves in its data folder, so that other commands find it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use foretide_service_runtime::PeerUrls;
use serde::{Deserialize, Serialize};

/// Where a running process listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Its process id.
    pub pid: u32,
    /// Address of the console.
    pub console: String,
    /// Addresses of the services.
    pub peers: PeerUrls,
}

/// Removes the note when the process ends.
#[derive(Debug)]
pub(crate) struct StateFile(PathBuf);

impl Drop for StateFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, "the state file is gone already");
        }
    }
}

impl State {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("state.json")
    }

    /// Leaves the note.
    pub(crate) fn write(&self, data_dir: &Path) -> anyhow::Result<StateFile> {
        let path = Self::path(data_dir);
        let draft = path.with_extension("json.draft");
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&draft, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(StateFile(path))
    }

    /// The note of a running process, if there is one.
    pub(crate) fn read(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(data_dir);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} is damaged; remove it", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
}
