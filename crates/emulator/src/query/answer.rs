//! Answers in the shape of Log Analytics.

use std::time::Duration;

use serde_json::{Value, json};

use crate::query::engine::{KustoAnswer, KustoTable};
use crate::query::generated::Scanned;

/// The most there may be of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) rows: usize,
    /// Bytes of the rows' values.
    pub(super) bytes: usize,
}

/// Renders an answer within limits; when there was more, it says so in an error beside what is there,
/// with status 200, as Log Analytics does.
pub(super) fn render(
    answer: KustoAnswer,
    limits: Limits,
    took: Option<Duration>,
    scanned: Option<Scanned>,
) -> Value {
    let mut tables = answer.tables;
    tables.truncate(1);
    let mut error = None;
    for table in &mut tables {
        if table.rows.len() > limits.rows {
            table.rows.truncate(limits.rows);
            error = Some(too_many_records(limits.rows));
        }
        let fitting = rows_within(&table.rows, limits.bytes);
        if fitting < table.rows.len() {
            table.rows.truncate(fitting);
            error = Some(too_many_bytes(limits.bytes));
        }
    }
    let rows = tables.first().map_or(0, |table| table.rows.len());
    let tables: Vec<Value> = tables.into_iter().map(render_table).collect();
    let mut body = json!({ "tables": tables });
    if let Some(took) = took {
        body["statistics"] = statistics(took, rows, &body["tables"], scanned);
    }
    if let Some(message) = error {
        body["error"] = partial_error(&message);
    }
    body
}

/// How many rows there are before their values take more than so many bytes.
fn rows_within(rows: &[Vec<Value>], bytes: usize) -> usize {
    let mut taken = 0;
    let fits = |row: &&Vec<Value>| {
        taken += row.iter().map(size).sum::<usize>();
        taken <= bytes
    };
    rows.iter().take_while(fits).count()
}

fn size(cell: &Value) -> usize {
    match cell {
        Value::String(text) => text.len(),
        Value::Object(_) | Value::Array(_) => cell.to_string().len(),
        _ => 8,
    }
}

fn statistics(took: Duration, rows: usize, tables: &Value, scanned: Option<Scanned>) -> Value {
    let mut query = json!({
        "executionTime": took.as_secs_f64(),
        "datasetStatistics": [{
            "tableRowCount": rows,
            "tableSize": tables.to_string().len(),
        }],
    });
    if let Some(scanned) = scanned {
        query["inputDatasetStatistics"] = json!({
            "rows": { "scanned": scanned.rows },
            "rowstores": { "scannedValuesSize": scanned.bytes },
        });
        query["dataProcessedKB"] = (scanned.bytes / 1024).into();
    }
    json!({ "query": query })
}

fn too_many_records(limit: usize) -> String {
    format!(
        "The results of this query exceed the set limit of {limit} records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
    )
}

fn too_many_bytes(limit: usize) -> String {
    format!(
        "The results of this query exceed the set limit of {limit} bytes, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
    )
}

fn partial_error(message: &str) -> Value {
    json!({
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [{
            "code": "EngineError",
            "message": "Something went wrong processing your query on the server.",
            "innererror": {
                "code": "-2133196797",
                "message": message,
                "severity": 2,
                "severityName": "Error",
            },
        }],
    })
}

fn render_table(table: KustoTable) -> Value {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .map(|column| json!({ "name": column.column_name, "type": column.column_type }))
        .collect();
    let rows: Vec<Vec<Value>> = table
        .rows
        .into_iter()
        .map(|row| row.into_iter().map(render_cell).collect())
        .collect();
    json!({ "name": "PrimaryResult", "columns": columns, "rows": rows })
}

/// `dynamic` cells are text that holds JSON.
fn render_cell(cell: Value) -> Value {
    match cell {
        Value::Object(_) | Value::Array(_) => Value::String(cell.to_string()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kusto() -> KustoAnswer {
        let kusto = r#"{"Tables":[{"TableName":"Table_0","Columns":[
            {"ColumnName":"n","DataType":"Int64","ColumnType":"long"},
            {"ColumnName":"Owner","DataType":"Object","ColumnType":"dynamic"}],
            "Rows":[[1,{"a":1}],[2,null]]}]}"#;
        serde_json::from_str(kusto).expect("a Kusto answer")
    }

    fn limits(rows: usize, bytes: usize) -> Limits {
        Limits { rows, bytes }
    }

    #[test]
    fn bytes_beyond_the_limit_are_a_partial_error_and_what_was_scanned_is_told() {
        let scanned = Scanned {
            rows: 12,
            bytes: 3400,
        };
        let answer = render(kusto(), limits(2, 16), Some(Duration::ZERO), Some(scanned));
        assert_eq!(answer["tables"][0]["rows"], json!([[1, "{\"a\":1}"]]));
        let message = answer["error"]["details"][0]["innererror"]["message"].as_str();
        assert!(message.is_some_and(|text| text.contains("16 bytes")));
        let input = &answer["statistics"]["query"]["inputDatasetStatistics"];
        assert_eq!(input["rows"]["scanned"], 12);
        assert_eq!(input["rowstores"]["scannedValuesSize"], 3400);
    }

    #[test]
    fn a_kusto_answer_becomes_a_log_analytics_answer() {
        assert_eq!(
            render(kusto(), limits(2, 1000), None, None),
            json!({ "tables": [{
                "name": "PrimaryResult",
                "columns": [{"name":"n","type":"long"},{"name":"Owner","type":"dynamic"}],
                "rows": [[1, "{\"a\":1}"], [2, null]],
            }]})
        );
    }

    #[test]
    fn rows_beyond_the_limit_are_a_partial_error_and_statistics_come_when_wanted() {
        let answer = render(
            kusto(),
            limits(1, 1000),
            Some(Duration::from_millis(250)),
            None,
        );
        assert_eq!(answer["tables"][0]["rows"], json!([[1, "{\"a\":1}"]]));
        assert_eq!(answer["error"]["code"], "PartialError");
        assert_eq!(
            answer["error"]["details"][0]["innererror"]["code"],
            "-2133196797"
        );
        assert_eq!(answer["statistics"]["query"]["executionTime"], 0.25);
        assert_eq!(
            answer["statistics"]["query"]["datasetStatistics"][0]["tableRowCount"],
            1
        );
    }
}
