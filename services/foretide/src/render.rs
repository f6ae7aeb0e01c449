//! Tables for people, JSON for programs.

use comfy_table::{ContentArrangement, Table, presets};
use foretide_api::Timestamp;
use serde::Serialize;

use crate::cli::Format;

/// Prints rows as a table or values as JSON.
pub(crate) fn print<T: Serialize>(
    format: Format,
    items: &T,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> anyhow::Result<()> {
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(items)?),
        Format::Table => println!("{}", table(header, rows)),
    }
    Ok(())
}

/// A plain table.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().copied())
        .add_rows(rows.into_iter().map(|row| {
            row.into_iter()
                .map(|cell| printable(&cell))
                .collect::<Vec<_>>()
        }));
    table
}

/// Text from elsewhere without control characters, which could steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A moment to the minute, UTC.
pub(crate) fn minute(at: Option<Timestamp>) -> String {
    at.and_then(Timestamp::to_moment)
        .map_or_else(String::new, |moment| {
            moment.format("%Y-%m-%d %H:%M").to_string()
        })
}

/// Bytes in words, three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
