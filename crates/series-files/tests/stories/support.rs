//! Files to read, and what reading them says.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use foretide_series_files::{FillGaps, HistoryFile, HistoryOptions, HourlySeries, SeriesFileError};
use tempfile::TempDir;

/// A folder of files.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn with(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the folder can be written to");
        path
    }

    pub(crate) fn with_gzipped(&self, name: &str, text: &str) -> PathBuf {
        self.with(name, gzipped(text))
    }
}

pub(crate) fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(text.as_bytes())
        .expect("memory can be written to");
    encoder.finish().expect("memory can be written to")
}

/// A history of the given series, `hours` long from 1 January 2026 on, whose values count the hours.
pub(crate) fn counting(ids: &[&str], hours: usize) -> String {
    let mut text = "unique_id,ds,y\n".to_owned();
    for id in ids {
        for hour in 0..hours {
            text.push_str(&row(id, hour, &hour.to_string()));
        }
    }
    text
}

pub(crate) fn row(id: &str, hour: usize, y: &str) -> String {
    format!("{id},{},{y}\n", stamp(hour))
}

pub(crate) fn stamp(hour: usize) -> String {
    format!("2026-01-{:02} {:02}:00:00", 1 + hour / 24, hour % 24)
}

pub(crate) fn open(path: &Path) -> Result<HistoryFile, SeriesFileError> {
    HistoryFile::open(path, HistoryOptions::default())
}

pub(crate) fn open_filling(path: &Path, fill: FillGaps) -> Result<HistoryFile, SeriesFileError> {
    HistoryFile::open(
        path,
        HistoryOptions {
            fill_gaps: Some(fill),
            ..HistoryOptions::default()
        },
    )
}

pub(crate) fn series_of(history: &HistoryFile) -> Vec<HourlySeries> {
    let mut all = Vec::new();
    history
        .for_each::<SeriesFileError>(&mut |series| {
            all.push(series);
            Ok(())
        })
        .expect("the file was checked");
    all
}

/// What refusing `text` as a history says.
pub(crate) fn refusal_of(text: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    let path = folder.with("history.csv", text);
    open(&path).expect_err("the history was taken").to_string()
}

/// Fails unless a message names everything in `words`.
pub(crate) fn names(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
}
