//! As much of `OData` filters as Sentinel's lists are asked with: comparisons, `contains`, `and`, `or`,
//! brackets.

use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::Value;

/// A filter that was understood.
#[derive(Debug, PartialEq)]
pub(crate) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(String, String, String),
    Contains(String, String),
}

/// How deep brackets may go.
const DEEPEST: usize = 32;

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = words_of(text)?;
        words.reverse();
        let filter = either(&mut words, 0)?;
        match words.last() {
            None => Ok(filter),
            Some(word) => Err(format!("unexpected '{word}'")),
        }
    }

    pub(crate) fn matches(&self, item: &Value) -> bool {
        match self {
            Self::And(one, other) => one.matches(item) && other.matches(item),
            Self::Or(one, other) => one.matches(item) || other.matches(item),
            Self::Contains(path, part) => {
                let found = text_at(item, path).to_lowercase();
                found.contains(&part.to_lowercase())
            }
            Self::Compare(path, operator, literal) => {
                let ordering = compare(&text_at(item, path), literal);
                match operator.as_str() {
                    "eq" => ordering == Ordering::Equal,
                    "ne" => ordering != Ordering::Equal,
                    "gt" => ordering == Ordering::Greater,
                    "ge" => ordering != Ordering::Less,
                    "lt" => ordering == Ordering::Less,
                    _ => ordering != Ordering::Greater,
                }
            }
        }
    }
}

fn text_at(item: &Value, path: &str) -> String {
    match item.pointer(&format!("/{path}")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Moments by time, numbers by size, anything else as text.
fn compare(one: &str, other: &str) -> Ordering {
    let moments = (
        DateTime::parse_from_rfc3339(one),
        DateTime::parse_from_rfc3339(other),
    );
    if let (Ok(one), Ok(other)) = moments {
        return one.cmp(&other);
    }
    if let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) {
        return one.total_cmp(&other);
    }
    one.cmp(other)
}

fn words_of(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '(' | ')' | ',' => (first.to_string(), &rest[1..]),
            '\'' => literal(&rest[1..])?,
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || "(),".contains(c))
                    .unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

/// A quoted text; a doubled quote within it is one quote. It keeps a quote in front, to be told from a
/// name.
fn literal(text: &str) -> Result<(String, &str), String> {
    let mut value = "'".to_owned();
    let mut rest = text;
    loop {
        let end = rest.find('\'').ok_or("a quote is not closed")?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Ok((value, rest)),
        }
    }
}

fn either(words: &mut Vec<String>, depth: usize) -> Result<Filter, String> {
    let mut filter = both(words, depth)?;
    while words.last().is_some_and(|word| word == "or") {
        words.pop();
        filter = Filter::Or(Box::new(filter), Box::new(both(words, depth)?));
    }
    Ok(filter)
}

fn both(words: &mut Vec<String>, depth: usize) -> Result<Filter, String> {
    let mut filter = term(words, depth)?;
    while words.last().is_some_and(|word| word == "and") {
        words.pop();
        filter = Filter::And(Box::new(filter), Box::new(term(words, depth)?));
    }
    Ok(filter)
}

fn term(words: &mut Vec<String>, depth: usize) -> Result<Filter, String> {
    let mut next = || words.pop().ok_or_else(|| "it ends too early".to_owned());
    let unquoted = |word: String| word.strip_prefix('\'').map_or(word.clone(), str::to_owned);
    let first = next()?;
    if first == "(" {
        if depth >= DEEPEST {
            return Err("brackets go too deep".to_owned());
        }
        let filter = either(words, depth + 1)?;
        return match words.pop().as_deref() {
            Some(")") => Ok(filter),
            _ => Err("a bracket is not closed".to_owned()),
        };
    }
    if first == "contains" {
        let parts = [next()?, next()?, next()?, next()?, next()?];
        let [open, path, comma, part, close] = parts;
        return match (open.as_str(), comma.as_str(), close.as_str()) {
            ("(", ",", ")") => Ok(Filter::Contains(path, unquoted(part))),
            _ => Err("contains takes a property and a text".to_owned()),
        };
    }
    let (operator, value) = (next()?, next()?);
    if !["eq", "ne", "gt", "ge", "lt", "le"].contains(&operator.as_str()) {
        return Err(format!("unknown operator '{operator}'"));
    }
    Ok(Filter::Compare(first, operator, unquoted(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn matches(filter: &str) -> bool {
        let item = json!({"properties": {"status": "New", "title": "It's busy", "n": 12,
            "createdTimeUtc": "2026-11-23T10:00:00.1234567Z"}});
        Filter::parse(filter).unwrap().matches(&item)
    }

    #[test]
    fn filters_do_what_they_say() {
        assert!(matches("properties/status eq 'New'"));
        assert!(matches("properties/title eq 'It''s busy'"));
        assert!(matches("contains(properties/title, 'BUSY')"));
        assert!(matches(
            "(properties/status eq 'Active' or properties/status eq 'New') and properties/n gt 9"
        ));
        assert!(matches("properties/createdTimeUtc ge 2026-11-23T10:00:00Z"));
        assert!(!matches(
            "properties/createdTimeUtc lt 2026-11-23T10:00:00Z"
        ));
        assert!(!matches("properties/status ne 'New'"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            "(",
            "a",
            "a eq",
            "a like 'b'",
            "a eq 'b",
            "(a eq 'b'",
            "a eq 'b' x",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&"(".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,200}") {
            let parsed = Filter::parse(&text);
            prop_assert!(parsed.is_ok() || parsed.is_err());
        }
    }
}
