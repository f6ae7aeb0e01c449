//! The layout of Log Analytics data export.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Timelike, Utc};
use foretide_domain::{SentinelTable, TimeSpan, floor_hour};

use crate::rows::{Row, Workspace};

/// ARM id of the workspace that never was, lower-case as in exported paths.
const WORKSPACE_RESOURCE_ID: &str = "/subscriptions/c0470000-5e17-4e71-a000-000000000002\
/resourcegroups/contoso-synthetic/providers/microsoft.operationalinsights/workspaces/contoso-synthetic";

/// How far writing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportProgress {
    /// The table being written.
    pub table: SentinelTable,
    /// Rows written, all tables together.
    pub rows_done: usize,
    /// Rows there are to write.
    pub rows_total: usize,
}

/// An export that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder already holds an export; two of them would be read as one.
    #[error("{path} already holds an export: choose another folder or remove it", path = .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder could not be made or written.
    #[error("cannot write {path}", path = path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Writes the whole workspace as data export lays it out:
/// `am-<table>/WorkspaceResourceId=/subscriptions/.../y=2026/m=11/d=23/h=10/m=00/PT05M.json`.
///
/// A row stands in the folder of its `TimeGenerated`, after the rows that arrived before it. The
/// rows of an hour share the folder of its first five minutes: 12 times fewer files, same path.
///
/// # Errors
/// When the folder already holds an export, or a file cannot be written.
pub fn write_export(
    workspace: &Workspace,
    folder: &Path,
    progress: &mut dyn FnMut(ExportProgress),
) -> Result<(), ExportError> {
    if SentinelTable::ALL
        .iter()
        .any(|table| table_folder(folder, *table).exists())
    {
        return Err(ExportError::NotEmpty(folder.to_owned()));
    }
    append(workspace, folder, |_| true, progress)
}

/// Appends the rows that arrive within the span, as data export does while time goes by: late
/// rows are appended to the files of old hours.
///
/// # Errors
/// When a file cannot be written.
pub fn append_arrivals(
    workspace: &Workspace,
    folder: &Path,
    span: TimeSpan,
) -> Result<(), ExportError> {
    append(
        workspace,
        folder,
        |row| span.contains(row.arrived_at),
        &mut |_| {},
    )
}

fn append(
    workspace: &Workspace,
    folder: &Path,
    is_wanted: impl Fn(&Row) -> bool,
    progress: &mut dyn FnMut(ExportProgress),
) -> Result<(), ExportError> {
    let mut rows_done = 0;
    for table in SentinelTable::ALL {
        let table_folder = table_folder(folder, table);
        for (hour, lines) in by_hour(workspace.rows(table), &is_wanted) {
            write_hour(&table_folder, hour, &lines)?;
            rows_done += lines.len();
            progress(ExportProgress {
                table,
                rows_done,
                rows_total: workspace.row_count(),
            });
        }
    }
    Ok(())
}

fn by_hour<'a>(
    rows: &'a [Row],
    is_wanted: &impl Fn(&Row) -> bool,
) -> BTreeMap<DateTime<Utc>, Vec<&'a str>> {
    let mut hours: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_wanted(row)) {
        hours
            .entry(floor_hour(row.time_generated))
            .or_default()
            .push(&row.line);
    }
    hours
}

fn write_hour(table_folder: &Path, hour: DateTime<Utc>, lines: &[&str]) -> Result<(), ExportError> {
    let folder = table_folder.join(format!(
        "y={}/m={:02}/d={:02}/h={:02}/m=00",
        hour.year(),
        hour.month(),
        hour.day(),
        hour.hour()
    ));
    let file = folder.join("PT05M.json");
    let mut text = lines.join("\n");
    text.push('\n');
    let written = fs::create_dir_all(&folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&file))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| ExportError::Write { path: file, source })
}

fn table_folder(folder: &Path, table: SentinelTable) -> PathBuf {
    folder
        .join(format!("am-{}", table.name().to_lowercase()))
        .join(format!("WorkspaceResourceId={WORKSPACE_RESOURCE_ID}"))
}
