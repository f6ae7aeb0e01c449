//! Why a row or an object is refused.

use std::fmt;

/// Longest sample kept of a refused row, characters.
const MAX_SAMPLE_CHARS: usize = 512;

/// Why a row or an object is in quarantine. The word is stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reason {
    MalformedJson,
    NotAnObject,
    NotUtf8,
    TruncatedLine,
    OversizedLine,
    OversizedField,
    MissingColumn,
    MissingTime,
    BadTime,
    UnclearDates,
    ImplausibleTime,
    MissingIdentity,
    WrongType,
    UnknownUnit,
    NegativeAmount,
    MalformedCsv,
    BrokenObject,
    OversizedObject,
}

impl Reason {
    /// The stored word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::NotAnObject => "not_an_object",
            Self::NotUtf8 => "not_utf8",
            Self::TruncatedLine => "truncated_line",
            Self::OversizedLine => "oversized_line",
            Self::OversizedField => "oversized_field",
            Self::MissingColumn => "missing_column",
            Self::MissingTime => "missing_time",
            Self::BadTime => "bad_time",
            Self::UnclearDates => "unclear_dates",
            Self::ImplausibleTime => "implausible_time",
            Self::MissingIdentity => "missing_identity",
            Self::WrongType => "wrong_type",
            Self::UnknownUnit => "unknown_unit",
            Self::NegativeAmount => "negative_amount",
            Self::MalformedCsv => "malformed_csv",
            Self::BrokenObject => "broken_object",
            Self::OversizedObject => "oversized_object",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A refused row: why, and as much of it as may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) sample: String,
}

impl Refusal {
    /// A refusal because of one column. Only columns that hold no identifiers are quoted.
    pub(crate) fn about(reason: Reason, column: &str, value: &str) -> Self {
        Self {
            reason,
            sample: clip(&format!("{column}: {value}")),
        }
    }

    /// A refusal of a whole row, of which only the shape may be kept.
    pub(crate) fn of_row(reason: Reason, raw: &[u8]) -> Self {
        Self {
            reason,
            sample: masked(raw),
        }
    }

    /// A refusal of a whole object.
    pub(crate) fn of_object(reason: Reason, problem: &str) -> Self {
        Self {
            reason,
            sample: clip(problem),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SAMPLE_CHARS)
        .collect()
}

/// The shape of a raw row: names of columns and punctuation stay; letters and digits of values
/// become `x` and `9`, since they may name people, machines or addresses.
fn masked(raw: &[u8]) -> String {
    let cut = &raw[..raw.len().min(4 * MAX_SAMPLE_CHARS)];
    let text = String::from_utf8_lossy(cut);
    let mut sample = String::with_capacity(MAX_SAMPLE_CHARS);
    let mut rest = text.as_ref();
    while let Some(start) = rest.find('"') {
        sample.push_str(&hidden(&rest[..start]));
        let inner = &rest[start + 1..];
        let Some(length) = inner.find('"') else {
            sample.push('"');
            sample.push_str(&hidden(inner));
            return clip(&sample);
        };
        let (name, after) = (&inner[..length], &inner[length + 1..]);
        let is_column =
            after.starts_with(':') && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        sample.push('"');
        if is_column {
            sample.push_str(name);
        } else {
            sample.push_str(&hidden(name));
        }
        sample.push('"');
        rest = after;
    }
    sample.push_str(&hidden(rest));
    clip(&sample)
}

fn hidden(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_numeric() => '9',
            c if c.is_alphabetic() => 'x',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sample_keeps_the_shape_and_no_identifier() {
        let raw =
            br#"{"IPAddress":"198.51.100.7","UserPrincipalName":"ada@contoso.example","n":17"#;
        let sample = masked(raw);
        assert_eq!(
            sample,
            r#"{"IPAddress":"999.99.999.9","UserPrincipalName":"xxx@xxxxxxx.xxxxxxx","x":99"#
                .replace("\"x\":", "\"n\":")
        );
    }

    proptest! {
        #[test]
        fn a_sample_is_short_and_free_of_control_characters(raw in prop::collection::vec(any::<u8>(), 0..5000)) {
            let sample = masked(&raw);
            prop_assert!(sample.chars().count() <= MAX_SAMPLE_CHARS);
            prop_assert!(!sample.chars().any(char::is_control));
        }
    }
}
