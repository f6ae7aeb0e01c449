//! What a step has shown: kept in a log, its tests counted, its first error remembered.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::count::Count;

/// How lines begin that name an error: of rustc and clippy, cargo, nextest, rustfmt, rustdoc, node.
const ERRORS: [&str; 9] = [
    "error[",
    "error:",
    "Error:",
    "FAIL [",
    "TIMEOUT [",
    "SIGKILL [",
    "SIGABRT [",
    "Diff in ",
    "not ok ",
];

/// The record of one step.
#[derive(Debug)]
pub(crate) struct Record {
    log: Option<(PathBuf, File)>,
    count: Count,
    first_error: Option<String>,
    warnings: u64,
    ends: Instant,
    is_shown: bool,
}

impl Record {
    /// A record that is kept in `folder`, of a step that may take so long.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub(crate) fn kept(folder: &Path, step: &str, limit: Duration) -> anyhow::Result<Self> {
        let path = folder.join(format!("{step}.log"));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            log: Some((path, file)),
            ..Self::unkept(limit)
        })
    }

    /// A record that nobody reads later.
    pub(crate) fn unkept(limit: Duration) -> Self {
        Self {
            log: None,
            count: Count::default(),
            first_error: None,
            warnings: 0,
            ends: Instant::now() + limit,
            is_shown: true,
        }
    }

    /// The same, but not shown as it comes: another step is.
    pub(crate) fn in_the_background(self) -> Self {
        Self {
            is_shown: false,
            ..self
        }
    }

    /// Whether lines are shown as they come.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Shows and keeps a line of our own.
    pub(crate) fn note(&mut self, line: &str) {
        if self.is_shown {
            println!("{line}");
        }
        self.keep(line);
    }

    /// Takes a line that a program has shown.
    pub(crate) fn read_line(&mut self, line: &str) {
        self.count.read_line(line);
        let bare = line.trim_start();
        if self.first_error.is_none() && ERRORS.iter().any(|begin| bare.starts_with(begin)) {
            self.first_error = Some(bare.to_owned());
        }
        self.warnings += u64::from(line.starts_with("warning:") || line.starts_with("warning["));
        self.keep(line);
    }

    fn keep(&mut self, line: &str) {
        if let Some((path, file)) = &mut self.log
            && let Err(error) = writeln!(file, "{line}")
        {
            eprintln!("cannot write {}: {error}", path.display());
        }
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Tests that were reported.
    pub(crate) fn count(&self) -> Count {
        self.count
    }

    /// Warnings that were shown.
    pub(crate) fn warnings(&self) -> u64 {
        self.warnings
    }

    /// The first line that named an error.
    pub(crate) fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Where the log lies.
    pub(crate) fn log(&self) -> Option<&Path> {
        self.log.as_ref().map(|(path, _)| path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_remembered_and_all_lines_are_kept() {
        let folder = std::env::temp_dir().join(format!("xtask-record-{}", std::process::id()));
        let mut record = Record::kept(&folder, "test", Duration::from_secs(60)).unwrap();
        for line in [
            "   Compiling foretide v0.1.0",
            "warning: unused import",
            "        FAIL [  61.2s] foretide-e2e::stories write_back::stands",
            "error: test run failed",
        ] {
            record.read_line(line);
        }
        let error = record.first_error().unwrap_or_default();
        assert!(error.contains("write_back::stands"), "{error}");
        assert_eq!(record.warnings(), 1);
        let log = fs::read_to_string(record.log().unwrap()).unwrap();
        assert_eq!(log.lines().count(), 4);
        fs::remove_dir_all(folder).unwrap();
    }
}
