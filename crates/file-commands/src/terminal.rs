//! What a terminal shows.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use foretide_series_files::is_standard;
use indicatif::{ProgressBar, ProgressStyle};

/// Where words for people go: to the standard output, unless a table does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    is_taken: bool,
}

impl Screen {
    /// Beside results that go to a place.
    pub(crate) fn beside(output: Option<&Path>) -> Self {
        Self {
            is_taken: output.is_some_and(is_standard),
        }
    }

    pub(crate) fn say(self, words: impl Display) {
        if self.is_taken {
            eprintln!("{words}");
        } else {
            println!("{words}");
        }
    }
}

/// Something to know about a file that is read nevertheless.
pub(crate) fn note(file: &Path, words: &str) {
    eprintln!("note: {}: {}", file.display(), printable(words));
}

/// A table for people.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    let rows = rows
        .into_iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().copied())
        .add_rows(rows);
    table
}

/// Text from a file without control characters, which could steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// A bar that a terminal shows and a file does not.
pub(crate) fn progress_bar(expected: usize) -> ProgressBar {
    let bar = ProgressBar::new(expected as u64);
    let style = ProgressStyle::with_template("{spinner} [{bar:28}] {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
