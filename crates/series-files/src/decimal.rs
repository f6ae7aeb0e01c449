//! Decimal points and commas.

use crate::error::{Place, SeriesFileError, quoted};
use crate::table::{Cell, Sampled, Table};

/// What parts whole numbers from their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// `12.5`
    Point,
    /// `12,5`
    Comma,
}

/// What is wrong with a number that has a point where fractions begin with commas.
pub(crate) const MIXED: &str = "a number with a point, in a column with decimal commas";

/// Judges a column of text: by all of it where its first rows have commas.
///
/// # Errors
/// When commas may as well part thousands.
pub(crate) fn judge(
    table: &Table,
    column: usize,
    head: &[Sampled],
    given: Option<Decimal>,
) -> Result<Decimal, SeriesFileError> {
    if let Some(given) = given {
        return Ok(given);
    }
    let is_comma = |value: &Sampled| matches!(value, Sampled::Text(text) if has_comma(text));
    if !head.iter().any(is_comma) {
        return Ok(Decimal::Point);
    }
    let (mut is_decimal, mut either) = (false, None);
    table.for_each(&[column], &mut |place, cells| {
        if let Cell::Text(text) = cells[0]
            && has_comma(text)
        {
            if is_grouped(text) {
                either.get_or_insert_with(|| (place, text.to_owned()));
            } else {
                is_decimal = true;
            }
        }
        Ok(())
    })?;
    match either {
        Some((place, text)) if !is_decimal => Err(ambiguous(table, column, place, &text)),
        _ => Ok(Decimal::Comma),
    }
}

fn ambiguous(table: &Table, column: usize, place: Place, text: &str) -> SeriesFileError {
    SeriesFileError::at(
        table.path(),
        place,
        &table.columns()[column],
        format!("{} may be a fraction or thousands", quoted(text)),
        "say that commas are decimal with --decimal comma, or write thousands without commas",
    )
}

/// Whether it is a number with one comma.
pub(crate) fn has_comma(text: &str) -> bool {
    text.split_once(',').is_some_and(|(whole, fraction)| {
        let whole = whole.strip_prefix('-').unwrap_or(whole);
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        are_digits(whole) && are_digits(fraction)
    })
}

/// Whether its comma may part thousands.
fn is_grouped(text: &str) -> bool {
    text.split_once(',').is_some_and(|(whole, fraction)| {
        let whole = whole.strip_prefix('-').unwrap_or(whole);
        fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0')
    })
}

/// A number with a decimal comma, written with a point; nothing when it has a point already.
pub(crate) fn plain(text: &str) -> Option<String> {
    (!text.contains('.')).then(|| text.replacen(',', ".", 1))
}
