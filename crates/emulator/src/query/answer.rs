//! Answers in the shape of Log Analytics.

use std::time::Duration;

use serde_json::{Value, json};

use crate::query::engine::{KustoAnswer, KustoTable};

/// Renders an answer of at most `limit` rows; when there were more, it says so in an error beside
/// them, with status 200, as Log Analytics does.
pub(super) fn render(answer: KustoAnswer, limit: usize, took: Option<Duration>) -> Value {
    let mut tables = answer.tables;
    tables.truncate(1);
    let whole = tables.first().map_or(0, |table| table.rows.len());
    for table in &mut tables {
        table.rows.truncate(limit);
    }
    let tables: Vec<Value> = tables.into_iter().map(render_table).collect();
    let mut body = json!({ "tables": tables });
    if let Some(took) = took {
        body["statistics"] = statistics(took, whole.min(limit), &body["tables"]);
    }
    if whole > limit {
        body["error"] = partial_error(limit);
    }
    body
}

fn statistics(took: Duration, rows: usize, tables: &Value) -> Value {
    json!({ "query": {
        "executionTime": took.as_secs_f64(),
        "datasetStatistics": [{
            "tableRowCount": rows,
            "tableSize": tables.to_string().len(),
        }],
    }})
}

fn partial_error(limit: usize) -> Value {
    let message = format!(
        "The results of this query exceed the set limit of {limit} records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
    );
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

    #[test]
    fn a_kusto_answer_becomes_a_log_analytics_answer() {
        assert_eq!(
            render(kusto(), 2, None),
            json!({ "tables": [{
                "name": "PrimaryResult",
                "columns": [{"name":"n","type":"long"},{"name":"Owner","type":"dynamic"}],
                "rows": [[1, "{\"a\":1}"], [2, null]],
            }]})
        );
    }

    #[test]
    fn rows_beyond_the_limit_are_a_partial_error_and_statistics_come_when_wanted() {
        let answer = render(kusto(), 1, Some(Duration::from_millis(250)));
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
