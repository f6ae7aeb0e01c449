//! The body of an answer into a typed table.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::Statistics;

/// A value of a cell, by the type of its column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Null.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int` and `long`.
    Integer(i64),
    /// `real` and `decimal`; may be infinite or not a number.
    Real(f64),
    /// `datetime`.
    Moment(DateTime<Utc>),
    /// `string`, `guid` and `timespan`.
    Text(String),
    /// `dynamic`.
    Dynamic(Value),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's name as the service writes it: `datetime`, `string`, `long` ...
    #[serde(rename = "type")]
    pub kind: String,
}

/// The result of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows; each has a cell for every column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Where a column stands.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// The result of a query and what it has cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The result.
    pub table: Table,
    /// The cost.
    pub statistics: Statistics,
}

/// A body that is no answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not JSON of the expected shape.
    #[error("the body is not a query answer: {0}")]
    Malformed(String),
    /// No table called `PrimaryResult`, and not exactly one table.
    #[error("the answer has no primary table")]
    NoTable,
    /// A row has more or fewer cells than there are columns.
    #[error("row {row} has {cells} cells for {columns} columns")]
    RaggedRow {
        /// Which row, from 0.
        row: usize,
        /// Cells it has.
        cells: usize,
        /// Columns there are.
        columns: usize,
    },
    /// A cell is not of its column's type.
    #[error("row {row}, column {column}: not a {kind}")]
    WrongType {
        /// Which row, from 0.
        row: usize,
        /// Which column.
        column: String,
        /// The type it should have.
        kind: String,
    },
    /// Tables and an error: the rows are not all there are.
    #[error("{0}")]
    Partial(String),
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    tables: Vec<RawTable>,
    error: Option<Value>,
    statistics: Option<Value>,
}

#[derive(Deserialize)]
struct RawTable {
    #[serde(default)]
    name: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

/// Reads the body of an answer of status 200.
///
/// # Errors
/// Says where the body is not what it should be; [`AnswerError::Partial`] when it carries an error.
pub fn parse_answer(body: &[u8]) -> Result<Answer, AnswerError> {
    let bytes_answered = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| AnswerError::Malformed(clip(&error.to_string())))?;
    if let Some(error) = body.error.filter(|error| !error.is_null()) {
        return Err(AnswerError::Partial(innermost_message(&error)));
    }
    let mut tables = body.tables;
    let primary = tables
        .iter()
        .position(|table| table.name == "PrimaryResult");
    let table = match (primary, tables.len()) {
        (Some(at), _) => tables.swap_remove(at),
        (None, 1) => tables.swap_remove(0),
        _ => return Err(AnswerError::NoTable),
    };
    let columns = table.columns;
    let rows = table
        .rows
        .into_iter()
        .enumerate()
        .map(|(row, cells)| read_row(row, cells, &columns))
        .collect::<Result<_, _>>()?;
    Ok(Answer {
        table: Table { columns, rows },
        statistics: Statistics::read(body.statistics.as_ref(), bytes_answered),
    })
}

fn read_row(row: usize, cells: Vec<Value>, columns: &[Column]) -> Result<Vec<Cell>, AnswerError> {
    if cells.len() != columns.len() {
        return Err(AnswerError::RaggedRow {
            row,
            cells: cells.len(),
            columns: columns.len(),
        });
    }
    cells
        .into_iter()
        .zip(columns)
        .map(|(cell, column)| {
            read_cell(cell, &column.kind).ok_or_else(|| AnswerError::WrongType {
                row,
                column: clip(&column.name),
                kind: clip(&column.kind),
            })
        })
        .collect()
}

