//! A row of a table, whatever it was read from.

use std::borrow::Cow;

use crate::declaration::{Flaw, Quantity, TableDeclaration, UNITS};

/// 2000-01-01T00:00:00Z, milliseconds since 1970.
pub const EARLIEST_MS: i64 = 946_684_800_000;
/// How long after it was logged a thing may have happened (clocks differ): a day, in milliseconds.
pub const SKEW_MS: i64 = 86_400_000;

/// A row by the names of its columns.
pub trait Row {
    /// The column as text; nothing when it is missing or empty.
    fn text(&self, column: &str) -> Option<Cow<'_, str>>;

    /// The column as a number; nothing when it is missing or none.
    fn number(&self, column: &str) -> Option<f64>;

    /// The column as a moment, milliseconds since 1970; nothing when it is missing or none.
    fn moment(&self, column: &str) -> Option<i64>;

    /// The first element, as text, of the list that an object in a column holds under a name.
    fn first_in(&self, column: &str, property: &str) -> Option<Cow<'_, str>>;

    /// Whether a column's list of objects has one whose `labelName` is this.
    fn has_label(&self, column: &str, name: &str) -> bool;
}

/// What `\s` is to KQL.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

/// A text without spaces around it.
pub(crate) fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_space)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(is_space).to_owned()),
    }
}

impl Quantity {
    /// Of a row, in the unit of its measure.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(self, row: &dyn Row) -> Result<f64, Flaw> {
        let number = row.number(self.column).ok_or(Flaw::MissingQuantity)?;
        if number < 0.0 {
            return Err(Flaw::NegativeQuantity);
        }
        let unit = self.unit.and_then(|unit| row.text(unit)).map(trimmed);
        let Some(unit) = unit.filter(|unit| !unit.is_empty()) else {
            return Ok(number);
        };
        let is_called = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(&unit));
        let (_, times, by) = UNITS
            .iter()
            .find(|(names, ..)| is_called(names))
            .ok_or(Flaw::UnknownUnit)?;
        Ok(number * f64::from(*times) / f64::from(*by))
    }
}

impl TableDeclaration {
    /// Why a row that was logged at `generated` (milliseconds since 1970) is set aside, and because of
    /// which column.
    #[must_use]
    pub fn flaw(&self, row: &dyn Row, generated: i64) -> Option<(Flaw, &'static str)> {
        let key = self.identity.key();
        if let Some(key) = key.filter(|key| crate::Text::Column(key).of(row).is_empty()) {
            return Some((Flaw::MissingIdentity, key));
        }
        let mut required = self.required.iter();
        if let Some(column) = required.find(|column| row.moment(column).is_none()) {
            return Some((Flaw::MissingTime, column));
        }
        let is_plausible = |moment| (EARLIEST_MS..=generated + SKEW_MS).contains(&moment);
        let mut moments = self.moments();
        if let Some(column) = moments.find(|name| !row.moment(name).is_none_or(is_plausible)) {
            return Some((Flaw::ImplausibleTime, column));
        }
        self.quantities()
            .find_map(|quantity| Some((quantity.of(row).err()?, quantity.column)))
    }
}
