//! The small language of labels and conditions, with two meanings that must agree: as KQL, and over
//! a row that is at hand.

use std::borrow::Cow;

use crate::Row;
use crate::row::is_external;

/// Addresses inside, unset or for many, as a regular expression of KQL (RE2).
const INTERNAL: &str = r"^(0\.0\.0\.0$|255\.255\.255\.255$|10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|22[4-9]\.|23[0-9]\.|[fF][cdCDfF]|[fF][eE][89abAB]|::1?$)";
/// What an address looks like.
const ADDRESS: &str =
    r"^([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$";

/// Something that gives a text for a row; missing is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// A column, written out, without spaces around it.
    Column(&'static str),
    /// The first text of the list under a name in a `dynamic` column.
    FirstIn {
        /// The column.
        column: &'static str,
        /// The name.
        property: &'static str,
    },
    /// The first element of a column that holds a list as text: `A, B` or `["A","B"]`.
    FirstListed(&'static str),
    /// The first that is not empty.
    Either(&'static Text, &'static Text),
}

impl Text {
    /// As KQL.
    #[must_use]
    pub fn kql(&self) -> String {
        match self {
            Self::Column(name) => format!(r#"trim(@"\s+", tostring({name}))"#),
            Self::FirstIn { column, property } => {
                format!(r#"trim(@"\s+", tostring({column}.{property}[0]))"#)
            }
            Self::FirstListed(name) => {
                format!(r#"trim(@"[\s\[\]""]+", tostring(split({name}, ",")[0]))"#)
            }
            Self::Either(first, second) => {
                let first = first.kql();
                format!("iff(isempty({first}), {}, {first})", second.kql())
            }
        }
    }

    /// Of a row.
    #[must_use]
    pub fn of<'r>(&self, row: &'r dyn Row) -> Cow<'r, str> {
        let found = match self {
            Self::Column(name) => row.text(name),
            Self::FirstIn { column, property } => row.first_in(column, property),
            Self::FirstListed(name) => row.text(name).map(|text| Cow::Owned(first_listed(&text))),
            Self::Either(first, second) => {
                let first = first.of(row);
                if first.is_empty() {
                    return second.of(row);
                }
                Some(first)
            }
        };
        found.unwrap_or_default()
    }

    /// The columns it reads.
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Column(name) | Self::FirstListed(name) => vec![name],
            Self::FirstIn { column, .. } => vec![column],
            Self::Either(first, second) => [first.columns(), second.columns()].concat(),
        }
    }
}

fn first_listed(text: &str) -> String {
    let decoration = |c: char| c.is_whitespace() || matches!(c, '[' | ']' | '"');
    let first = text.split(',').next().unwrap_or_default();
    first.trim_matches(decoration).to_owned()
}

/// Whether a thing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The text is one of these, whatever the case of its letters.
    OneOf(Text, &'static [&'static str]),
    /// The text is there and not this.
    Not(Text, &'static str),
    /// The text does not begin with this, to the letter; it need not be there.
    NotStarting(Text, &'static str),
    /// The text is an address outside.
    External(Text),
    /// The column's number is at least this.
    AtLeast(&'static str, u32),
}

impl Condition {
    /// As KQL.
    #[must_use]
    pub fn kql(&self) -> String {
        match self {
            Self::OneOf(text, values) => {
                let values: Vec<String> =
                    values.iter().map(|value| format!("\"{value}\"")).collect();
                format!("{} in~ ({})", text.kql(), values.join(", "))
            }
            Self::Not(text, value) => {
                let text = text.kql();
                format!("isnotempty({text}) and {text} != \"{value}\"")
            }
            Self::NotStarting(text, beginning) => {
                format!("{} !startswith_cs \"{beginning}\"", text.kql())
            }
            Self::External(text) => {
                let text = text.kql();
                format!(
                    "{text} matches regex @\"{ADDRESS}\" and not({text} matches regex @\"{INTERNAL}\")"
                )
            }
            Self::AtLeast(column, least) => format!("{column} >= {least}"),
        }
    }

    /// Of a row.
    #[must_use]
    pub fn holds(&self, row: &dyn Row) -> bool {
        match self {
            Self::OneOf(text, values) => {
                let text = text.of(row);
                values.iter().any(|value| value.eq_ignore_ascii_case(&text))
            }
            Self::Not(text, value) => {
                let text = text.of(row);
                !text.is_empty() && text != *value
            }
            Self::NotStarting(text, beginning) => !text.of(row).starts_with(beginning),
            Self::External(text) => is_external(&text.of(row)),
            Self::AtLeast(column, least) => row
                .number(column)
                .is_some_and(|number| number >= f64::from(*least)),
        }
    }

    /// The columns it reads.
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::OneOf(text, _)
            | Self::Not(text, _)
            | Self::NotStarting(text, _)
            | Self::External(text) => text.columns(),
            Self::AtLeast(column, _) => vec![column],
        }
    }
}
