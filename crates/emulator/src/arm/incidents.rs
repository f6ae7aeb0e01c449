//! Incidents, their comments, tasks and relations.

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::path::Place;
use super::store::Memory;
use super::{Answer, invalid};
use crate::answers::AzureError;
use crate::state::State;

const SEVERITIES: [&str; 4] = ["High", "Medium", "Low", "Informational"];
const STATUSES: [&str; 3] = ["New", "Active", "Closed"];
const CLASSIFICATIONS: [&str; 4] = [
    "Undetermined",
    "TruePositive",
    "BenignPositive",
    "FalsePositive",
];
const LONGEST_DESCRIPTION: usize = 5_000;
const LONGEST_COMMENT: usize = 30_000;

pub(crate) fn check(body: &Value) -> Result<(), AzureError> {
    let properties = &body["properties"];
    if properties["title"].as_str().is_none_or(str::is_empty) {
        return Err(invalid("Incident title is required"));
    }
    one_of(properties, "severity", &SEVERITIES)?;
    one_of(properties, "status", &STATUSES)?;
    if properties["status"] == "Closed" {
        one_of(properties, "classification", &CLASSIFICATIONS)?;
    }
    let description = properties["description"].as_str().unwrap_or_default();
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(invalid(
            "Incident description is longer than 5000 characters",
        ));
    }
    Ok(())
}

/// A required property with few values.
pub(crate) fn one_of(properties: &Value, name: &str, allowed: &[&str]) -> Result<(), AzureError> {
    let value = &properties[name];
    if value.as_str().is_some_and(|value| allowed.contains(&value)) {
        return Ok(());
    }
    Err(invalid(format!(
        "{name} is required and must be one of {}, got {value}",
        allowed.join(", ")
    )))
}

pub(crate) fn check_note(kind: Kind, body: &Value) -> Result<(), AzureError> {
    let properties = &body["properties"];
    if kind == Kind::Task {
        if properties["title"].as_str().is_none_or(str::is_empty) {
            return Err(invalid("Task title is required"));
        }
        return one_of(properties, "status", &["New", "Completed"]);
    }
    let message = properties["message"].as_str().unwrap_or_default();
    if message.is_empty() || message.chars().count() > LONGEST_COMMENT {
        return Err(invalid("Comment message must have 1 to 30000 characters"));
    }
    Ok(())
}

pub(crate) fn written(at: DateTime<Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Micros, true).into()
}

/// Fills in what only Sentinel sets.
pub(crate) fn complete(
    state: &State,
    memory: &mut Memory,
    incident: &mut Value,
    old: Option<&Value>,
    now: DateTime<Utc>,
) {
    let config = &state.config.arm;
    let kept = |name: &str| old.map(|old| old["properties"][name].clone());
    let number = kept("incidentNumber").unwrap_or_else(|| {
        memory.incidents += 1;
        memory.incidents.into()
    });
    let provider = if config.defender_onboarded {
        "Microsoft XDR"
    } else {
        "Azure Sentinel"
    };
    let url = format!(
        "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident{}",
        incident["id"].as_str().unwrap_or_default()
    );
    let id = incident["id"].as_str().unwrap_or_default();
    let comments = format!("{}/comments/", id.to_ascii_lowercase());
    let comments = memory
        .resources
        .keys()
        .filter(|key| key.starts_with(&comments));
    let counts = json!({
        "alertsCount": 0,
        "bookmarksCount": 0,
        "commentsCount": comments.count(),
        "alertProductNames": [],
        "tactics": [],
    });
    let properties = &mut incident["properties"];
    let labels = properties["labels"].as_array().cloned().unwrap_or_default();
    let labels: Vec<Value> = labels
        .iter()
        .map(|label| json!({ "labelName": label["labelName"], "labelType": "User" }))
        .collect();
    properties["labels"] = labels.into();
    if properties["owner"].is_null() {
        properties["owner"] = json!({
            "objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null,
        });
    }
    properties["providerIncidentId"] = number.to_string().into();
    properties["incidentNumber"] = number;
    properties["incidentUrl"] = url.into();
    properties["createdTimeUtc"] = kept("createdTimeUtc").unwrap_or_else(|| written(now));
    properties["lastModifiedTimeUtc"] = written(now);
    properties["providerName"] = provider.into();
    properties["relatedAnalyticRuleIds"] = json!([]);
    properties["additionalData"] = counts;
}

