//! Tables, saved searches and summary rules of a workspace.

use serde_json::{Value, json};

use super::invalid;
use crate::answers::AzureError;

const TYPES: [&str; 8] = [
    "string", "int", "long", "real", "boolean", "dateTime", "guid", "dynamic",
];
const RESERVED: [&str; 7] = [
    "_ResourceId",
    "id",
    "_SubscriptionId",
    "TenantId",
    "Type",
    "UniqueId",
    "Title",
];
const BINS: [u64; 8] = [20, 30, 60, 120, 180, 360, 720, 1_440];

fn refused(message: impl Into<String>) -> AzureError {
    AzureError::bad_request("InvalidParameter", message)
}

pub(crate) fn check(name: &str, body: &Value, old: Option<&Value>) -> Result<(), AzureError> {
    let properties = &body["properties"];
    if !name.ends_with("_CL") || !(4..=63).contains(&name.len()) {
        return Err(refused(format!(
            "'{name}' is no name of a custom table: 4 to 63 characters, ending with _CL"
        )));
    }
    let schema = &properties["schema"];
    if schema["name"].as_str() != Some(name) {
        return Err(refused("properties.schema.name must be the table's name"));
    }
    let columns = schema["columns"].as_array().map_or(&[][..], Vec::as_slice);
    columns.iter().try_for_each(check_column)?;
    if !columns
        .iter()
        .any(|column| column["name"] == "TimeGenerated")
    {
        return Err(refused("a table needs the column TimeGenerated"));
    }
    for (name, most) in [("retentionInDays", 730), ("totalRetentionInDays", 4_383)] {
        let days = &properties[name];
        let is_good = days.is_null()
            || days
                .as_i64()
                .is_some_and(|n| n == -1 || (4..=most).contains(&n));
        if !is_good {
            return Err(refused(format!("{name} must be -1 or 4 to {most}")));
        }
    }
    check_against(columns, old)
}

fn check_column(column: &Value) -> Result<(), AzureError> {
    let name = column["name"].as_str().unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts_well || name.len() > 45 || RESERVED.contains(&name) {
        return Err(refused(format!("'{name}' cannot be the name of a column")));
    }
    let kind = column["type"].as_str().unwrap_or_default();
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    Err(refused(format!(
        "column {name} has the unknown type '{kind}'"
    )))
}

/// Columns keep their type for ever, and are not dropped by leaving them out.
fn check_against(columns: &[Value], old: Option<&Value>) -> Result<(), AzureError> {
    let before = old.and_then(|old| old.pointer("/properties/schema/columns"));
    let before = before.and_then(Value::as_array).into_iter().flatten();
    for column in before {
        let now = columns.iter().find(|now| now["name"] == column["name"]);
        let kind = |column: &Value| column["type"].as_str().unwrap_or_default().to_lowercase();
        if now.is_some_and(|now| kind(now) != kind(column)) {
            return Err(refused(format!(
                "the type of column {} cannot be changed",
                column["name"]
            )));
        }
    }
    Ok(())
}

/// Fills in what only the service sets.
pub(crate) fn complete(table: &mut Value) {
    let schema = &mut table["properties"]["schema"];
    schema["tableType"] = "CustomLog".into();
    schema["tableSubType"] = "DataCollectionRuleBased".into();
    schema["standardColumns"] = json!([
        { "name": "TenantId", "type": "guid" },
        { "name": "Type", "type": "string" },
        { "name": "_ResourceId", "type": "string" },
    ]);
    // the service spells types its own way
    for column in schema["columns"].as_array_mut().into_iter().flatten() {
        let kind = column["type"].as_str().unwrap_or_default();
        let spelt = TYPES.iter().find(|known| known.eq_ignore_ascii_case(kind));
        if let Some(spelt) = spelt {
            column["type"] = (*spelt).into();
        }
    }
}

pub(crate) fn check_summary_rule(body: &Value) -> Result<(), AzureError> {
    let rule = &body["properties"]["ruleDefinition"];
    if rule["query"].as_str().is_none_or(str::is_empty) {
        return Err(refused("ruleDefinition.query is required"));
    }
    if !rule["binSize"]
        .as_u64()
        .is_some_and(|size| BINS.contains(&size))
    {
        return Err(refused(format!(
            "ruleDefinition.binSize must be one of {BINS:?}"
        )));
    }
    if rule["destinationTable"]
        .as_str()
        .is_none_or(|table| !table.ends_with("_CL"))
    {
        return Err(refused("ruleDefinition.destinationTable must end with _CL"));
    }
    Ok(())
}

pub(crate) fn check_saved_search(body: &Value) -> Result<(), AzureError> {
    let properties = &body["properties"];
    for name in ["category", "displayName", "query"] {
        if properties[name].as_str().is_none_or(str::is_empty) {
            return Err(invalid(format!("properties.{name} is required")));
        }
    }
    Ok(())
}
