//! A line of JSON into the columns that are needed; everything else is skipped over.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Details, Reason, Record, Refusal, Scalar};

/// Reads a line: an object whose needed columns have the given names.
pub(crate) fn parse_line<'a, N: AsRef<str>>(
    line: &'a [u8],
    names: &[N],
) -> Result<Record<'a>, Refusal> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(Refusal::of_row(Reason::NotUtf8, line));
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let record = RecordSeed { names }
        .deserialize(&mut parser)
        .and_then(|record| parser.end().map(|()| record));
    record.map_err(|error| {
        let reason = if error.is_data() {
            Reason::NotAnObject
        } else {
            Reason::MalformedJson
        };
        Refusal::of_row(reason, line)
    })
}

struct RecordSeed<'n, N> {
    names: &'n [N],
}

impl<'de, N: AsRef<str>> DeserializeSeed<'de> for RecordSeed<'_, N> {
    type Value = Record<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Record<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, N: AsRef<str>> Visitor<'de> for RecordSeed<'_, N> {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        while let Some(key) = map.next_key_seed(TextSeed)? {
            match self.names.iter().position(|name| name.as_ref() == key) {
                Some(column) => record.values[column] = map.next_value_seed(ScalarSeed)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }
}

/// A text that is borrowed when it has no escapes.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "beyond i64 only the size matters"
        )]
        Ok(i64::try_from(number).map_or(Scalar::Real(number as f64), Scalar::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut first = list.next_element_seed(ScalarSeed)?.unwrap_or_default();
        while let Some(element) = list.next_element_seed(ScalarSeed)? {
            if let (Scalar::Details(first), Scalar::Details(other)) = (&mut first, element) {
                first.labels.extend(other.labels);
            }
        }
        Ok(first)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut details = Details::default();
        while let Some(key) = map.next_key_seed(TextSeed)? {
            match key.as_ref() {
                "alertProductNames" => details.product = map.next_value_seed(FirstSeed)?,
                "tactics" => details.tactic = map.next_value_seed(FirstSeed)?,
                "labelName" => {
                    if let Scalar::Text(name) = map.next_value_seed(ScalarSeed)? {
                        details.labels.push(name.into_owned());
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Scalar::Details(Box::new(details)))
    }
}

/// The first element of a list, written out; nothing when it is no list, or begins with nothing.
struct FirstSeed;

impl<'de> DeserializeSeed<'de> for FirstSeed {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FirstSeed {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let first = list.next_element_seed(ScalarSeed)?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(match first {
            Scalar::Text(text) => Some(text.into_owned()),
            Scalar::Integer(number) => Some(number.to_string()),
            _ => None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Reads nested data that arrived as a text holding JSON.
pub(super) fn parse_details(text: &str) -> Option<Details> {
    let mut parser = serde_json::Deserializer::from_str(text);
    match ScalarSeed.deserialize(&mut parser) {
        Ok(Scalar::Details(details)) => Some(*details),
        _ => None,
    }
}

impl Scalar<'_> {
    /// The needed part of a nested object, also when it arrived as a text holding JSON.
    pub(crate) fn details(&self) -> Details {
        match self {
            Self::Details(details) => details.as_ref().clone(),
            Self::Text(text) => parse_details(text).unwrap_or_default(),
            _ => Details::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 3] = ["TimeGenerated", "Severity", "AdditionalData"];

    #[test]
    fn needed_columns_are_read_and_others_skipped() {
        let line = br#"{"x":{"Severity":"no"},"Severity":"High","TimeGenerated":null,
            "AdditionalData":{"alertsCount":2,"alertProductNames":["A","B"],"tactics":["T1"]}}"#;
        let record = parse_line(line, &NAMES).expect("valid");
        assert_eq!(record.values[0], Scalar::Null);
        assert_eq!(record.values[1], Scalar::Text("High".into()));
        let expected = Details {
            product: Some("A".to_owned()),
            tactic: Some("T1".to_owned()),
            labels: Vec::new(),
        };
        assert_eq!(record.values[2].details(), expected);
    }

    #[test]
    fn nested_data_may_arrive_as_text() {
        let line = br#"{"AdditionalData":"{\"alertProductNames\":[\"A\"]}"}"#;
        let record = parse_line(line, &NAMES).expect("valid");
        assert_eq!(record.values[2].details().product.as_deref(), Some("A"));
    }

    #[test]
    fn every_label_of_a_list_is_read() {
        for labels in [
            r#"[{"labelName":"A","labelType":"User"},{"labelName":"B"}]"#,
            r#""[{\"labelName\":\"A\"},{\"labelName\":\"B\"}]""#,
        ] {
            let line = format!("{{\"AdditionalData\":{labels}}}");
            let record = parse_line(line.as_bytes(), &NAMES).expect("valid");
            assert_eq!(record.values[2].details().labels, ["A", "B"], "{line}");
        }
        for (details, product) in [
            (r#"{"alertProductNames":["","X"]}"#, Some("")),
            (r#"{"alertProductNames":[null,"X"]}"#, None),
            (r#"{"alertProductNames":"X"}"#, None),
            (r#"{"alertProductNames":[]}"#, None),
            (r#"{"alertProductNames":{"a":[1]}}"#, None),
        ] {
            let line = format!("{{\"AdditionalData\":{details}}}");
            let record = parse_line(line.as_bytes(), &NAMES).expect("valid");
            assert_eq!(
                record.values[2].details().product.as_deref(),
                product,
                "{line}"
            );
        }
    }

    #[test]
    fn broken_lines_are_told_apart() {
        let deep = "[".repeat(100_000);
        let cases: [(&[u8], Reason); 7] = [
            (b"{\"a\":", Reason::MalformedJson),
            (b"", Reason::MalformedJson),
            (b"[1]", Reason::NotAnObject),
            (b"17", Reason::NotAnObject),
            (b"{\"a\":1} trailing", Reason::MalformedJson),
            (b"{\"a\":\"\xff\"}", Reason::NotUtf8),
            (deep.as_bytes(), Reason::NotAnObject),
        ];
        for (line, reason) in cases {
            assert_eq!(parse_line(line, &NAMES).expect_err("broken").reason, reason);
        }
        let nested = format!("{{\"Severity\":{}", "[".repeat(100_000));
        let refusal = parse_line(nested.as_bytes(), &NAMES).expect_err("too deep");
        assert_eq!(refusal.reason, Reason::MalformedJson);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            parse_line(&line, &NAMES).ok();
        }

        #[test]
        fn a_text_value_comes_back(value in "\\PC*") {
            let line = serde_json::json!({"Severity": value}).to_string();
            let record = parse_line(line.as_bytes(), &NAMES).expect("valid");
            prop_assert_eq!(&record.values[1], &Scalar::Text(value.into()));
        }
    }
}
