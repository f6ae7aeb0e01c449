//! A row of a table, whatever it was read from.

use std::borrow::Cow;
use std::net::IpAddr;

/// A row by the names of its columns.
pub trait Row {
    /// The column as trimmed text; nothing when it is missing or empty.
    fn text(&self, column: &str) -> Option<Cow<'_, str>>;

    /// The column as a number; nothing when it is missing or none.
    fn number(&self, column: &str) -> Option<f64>;

    /// The first text of the list that an object in a column holds under a name.
    fn first_in(&self, column: &str, property: &str) -> Option<Cow<'_, str>>;
}

/// Whether a text is an address outside: not private, local, multicast or unset.
#[must_use]
pub fn is_external(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(v4)) => {
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_unspecified()
                || v4.is_broadcast())
        }
        Ok(IpAddr::V6(v6)) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local())
        }
        Err(_) => false,
    }
}