fn read_cell(cell: Value, kind: &str) -> Option<Cell> {
    if cell.is_null() {
        return Some(Cell::Null);
    }
    match kind {
        "bool" => match &cell {
            Value::Bool(flag) => Some(Cell::Bool(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(0) => Some(Cell::Bool(false)),
                Some(1) => Some(Cell::Bool(true)),
                _ => None,
            },
            _ => None,
        },
        "int" | "long" => cell.as_i64().map(Cell::Integer),
        "real" | "decimal" => real(&cell).map(Cell::Real),
        "datetime" => cell.as_str().and_then(moment).map(Cell::Moment),
        "dynamic" => Some(Cell::Dynamic(match cell {
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            other => other,
        })),
        // string, guid, timespan, and whatever may come
        _ => match cell {
            Value::String(text) => Some(Cell::Text(text)),
            _ => None,
        },
    }
}

fn real(cell: &Value) -> Option<f64> {
    match cell {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => None,
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(naive.and_utc())
}

/// The most telling message: the deepest one.
pub(crate) fn innermost_message(error: &Value) -> String {
    let mut message = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let code = error.get("code").and_then(Value::as_str);
        let text = error.get("message").and_then(Value::as_str);
        match (code, text) {
            (Some(code), Some(text)) => message = format!("{code}: {text}"),
            (Some(only), None) | (None, Some(only)) => only.clone_into(&mut message),
            (None, None) => {}
        }
        let detail = error.get("details").and_then(|details| details.get(0));
        next = error.get("innererror").or(detail);
    }
    clip(&message)
}

pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(columns: &Value, rows: &Value) -> Vec<u8> {
        let table = json!({"name": "PrimaryResult", "columns": columns, "rows": rows});
        json!({"tables": [table]}).to_string().into_bytes()
    }

    #[test]
    fn cells_have_the_type_of_their_column() {
        let columns = json!([
            {"name": "t", "type": "datetime"}, {"name": "n", "type": "long"}, {"name": "b", "type": "bool"},
            {"name": "r", "type": "real"}, {"name": "d", "type": "dynamic"}, {"name": "s", "type": "string"}
        ]);
        let rows = json!([
            [
                "2026-11-22T11:00:00.1234567Z",
                9,
                1,
                "NaN",
                "{\"a\":1}",
                "x"
            ],
            [null, null, null, null, null, null]
        ]);
        let table = parse_answer(&answer(&columns, &rows)).unwrap().table;
        assert_eq!(table.rows[0][1], Cell::Integer(9));
        assert_eq!(table.rows[0][2], Cell::Bool(true));
        assert!(matches!(table.rows[0][3], Cell::Real(nan) if nan.is_nan()));
        assert_eq!(table.rows[0][4], Cell::Dynamic(json!({"a": 1})));
        assert!(table.rows[1].iter().all(|cell| *cell == Cell::Null));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let columns = json!([{"name": "n", "type": "long"}]);
        let wrong = parse_answer(&answer(&columns, &json!([["many"]]))).unwrap_err();
        assert!(wrong.to_string().contains("column n"), "{wrong}");
        let ragged = parse_answer(&answer(&columns, &json!([[1, 2]]))).unwrap_err();
        assert!(matches!(
            ragged,
            AnswerError::RaggedRow {
                row: 0,
                cells: 2,
                columns: 1
            }
        ));
        assert_eq!(parse_answer(b"{}").unwrap_err(), AnswerError::NoTable);
        assert!(matches!(
            parse_answer(b"<html>"),
            Err(AnswerError::Malformed(_))
        ));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
            parse_answer(&body).ok();
        }

        #[test]
        fn no_cell_makes_it_panic(
            kind in prop_oneof![Just("bool"), Just("long"), Just("real"), Just("datetime"), Just("dynamic"), Just("string"), Just("guid")],
            cell in prop_oneof![any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), "\\PC{0,30}".prop_map(Value::from)],
        ) {
            parse_answer(&answer(&json!([{"name": "c", "type": kind}]), &json!([[cell]]))).ok();
        }

        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<i64>(), 0..20)) {
            let rows: Vec<_> = values.iter().map(|value| json!([value])).collect();
            let table = parse_answer(&answer(&json!([{"name": "n", "type": "long"}]), &json!(rows))).unwrap().table;
            let read: Vec<_> = table.rows.into_iter().map(|row| row[0].clone()).collect();
            prop_assert_eq!(read, values.into_iter().map(Cell::Integer).collect::<Vec<_>>());
        }
    }
}
