//! The synthetic workspace on disk.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use foretide_domain::TimeSpan;
use foretide_synthetic_workspace::{Plan, Workspace, append_arrivals};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Contoso's exported tables, up to the beginning of its replay.
#[derive(Debug)]
pub struct Contoso {
    folder: TempDir,
    workspace: Workspace,
    now: DateTime<Utc>,
}

impl Contoso {
    /// `history_days` of history, everything that had arrived by the end of them.
    ///
    /// # Errors
    /// When the workspace cannot be made or written.
    pub fn with_history(history_days: u32) -> anyhow::Result<Self> {
        let start = NaiveDate::from_ymd_opt(2026, 1, 5).context("a Monday")?;
        let plan = Plan {
            history_days,
            volume: 0.5,
            ..Plan::contoso(7, start)
        };
        let workspace = Workspace::generate(&plan)?;
        let folder = tempfile::Builder::new()
            .prefix("foretide-contoso-")
            .tempdir()?;
        let now = plan.replay_start();
        let contoso = Self {
            folder,
            workspace,
            now,
        };
        let before = TimeSpan {
            start: plan.span().start - TimeDelta::days(1),
            end: now,
        };
        append_arrivals(&contoso.workspace, contoso.export(), before)?;
        Ok(contoso)
    }

    /// Lets time go by: what arrives until then is appended to the export, late rows too.
    ///
    /// # Errors
    /// When the export cannot be written.
    pub fn advance(&mut self, hours: i64) -> anyhow::Result<DateTime<Utc>> {
        let span = TimeSpan {
            start: self.now,
            end: self.now + TimeDelta::hours(hours),
        };
        append_arrivals(&self.workspace, self.export(), span)?;
        self.now = span.end;
        Ok(self.now)
    }

    /// The moment up to which everything has arrived.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Folder of the exported tables.
    #[must_use]
    pub fn export(&self) -> &Path {
        self.folder.path()
    }

    /// Files of the export, for counting and for putting elsewhere.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The campaigns the SOC knows of, as the calendar configuration has them.
    #[must_use]
    pub fn campaigns(&self) -> Value {
        self.workspace
            .campaigns()
            .iter()
            .filter(|campaign| campaign.is_announced())
            .map(|campaign| {
                json!({
                    "name": campaign.name,
                    "start": campaign.span.start,
                    "end": campaign.span.end,
                })
            })
            .collect()
    }
}
