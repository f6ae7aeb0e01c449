//! What is declared beside what is there. Only what is declared counts: what Azure adds is its own.

use serde_json::Value;

/// One place in which they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, e.g. `properties.severity`.
    pub path: String,
    /// As it is; `-` when it is missing.
    pub before: String,
    /// As it is declared.
    pub after: String,
}

/// Longest value that is shown.
const LONGEST_SHOWN: usize = 120;

/// Every place in which a resource differs from its declaration.
///
/// Azure spells some things its own way: ids and locations without regard to case, types of columns in
/// another spelling, empty lists and nulls left out, columns in another order, workbooks as a text in
/// another lay-out. None of that is a difference.
#[must_use]
pub fn differences(actual: &Value, declared: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(actual, declared, String::new(), &mut found);
    found
}

fn compare(actual: &Value, declared: &Value, path: String, found: &mut Vec<Difference>) {
    match (actual, declared) {
        (Value::Object(actual), Value::Object(declared)) => {
            for (name, value) in declared {
                let inner = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(
                    actual.get(name).unwrap_or(&Value::Null),
                    value,
                    inner,
                    found,
                );
            }
        }
        (Value::Array(actual), Value::Array(declared)) if is_named(declared) => {
            for value in declared {
                let name = &value["name"];
                let inner = format!("{path}[{}]", name.as_str().unwrap_or_default());
                let there = actual.iter().find(|item| item["name"] == *name);
                compare(there.unwrap_or(&Value::Null), value, inner, found);
            }
        }
        (Value::Array(actual), Value::Array(declared)) if actual.len() == declared.len() => {
            for (index, (actual, declared)) in actual.iter().zip(declared).enumerate() {
                compare(actual, declared, format!("{path}[{index}]"), found);
            }
        }
        _ if is_same(actual, declared, &path) => {}
        _ => found.push(Difference {
            path,
            before: shown(actual),
            after: shown(declared),
        }),
    }
}

/// Columns are told by name, not by place.
fn is_named(items: &[Value]) -> bool {
    !items.is_empty()
        && items
            .iter()
            .all(|item| item["name"].is_string() && item["type"].is_string())
}

fn is_same(actual: &Value, declared: &Value, path: &str) -> bool {
    match (actual, declared) {
        (Value::String(actual), Value::String(declared)) => {
            actual == declared
                || speaks_without_case(path, declared) && actual.eq_ignore_ascii_case(declared)
                || path.ends_with("location") && region(actual) == region(declared)
                || path.ends_with("serializedData") && parsed(actual) == parsed(declared)
                || path.ends_with("query") && lines(actual) == lines(declared)
        }
        (Value::Number(actual), Value::Number(declared)) => actual.as_f64() == declared.as_f64(),
        _ => actual == declared || is_nothing(actual) && is_nothing(declared),
    }
}

fn speaks_without_case(path: &str, declared: &str) -> bool {
    declared.starts_with("/subscriptions/") || path.ends_with("].type")
}

/// `West Europe` and `westeurope` are one region.
fn region(text: &str) -> String {
    text.replace(' ', "").to_ascii_lowercase()
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Lines without what ends them: Azure may change that.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_SHOWN {
        return text;
    }
    let kept: String = text.chars().take(LONGEST_SHOWN).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_azure_adds_or_spells_otherwise_is_no_difference() {
        let declared = json!({
            "location": "westeurope",
            "properties": {
                "id": "/subscriptions/A/x",
                "tactics": [],
                "threshold": 1,
                "schema": { "columns": [
                    { "name": "TimeGenerated", "type": "dateTime" },
                    { "name": "N", "type": "int" },
                ]},
                "serializedData": "{\"a\": 1}",
                "query": "T\n| take 1\n",
            },
        });
        let actual = json!({
            "id": "/x",
            "etag": "e",
            "location": "West Europe",
            "properties": {
                "id": "/subscriptions/a/X",
                "tactics": null,
                "threshold": 1.0,
                "schema": { "tableType": "CustomLog", "columns": [
                    { "name": "N", "type": "int", "isHidden": false },
                    { "name": "TimeGenerated", "type": "datetime" },
                    { "name": "Own", "type": "string" },
                ]},
                "serializedData": "{\"a\":1}",
                "query": "T\r\n| take 1",
                "provisioningState": "Succeeded",
            },
        });
        assert_eq!(differences(&actual, &declared), []);
    }

    #[test]
    fn a_difference_says_where_and_what() {
        let declared = json!({"properties": {"severity": "Medium", "list": [1, 2], "new": true}});
        let actual = json!({"properties": {"severity": "Low", "list": [1]}});
        let found = differences(&actual, &declared);
        let paths: Vec<&str> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(
            paths,
            ["properties.severity", "properties.list", "properties.new"]
        );
        assert_eq!(
            (found[0].before.as_str(), found[0].after.as_str()),
            ("Low", "Medium")
        );
        assert_eq!(found[2].before, "-");
    }

    #[test]
    fn a_query_that_differs_in_a_word_differs() {
        let declared = json!({"query": "T | take 1"});
        assert_eq!(
            differences(&json!({"query": "T | take 2"}), &declared).len(),
            1
        );
    }
}
