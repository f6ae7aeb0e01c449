//! The small language of labels and conditions, with two meanings that must agree: as KQL, and over
//! a row that is at hand.

use std::borrow::Cow;

use crate::Row;
use crate::address::{ADDRESS, INTERNAL, canonical, is_internal};
use crate::row::trimmed;

/// A severity as it is counted, and the other ways of writing it. Case does not matter; what is none
/// of these, or missing, is counted as [`OTHER_SEVERITY`].
const SEVERITIES: [(&str, &[&str]); 3] = [
    ("High", &["High", "Critical"]),
    ("Medium", &["Medium"]),
    ("Low", &["Low"]),
];
const OTHER_SEVERITY: &str = "Informational";

/// The one way of writing a severity, if it is one that is counted.
#[must_use]
pub fn known_severity(text: &str) -> Option<&'static str> {
    let counted = SEVERITIES.map(|(severity, _)| severity);
    let mut counted = counted.into_iter().chain([OTHER_SEVERITY]);
    counted.find(|known| known.eq_ignore_ascii_case(text))
}

/// Something that gives a text for a row; missing is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// A column, written out, without spaces around it.
    Column(&'static str),
    /// As [`Text::Column`], in small letters: names that differ in case only are the same.
    Lower(&'static str),
    /// A column's IP address in the one way of writing it (all eight groups of IPv6, IPv4 mapped into
    /// it), without port, brackets and zone; empty when it is none.
    Address(&'static str),
    /// A column's severity: High, Medium, Low or Informational.
    Severity(&'static str),
    /// The first element of the list under a name in a `dynamic` column.
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
    /// As KQL. An address is bound before by [`Text::bindings`].
    #[must_use]
    pub fn kql(&self) -> String {
        match self {
            Self::Column(name) => format!(r#"trim(@"\s+", tostring({name}))"#),
            Self::Lower(name) => format!("tolower({})", Self::Column(name).kql()),
            Self::Address(name) => format!("{name}Canonical"),
            Self::Severity(name) => {
                let column = Self::Column(name).kql();
                let cases = SEVERITIES.map(|(severity, written)| {
                    let condition = one_of(&column, written);
                    format!("{condition}, \"{severity}\"")
                });
                format!("case({}, \"{OTHER_SEVERITY}\")", cases.join(", "))
            }
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

    /// What has to be bound before, as `extend` operators.
    #[must_use]
    pub fn bindings(&self) -> Vec<String> {
        let Self::Address(name) = self else {
            return Vec::new();
        };
        let column = Self::Column(name).kql();
        let bare = format!(
            r#"replace_regex(replace_regex(replace_regex({column}, @"^\[([^\]]*)\].*$", @"\1"), @"^([^:]*):[^:]*$", @"\1"), @"%.*$", "")"#
        );
        vec![
            format!("| extend {name}Bare = {bare}"),
            format!(
                "| extend {name}Canonical = iff({name}Bare matches regex @\"{ADDRESS}\" and not({name}Bare contains \":::\"), parse_ipv6({name}Bare), \"\")"
            ),
        ]
    }

    /// Of a row.
    #[must_use]
    pub fn of<'r>(&self, row: &'r dyn Row) -> Cow<'r, str> {
        let found = match self {
            Self::Column(name) => row.text(name),
            Self::Lower(name) => row.text(name).map(|text| text.to_lowercase().into()),
            Self::Address(name) => {
                let address = row.text(name).and_then(|text| canonical(&text));
                address.map(Cow::Owned)
            }
            Self::Severity(name) => {
                let text = row.text(name).unwrap_or_default();
                return Cow::Borrowed(severity(&text));
            }
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
        found.map(trimmed).unwrap_or_default()
    }

    /// The columns it reads.
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Column(name)
            | Self::Lower(name)
            | Self::Address(name)
            | Self::Severity(name)
            | Self::FirstListed(name) => vec![name],
            Self::FirstIn { column, .. } => vec![column],
            Self::Either(first, second) => [first.columns(), second.columns()].concat(),
        }
    }
}

/// How severities are counted, in a sentence.
pub(crate) fn severities() -> String {
    let written =
        SEVERITIES.map(|(severity, written)| format!("{severity} ({})", written.join(", ")));
    format!(
        "{}; all else, and none, is {OTHER_SEVERITY}",
        written.join(", ")
    )
}

fn severity(text: &str) -> &'static str {
    let known = SEVERITIES
        .iter()
        .find(|(_, written)| is_one_of(text, written));
    known.map_or(OTHER_SEVERITY, |(severity, _)| severity)
}

fn first_listed(text: &str) -> String {
    let decoration = |c: char| crate::row::is_space(c) || matches!(c, '[' | ']' | '"');
    let first = text.split(',').next().unwrap_or_default();
    first.trim_matches(decoration).to_owned()
}

fn is_one_of(text: &str, values: &[&str]) -> bool {
    values.iter().any(|value| value.eq_ignore_ascii_case(text))
}

/// Whether a KQL expression is one of some texts, whatever the case of its letters.
pub(crate) fn one_of(expression: &str, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("{expression} in~ ({})", values.join(", "))
}

/// Whether a thing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The text is one of these, whatever the case of its letters.
    OneOf(Text, &'static [&'static str]),
    /// The text is there and not this.
    Not(Text, &'static str),
    /// The text begins with this, to the letter.
    Starting(Text, &'static str),
    /// A column's list of labels (`{"labelName": …}`) has one of this name, to the letter.
    Labelled(&'static str, &'static str),
    /// The column holds an address outside: not private, local, for many or unset.
    External(&'static str),
    /// The column's number is at least this.
    AtLeast(&'static str, u32),
}

impl Condition {
    /// As KQL: true or false, never null.
    #[must_use]
    pub fn kql(&self) -> String {
        match self {
            Self::OneOf(text, values) => one_of(&text.kql(), values),
            Self::Not(text, value) => {
                let text = text.kql();
                format!("isnotempty({text}) and {text} != \"{value}\"")
            }
            Self::Starting(text, beginning) => {
                format!("{} startswith_cs \"{beginning}\"", text.kql())
            }
            Self::Labelled(column, name) => {
                format!(r#"tostring({column}) matches regex @"""labelName""\s*:\s*""{name}""""#)
            }
            Self::External(column) => {
                let address = Text::Address(column).kql();
                format!("isnotempty({address}) and not({address} matches regex @\"{INTERNAL}\")")
            }
            Self::AtLeast(column, least) => format!("coalesce({column}, 0) >= {least}"),
        }
    }

    /// Of a row.
    #[must_use]
    pub fn holds(&self, row: &dyn Row) -> bool {
        match self {
            Self::OneOf(text, values) => is_one_of(&text.of(row), values),
            Self::Not(text, value) => {
                let text = text.of(row);
                !text.is_empty() && text != *value
            }
            Self::Starting(text, beginning) => text.of(row).starts_with(beginning),
            Self::Labelled(column, name) => row.has_label(column, name),
            Self::External(column) => {
                let address = Text::Address(column).of(row);
                !address.is_empty() && !is_internal(&address)
            }
            Self::AtLeast(column, least) => row
                .number(column)
                .is_some_and(|number| number >= f64::from(*least)),
        }
    }

    /// The text that it reads, if it reads one.
    #[must_use]
    pub fn text(&self) -> Option<Text> {
        match self {
            Self::OneOf(text, _) | Self::Not(text, _) | Self::Starting(text, _) => Some(*text),
            Self::External(column) => Some(Text::Address(column)),
            Self::Labelled(..) | Self::AtLeast(..) => None,
        }
    }

    /// The columns it reads.
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Labelled(column, _) | Self::AtLeast(column, _) => vec![column],
            _ => self.text().map_or_else(Vec::new, |text| text.columns()),
        }
    }
}
