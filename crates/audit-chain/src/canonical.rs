//! One text for one JSON value.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A text that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not valid json")]
pub struct CanonicalJsonError(#[from] serde_json::Error);

/// JSON without insignificant white space, object keys sorted by their bytes: the form that is hashed.
///
/// Once made, the text is kept as it is: hashes are over the text, never over a parsed and printed
/// copy of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct CanonicalJson(String);

impl CanonicalJson {
    /// The canonical text of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut text = String::new();
        write_value(value, &mut text);
        Self(text)
    }

    /// The canonical text of anything that serialises to JSON.
    ///
    /// # Errors
    /// When it does not, e.g. because a map's keys are not texts.
    pub fn of_serializable(value: &impl Serialize) -> Result<Self, CanonicalJsonError> {
        Ok(Self::of(&serde_json::to_value(value)?))
    }

    /// Takes a text that was canonical when it was stored, as it is: whether it still is what was
    /// hashed is for the hash to say.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CanonicalJson {
    type Err = CanonicalJsonError;

    fn from_str(text: &str) -> Result<Self, CanonicalJsonError> {
        Ok(Self::of(&serde_json::from_str(text)?))
    }
}

impl fmt::Display for CanonicalJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CanonicalJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_stored)
    }
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|left, right| left.0.cmp(right.0));
            write_list(sorted, text, ['{', '}'], |(key, value), text| {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_value(value, text);
            });
        }
        Value::Array(items) => write_list(items, text, ['[', ']'], write_value),
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    text: &mut String,
    [open, close]: [char; 2],
    mut write_item: impl FnMut(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_item(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_keys_at_every_depth_and_keeps_the_order_of_lists() {
        let canonical: CanonicalJson =
            r#" {"b": [2, 1, {"z": null, "a": "\u00e9\n"}], "a": 1.50} "#
                .parse()
                .unwrap();
        assert_eq!(
            canonical.as_str(),
            "{\"a\":1.5,\"b\":[2,1,{\"a\":\"é\\n\",\"z\":null}]}"
        );
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in ["", "{", "{\"a\":1}x", "NaN"] {
            assert!(text.parse::<CanonicalJson>().is_err(), "{text:?}");
        }
    }
}
