//! Where things are.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The folders this tool works in.
pub(crate) struct Layout {
    /// The repository.
    pub(crate) root: PathBuf,
    /// What `setup` installs into.
    pub(crate) tools: PathBuf,
    /// Where cargo puts dev binaries.
    pub(crate) binaries: PathBuf,
}

impl Layout {
    /// Finds the folders from where this binary was built and runs.
    ///
    /// # Errors
    /// When the binary does not run from a target folder.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("xtask does not lie in crates/xtask")?
            .to_path_buf();
        let binaries = env::current_exe()?
            .parent()
            .context("xtask does not run from a target folder")?
            .to_path_buf();
        let tools =
            env::var_os("FORETIDE_TOOLS").map_or_else(|| root.join(".tools"), PathBuf::from);
        Ok(Self {
            root,
            tools,
            binaries,
        })
    }

    /// Where each step's output is kept.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("target/checks")
    }

    /// Folder of the node tools and browser stories.
    pub(crate) fn browser(&self) -> PathBuf {
        self.root.join("e2e/browser")
    }

    /// Folder of the KQL checker.
    pub(crate) fn kql(&self) -> PathBuf {
        self.root.join("e2e/kql")
    }

    /// A program of the pinned Rust tools.
    pub(crate) fn rust_tool(&self, name: &str) -> PathBuf {
        self.tools.join("rust-tools/bin").join(name)
    }

    /// Helm.
    pub(crate) fn helm(&self) -> PathBuf {
        self.tools.join("helm/helm")
    }

    /// npm from `.tools`, else from `PATH`.
    pub(crate) fn npm(&self) -> PathBuf {
        let own = self.tools.join("node/bin/npm");
        if own.is_file() { own } else { "npm".into() }
    }

    /// `PATH` with our own node in front, for scripts that call `node` by name.
    pub(crate) fn path_with_node(&self) -> OsString {
        let mut folders = vec![self.tools.join("node/bin")];
        if let Some(path) = env::var_os("PATH") {
            folders.extend(env::split_paths(&path));
        }
        env::join_paths(folders).unwrap_or_default()
    }
}

/// The first of `names` that is a file in a folder of `PATH`.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|candidate| candidate.is_file())
    })
}
