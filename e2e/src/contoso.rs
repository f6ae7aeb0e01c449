//! The synthetic workspace on disk.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{DeclaredCapacity, TimeSpan, UseCase, floor_hour};
use foretide_synthetic_workspace::{Plan, Workspace, append_arrivals};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::now;

/// How long before today the history ends: long enough that a forecast issued then has settled.
const HOURS_BEFORE_TODAY: i64 = 78;
/// An exercise that the SOC was told of begins so long after today, and lasts so long.
const ANNOUNCED_IN_HOURS: i64 = 30;
const ANNOUNCED_FOR_HOURS: i64 = 40;

/// What Contoso's SOC says that it can carry in eight hours: under what the announced exercise brings
/// at any hour of the week, so that a window is raised because of it and not because of the day.
const CARRIED: f64 = 12.0;

/// Contoso's exported tables. Time stands at the end of the history, a few days before the hour
/// that the stories' clock shows: proposals must not have expired before they are made.
#[derive(Debug)]
pub struct Contoso {
    folder: TempDir,
    workspace: Workspace,
    now: DateTime<Utc>,
    today: DateTime<Utc>,
}

impl Contoso {
    /// A workspace with so many days of history, and everything that had arrived by then.
    ///
    /// # Errors
    /// When the workspace cannot be made or written.
    pub fn with_history(history_days: u32) -> anyhow::Result<Self> {
        let today = floor_hour(now());
        let now = today - TimeDelta::hours(HOURS_BEFORE_TODAY);
        let start = (now - TimeDelta::days(history_days.into())).date_naive();
        let plan = Plan {
            history_days,
            // Too short for the generator to plant something of its own into it.
            replay_days: 6,
            volume: 0.5,
            ..Plan::contoso(7, start)
        };
        let contoso = Self {
            folder: tempfile::Builder::new()
                .prefix("foretide-contoso-")
                .tempdir()?,
            workspace: Workspace::generate(&plan)?,
            now,
            today,
        };
        contoso.arrive(plan.span().start - TimeDelta::days(1), now)?;
        Ok(contoso)
    }

    /// Lets time go by until today: what has arrived since is appended to the export.
    ///
    /// # Errors
    /// When the export cannot be written.
    pub fn advance_to_today(&mut self) -> anyhow::Result<DateTime<Utc>> {
        self.arrive(self.now, self.today)?;
        self.now = self.today;
        Ok(self.now)
    }

    fn arrive(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> anyhow::Result<()> {
        append_arrivals(&self.workspace, self.export(), TimeSpan { start, end })?;
        Ok(())
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

    /// The use cases, with the capacity that the SOC has declared.
    pub(crate) fn use_cases() -> Value {
        let mut use_cases = UseCase::built_in();
        for use_case in &mut use_cases {
            if let Some(trigger) = &mut use_case.trigger {
                trigger.capacity = Some(DeclaredCapacity::PerWindow(CARRIED));
            }
        }
        json!(use_cases)
    }

    /// The exercises the SOC knows of, as the calendar configuration has them: those of the
    /// history, and one that begins tomorrow.
    pub(crate) fn campaigns(&self) -> Value {
        let start = self.today + TimeDelta::hours(ANNOUNCED_IN_HOURS);
        let ahead = json!({
            "name": "exercise announced for tomorrow",
            "start": start,
            "end": start + TimeDelta::hours(ANNOUNCED_FOR_HOURS),
        });
        self.workspace
            .events()
            .iter()
            .filter(|event| event.is_announced())
            .map(|event| {
                json!({
                    "name": event.name,
                    "start": event.span.start,
                    "end": event.span.end,
                })
            })
            .chain([ahead])
            .collect()
    }
}
