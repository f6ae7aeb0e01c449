//! What a terminal shows.

use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

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
