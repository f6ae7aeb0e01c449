//! Custom tables: the one place that says which columns they have.

use foretide_sentinel_arm::ContentBody;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::body::body;
use crate::names::Mark;
use crate::pack::PackOptions;

const DECLARED: &str = include_str!("../content/tables.json");

/// The table that the summary rule fills. No stream leads to it.
pub(crate) const INCIDENTS: &str = "Foretide_Incidents_CL";

/// A custom table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDeclaration {
    /// Its name.
    pub name: String,
    /// What its rows are.
    pub description: String,
    /// Its columns.
    pub columns: Vec<ColumnDeclaration>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDeclaration {
    /// Its name.
    pub name: String,
    /// Its type in Azure Resource Manager's spelling (`dateTime`, `boolean`).
    #[serde(rename = "type")]
    pub kind: String,
    /// What it holds.
    pub description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    description: String,
    columns: Vec<ColumnDeclaration>,
}

/// The custom tables Foretide writes to.
///
/// # Panics
/// Never: the declarations are part of the crate and read by a test.
#[must_use]
pub fn tables() -> Vec<TableDeclaration> {
    let declared: Map<String, Value> =
        serde_json::from_str(DECLARED).expect("tables.json is an object");
    let tables = declared.into_iter().map(|(name, written)| {
        let written: Written = serde_json::from_value(written).expect("tables.json is well-formed");
        TableDeclaration {
            name,
            description: written.description,
            columns: written.columns,
        }
    });
    tables.collect()
}

impl TableDeclaration {
    pub(crate) fn body(&self, options: &PackOptions) -> ContentBody {
        let columns: Vec<Value> = self
            .columns
            .iter()
            .map(|column| {
                json!({
                    "name": column.name,
                    "type": column.kind,
                    "description": column.description,
                })
            })
            .collect();
        body(json!({ "properties": {
            "plan": "Analytics",
            "totalRetentionInDays": options.retention_days,
            "schema": {
                "name": self.name,
                "description": Mark::of(options).on_text(&self.description),
                "columns": columns,
            },
        }}))
    }

    /// The stream that leads to it.
    pub(crate) fn stream(&self) -> String {
        format!("Custom-{}", self.name)
    }

    /// Its columns as a data collection rule spells them.
    pub(crate) fn stream_columns(&self) -> Vec<Value> {
        let columns = self.columns.iter();
        columns
            .map(|column| {
                let kind = match column.kind.as_str() {
                    "dateTime" => "datetime",
                    // rules know no GUIDs
                    "guid" => "string",
                    other => other,
                };
                json!({ "name": column.name, "type": kind })
            })
            .collect()
    }
}
