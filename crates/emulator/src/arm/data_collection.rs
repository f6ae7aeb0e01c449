//! Data collection rules and endpoints, workbooks.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answers::AzureError;
use crate::config::{RuleConfig, StreamConfig};
use crate::state::State;

const TYPES: [&str; 7] = [
    "string", "int", "long", "real", "boolean", "dynamic", "datetime",
];

fn invalid_payload(message: impl Into<String>) -> AzureError {
    AzureError::bad_request("InvalidPayload", message)
}

pub(crate) fn check_location(body: &Value) -> Result<(), AzureError> {
    match body["location"].as_str() {
        Some(location) if !location.is_empty() => Ok(()),
        _ => Err(AzureError::bad_request(
            "LocationRequired",
            "The location property is required for this definition.",
        )),
    }
}

pub(crate) fn check_rule(
    state: &State,
    body: &Value,
    old: Option<&Value>,
) -> Result<(), AzureError> {
    check_location(body)?;
    if let Some(old) = old
        && old["kind"] != body["kind"]
    {
        return Err(invalid_payload(
            "The kind of a data collection rule cannot be changed after it was created.",
        ));
    }
    let properties = &body["properties"];
    let endpoint = properties["dataCollectionEndpointId"].as_str();
    if body["kind"] != "Direct" && endpoint.is_none() {
        return Err(invalid_payload(
            "'dataCollectionEndpointId' is required unless the kind is Direct.",
        ));
    }
    if endpoint.is_some_and(|id| state.arm.find(id).is_none()) {
        return Err(invalid_payload(
            "The data collection endpoint does not exist.",
        ));
    }
    let streams = properties["streamDeclarations"].as_object();
    for (stream, declared) in streams.into_iter().flatten() {
        let columns = declared["columns"].as_array().into_iter().flatten();
        for column in columns {
            let kind = column["type"].as_str().unwrap_or_default();
            if !stream.starts_with("Custom-") || !TYPES.contains(&kind) {
                let message = format!("Stream {stream} has column {column} of an unknown type.");
                return Err(invalid_payload(message));
            }
        }
    }
    check_destinations(state, properties)?;
    check_flows(state, properties)
}

fn check_destinations(state: &State, properties: &Value) -> Result<(), AzureError> {
    let workspace = state.config.arm.workspace_resource();
    let destinations = properties["destinations"]["logAnalytics"].as_array();
    let Some(destinations) = destinations.filter(|all| !all.is_empty()) else {
        return Err(invalid_payload(
            "destinations.logAnalytics must not be empty.",
        ));
    };
    let is_ours = |destination: &Value| {
        destination["workspaceResourceId"]
            .as_str()
            .is_some_and(|id| id.eq_ignore_ascii_case(&workspace))
    };
    if destinations.iter().all(is_ours) {
        return Ok(());
    }
    Err(AzureError::new(
        StatusCode::BAD_REQUEST,
        "InvalidWorkspace",
        "A destination is not a workspace that exists.",
    ))
}

fn check_flows(state: &State, properties: &Value) -> Result<(), AzureError> {
    let destinations = properties["destinations"]["logAnalytics"].as_array();
    let is_known = |name: &Value| {
        let mut all = destinations.into_iter().flatten();
        all.any(|destination| destination["name"] == *name)
    };
    for flow in properties["dataFlows"].as_array().into_iter().flatten() {
        let streams = flow["streams"].as_array().into_iter().flatten();
        for stream in streams.filter_map(Value::as_str) {
            if properties["streamDeclarations"].get(stream).is_none() {
                let message = format!("Stream {stream} is not declared.");
                return Err(invalid_payload(message));
            }
        }
        let to = flow["destinations"].as_array().into_iter().flatten();
        if let Some(unknown) = to.clone().find(|name| !is_known(name)) {
            return Err(invalid_payload(format!(
                "Destination {unknown} is not declared."
            )));
        }
        let table = flow["outputStream"].as_str().unwrap_or_default();
        let table = table.strip_prefix("Custom-").unwrap_or(table);
        let id = format!("{}/tables/{table}", state.config.arm.workspace_resource());
        if table.ends_with("_CL") && state.arm.find(&id).is_none() {
            return Err(AzureError::bad_request(
                "InvalidOutputTable",
                format!(
                    "Table for output stream 'Custom-{table}' is not available for destination."
                ),
            ));
        }
    }
    Ok(())
}

/// Fills in what only the service sets.
pub(crate) fn complete_rule(origin: &str, rule: &mut Value) {
    let id = rule["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    let identifier = Uuid::new_v5(&Uuid::NAMESPACE_URL, id.as_bytes());
    let is_direct = rule["kind"] == "Direct";
    let properties = &mut rule["properties"];
    properties["immutableId"] = format!("dcr-{}", identifier.simple()).into();
    if is_direct {
        properties["endpoints"] = json!({ "logsIngestion": origin });
    }
}

pub(crate) fn complete_endpoint(origin: &str, endpoint: &mut Value) {
    endpoint["properties"]["logsIngestion"] = json!({ "endpoint": origin });
}

pub(crate) fn check_workbook(name: &str, body: &Value) -> Result<(), AzureError> {
    check_location(body)?;
    if Uuid::parse_str(name).is_err() {
        return Err(invalid_payload("The name of a workbook must be a GUID."));
    }
    let properties = &body["properties"];
    let content = properties["serializedData"].as_str().unwrap_or_default();
    if serde_json::from_str::<Value>(content).is_err() {
        return Err(invalid_payload("serializedData must be JSON as a text."));
    }
    if properties["displayName"].as_str().is_none_or(str::is_empty) {
        return Err(invalid_payload("displayName is required."));
    }
    Ok(())
}

/// A rule that was made through Azure Resource Manager, by its immutable id.
pub(crate) fn rule_of(state: &State, immutable_id: &str) -> Option<RuleConfig> {
    let rules = state.arm.all("Microsoft.Insights/dataCollectionRules");
    let rule = rules
        .into_iter()
        .find(|rule| rule["properties"]["immutableId"] == immutable_id)?;
    let properties = &rule["properties"];
    let declared = properties["streamDeclarations"].as_object();
    let streams = declared.into_iter().flatten().map(|(name, declared)| {
        let columns = serde_json::from_value(declared["columns"].clone());
        StreamConfig {
            name: name.clone(),
            columns: columns.unwrap_or_default(),
            table: Some(table_of(properties, name)),
        }
    });
    Some(RuleConfig {
        id: immutable_id.to_owned(),
        streams: streams.collect(),
    })
}

/// The table that a stream's flow leads to.
fn table_of(properties: &Value, stream: &str) -> String {
    let flows = properties["dataFlows"].as_array();
    let flow = flows.into_iter().flatten().find(|flow| {
        let mut streams = flow["streams"].as_array().into_iter().flatten();
        streams.any(|name| name == stream)
    });
    let output = flow.and_then(|flow| flow["outputStream"].as_str());
    let output = output.unwrap_or(stream);
    output.strip_prefix("Custom-").unwrap_or(output).to_owned()
}