/// What SecurityIncident shows of a write: the table gets a row at every creation and change. When
/// it was changed first is not kept.
pub(crate) fn row(incident: &Value, now: DateTime<Utc>) -> Value {
    let properties = &incident["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    let is_closed = properties["status"] == "Closed";
    json!({
        "TimeGenerated": written(now),
        "IncidentName": incident["name"],
        "Title": properties["title"],
        "Description": text("description"),
        "Severity": properties["severity"],
        "Status": properties["status"],
        "Classification": text("classification"),
        "ClassificationComment": text("classificationComment"),
        "ClassificationReason": text("classificationReason"),
        "Owner": properties["owner"],
        "ProviderName": properties["providerName"],
        "ProviderIncidentId": properties["providerIncidentId"],
        "FirstActivityTime": properties["firstActivityTimeUtc"],
        "LastActivityTime": properties["lastActivityTimeUtc"],
        "LastModifiedTime": properties["lastModifiedTimeUtc"],
        "CreatedTime": properties["createdTimeUtc"],
        "ClosedTime": if is_closed { written(now) } else { Value::Null },
        "IncidentNumber": properties["incidentNumber"],
        "RelatedAnalyticRuleIds": properties["relatedAnalyticRuleIds"],
        "AlertIds": [],
        "BookmarkIds": [],
        "Comments": [],
        "Tasks": [],
        "Labels": properties["labels"],
        "IncidentUrl": properties["incidentUrl"],
        "AdditionalData": properties["additionalData"],
        "ModifiedBy": "Incident created from REST API",
        "SourceSystem": "Azure",
        "Type": "SecurityIncident",
    })
}

pub(crate) fn complete_note(note: &mut Value, old: Option<&Value>, now: DateTime<Utc>) {
    let properties = &mut note["properties"];
    let created = old.map(|old| old["properties"]["createdTimeUtc"].clone());
    properties["createdTimeUtc"] = created.unwrap_or_else(|| written(now));
    properties["lastModifiedTimeUtc"] = written(now);
    properties["author"] = json!({
        "objectId": null, "email": null, "name": "foretide", "userPrincipalName": null,
    });
}

pub(crate) fn complete_relation(relation: &mut Value) {
    let properties = &mut relation["properties"];
    let related = properties["relatedResourceId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut parts = related.rsplit('/');
    properties["relatedResourceName"] = parts.next().unwrap_or_default().into();
    let collection = parts.next().unwrap_or_default();
    properties["relatedResourceType"] = format!("Microsoft.SecurityInsights/{collection}").into();
}

/// `POST` below a resource.
pub(crate) fn act(state: &State, place: &Place, action: &str) -> Result<Answer, AzureError> {
    state.arm.read(place)?;
    let body = match (place.kind, action) {
        (Kind::Incident, "alerts" | "bookmarks") => json!({ "value": [] }),
        (Kind::Incident, "entities") => json!({ "entities": [], "metaData": [] }),
        (Kind::Incident, "runPlaybook") => return Ok(Answer::empty(StatusCode::NO_CONTENT)),
        (Kind::SummaryRule, "start") => return Ok(Answer::empty(StatusCode::ACCEPTED)),
        (Kind::SummaryRule, "stop") => return Ok(Answer::empty(StatusCode::OK)),
        _ => {
            let message = format!("the resource has no action {action}");
            return Err(AzureError::new(StatusCode::NOT_FOUND, "NotFound", message));
        }
    };
    Ok(Answer::new(StatusCode::OK, body))
}
