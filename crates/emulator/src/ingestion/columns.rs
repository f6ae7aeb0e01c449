//! Rows as a stream's declaration wants them: unknown columns are dropped, and a value that cannot
//! be of the column's type becomes null.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::config::{ColumnConfig, ColumnKind};

/// Longest text of a field, bytes; what is beyond is cut off.
const LONGEST_TEXT: usize = 64 * 1024;

/// Makes a row fit. Without a declaration it stays as it came.
pub(super) fn fit(row: &mut Value, columns: &[ColumnConfig]) {
    let Value::Object(given) = row else { return };
    if columns.is_empty() {
        return;
    }
    let mut given = std::mem::take(given);
    let fitted: Map<String, Value> = columns
        .iter()
        .map(|column| {
            let value = given.remove(&column.name).unwrap_or(Value::Null);
            (column.name.clone(), value_of(value, column.kind))
        })
        .collect();
    *row = Value::Object(fitted);
}

fn value_of(value: Value, kind: ColumnKind) -> Value {
    match kind {
        ColumnKind::Dynamic => value,
        ColumnKind::String => text(value),
        ColumnKind::Boolean => boolean(&value),
        ColumnKind::Int => whole(&value)
            .and_then(|number| i32::try_from(number).ok())
            .map_or(Value::Null, Value::from),
        ColumnKind::Long => whole(&value).map_or(Value::Null, Value::from),
        ColumnKind::Real => real(&value).map_or(Value::Null, Value::from),
        ColumnKind::Datetime => moment(&value).map_or(Value::Null, |moment| {
            moment.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        }),
        ColumnKind::Guid => value
            .as_str()
            .and_then(|text| text.parse::<uuid::Uuid>().ok())
            .map_or(Value::Null, |id| id.to_string().into()),
    }
}

fn text(value: Value) -> Value {
    let mut text = match value {
        Value::Null => return Value::Null,
        Value::String(text) => text,
        other => other.to_string(),
    };
    if text.len() > LONGEST_TEXT {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    }
    Value::String(text)
}

fn boolean(value: &Value) -> Value {
    match value {
        Value::Bool(_) => value.clone(),
        Value::Number(number) => number
            .as_i64()
            .map_or(Value::Null, |number| (number != 0).into()),
        Value::String(text) if text.eq_ignore_ascii_case("true") => true.into(),
        Value::String(text) if text.eq_ignore_ascii_case("false") => false.into(),
        _ => Value::Null,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fitted(value: &Value, kind: ColumnKind) -> Value {
        let name = "c".to_owned();
        let mut row = json!({ "c": value, "unknown": 1 });
        fit(&mut row, &[ColumnConfig { name, kind }]);
        assert_eq!(row.as_object().map(Map::len), Some(1), "{row}");
        row["c"].clone()
    }

    #[test]
    fn values_become_what_is_declared_or_null() {
        use ColumnKind::{Boolean, Datetime, Dynamic, Guid, Int, Long, Real, String};
        let id = "74be27de-1e4e-49d9-b579-fe0b331d3642";
        for (value, kind, wanted) in [
            (json!("x"), String, json!("x")),
            (json!(5), String, json!("5")),
            (json!({"a": 1}), String, json!("{\"a\":1}")),
            (json!(5), Int, json!(5)),
            (json!("5"), Int, json!(5)),
            (json!(3_000_000_000_i64), Int, json!(null)),
            (json!(3_000_000_000_i64), Long, json!(3_000_000_000_i64)),
            (json!(1.5), Long, json!(null)),
            (json!("many"), Long, json!(null)),
            (json!(1.5), Real, json!(1.5)),
            (json!("1.5"), Real, json!(1.5)),
            (json!([1]), Real, json!(null)),
            (json!(true), Boolean, json!(true)),
            (json!("False"), Boolean, json!(false)),
            (json!("yes"), Boolean, json!(null)),
            (json!({"a": [1]}), Dynamic, json!({"a": [1]})),
            (
                json!("2026-11-23T10:00:00+01:00"),
                Datetime,
                json!("2026-11-23T09:00:00Z"),
            ),
            (json!("yesterday"), Datetime, json!(null)),
            (json!(1_795_500_000), Datetime, json!(null)),
            (json!(id), Guid, json!(id)),
            (json!("no"), Guid, json!(null)),
            (json!(null), String, json!(null)),
        ] {
            assert_eq!(fitted(&value, kind), wanted, "{value} {kind:?}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "\u{e4}".repeat(LONGEST_TEXT);
        let cut = fitted(&json!(format!("a{long}")), ColumnKind::String);
        assert_eq!(cut.as_str().map(str::len), Some(LONGEST_TEXT - 1));
    }

    proptest! {
        #[test]
        fn text_never_panics(text in "\\PC{0,60}", number in any::<f64>()) {
            for kind in [ColumnKind::Int, ColumnKind::Long, ColumnKind::Real, ColumnKind::Datetime, ColumnKind::Guid, ColumnKind::Boolean] {
                fitted(&json!(text), kind);
                fitted(&json!(number), kind);
            }
        }
    }
}
