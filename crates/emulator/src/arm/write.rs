//! Writing and deleting.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::path::Place;
use super::store::not_found;
use super::{Answer, Asked, check, data_collection, incidents, watchlists};
use crate::answers::AzureError;
use crate::state::State;

/// Parts of a body that Azure keeps beside the properties.
const KEPT: [&str; 5] = ["kind", "location", "tags", "identity", "sku"];

pub(crate) fn put(state: &State, place: &Place, asked: &Asked<'_>) -> Result<Answer, AzureError> {
    let body: Value = serde_json::from_slice(asked.body).map_err(|error| {
        AzureError::bad_request(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{error}'."),
        )
    })?;
    if !body["properties"].is_object() {
        return Err(AzureError::bad_request(
            "InvalidRequestContent",
            "The request body must hold properties.",
        ));
    }
    let parent_missing = matches!(
        place.kind,
        Kind::Comment | Kind::Task | Kind::Relation | Kind::WatchlistItem
    ) && state.arm.find(place.parent()).is_none();
    if parent_missing {
        return Err(not_found(place));
    }
    let old = state.arm.find(&place.id());
    check_version(place, asked, &body, old.as_ref())?;
    check(state, place, &body, old.as_ref())?;
    let stored = store(state, place, asked, &body, old.as_ref());
    let status = if old.is_none() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(answer(state, place, asked, status, stored))
}

/// Slow writes are answered before they are done.
fn answer(
    state: &State,
    place: &Place,
    asked: &Asked<'_>,
    status: StatusCode,
    stored: Value,
) -> Answer {
    let uploads = place.kind == Kind::Watchlist && uploads_rows(asked.body);
    if !place.kind.is_written_slowly() && !uploads {
        return Answer::new(status, stored);
    }
    let looks = state.config.arm.operation_looks;
    let operation = state.arm.begin_operation(&place.id(), looks);
    let status = if place.kind.is_written_slowly() {
        StatusCode::ACCEPTED
    } else {
        status
    };
    Answer {
        headers: operation_headers(state, place, asked, &operation, status),
        ..Answer::new(status, stored)
    }
}

/// Whether a watchlist comes with rows, which take their time.
fn uploads_rows(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["properties"]["rawContent"].is_string()
}

fn operation_headers(
    state: &State,
    place: &Place,
    asked: &Asked<'_>,
    operation: &str,
    status: StatusCode,
) -> Vec<(&'static str, String)> {
    let provider = place.kind.resource_type().split('/').next();
    let base = format!(
        "{}/subscriptions/{}/providers/{}",
        asked.origin,
        state.config.arm.subscription_id,
        provider.unwrap_or_default()
    );
    let version = place
        .kind
        .api_versions()
        .last()
        .copied()
        .unwrap_or_default();
    let link = |kind: &str| format!("{base}/{kind}/{operation}?api-version={version}");
    let mut headers = vec![
        ("azure-asyncoperation", link("operationStatuses")),
        ("retry-after", "0".to_owned()),
    ];
    if status == StatusCode::ACCEPTED {
        headers.push(("location", link("operationresults")));
    }
    headers
}

fn check_version(
    place: &Place,
    asked: &Asked<'_>,
    body: &Value,
    old: Option<&Value>,
) -> Result<(), AzureError> {
    let given = body["etag"].as_str().or(asked.if_match);
    let Some(given) = given.filter(|given| !given.is_empty() && *given != "*") else {
        return Ok(());
    };
    let bare = |etag: &str| etag.trim_matches('"').to_owned();
    let current = old.and_then(|old| old["etag"].as_str());
    if current.is_none_or(|current| bare(current) == bare(given)) {
        return Ok(());
    }
    Err(AzureError::new(
        StatusCode::CONFLICT,
        "Conflict",
        format!(
            "Newer version of resource '{}' exists. Data was not saved",
            place.name
        ),
    ))
}

fn store(
    state: &State,
    place: &Place,
    asked: &Asked<'_>,
    body: &Value,
    old: Option<&Value>,
) -> Value {
    let mut memory = state.arm.memory();
    let mut resource = Map::new();
    let name = old.map_or_else(|| json!(place.name), |old| old["name"].clone());
    let id = old.map_or_else(|| json!(place.id()), |old| old["id"].clone());
    resource.insert("id".to_owned(), id);
    resource.insert("name".to_owned(), name);
    resource.insert("type".to_owned(), place.kind.resource_type().into());
    let mut etag = memory.next_etag();
    if place.kind == Kind::Comment {
        etag = etag.trim_matches('"').to_owned();
    }
    resource.insert("etag".to_owned(), etag.into());
    for part in KEPT {
        if let Some(value) = body.get(part) {
            resource.insert(part.to_owned(), value.clone());
        }
    }
    // null is the same as absent
    let mut properties = body["properties"].as_object().cloned().unwrap_or_default();
    properties.retain(|_, value| !value.is_null());
    resource.insert("properties".to_owned(), properties.into());
    let mut resource = Value::Object(resource);
    if place.kind.is_provisioned() {
        let slow = place.kind.is_written_slowly();
        let provisioning = if slow { "Updating" } else { "Succeeded" };
        resource["properties"]["provisioningState"] = provisioning.into();
    }
    let now = state.clock.now();
    match place.kind {
        Kind::Incident => incidents::complete(state, &mut memory, &mut resource, old, now),
        Kind::Comment | Kind::Task => incidents::complete_note(&mut resource, old, now),
        Kind::Relation => incidents::complete_relation(&mut resource),
        Kind::AlertRule => resource["properties"]["lastModifiedUtc"] = incidents::written(now),
        Kind::AutomationRule => super::rules::complete(&mut resource, old, now),
        Kind::Watchlist => watchlists::complete(&mut memory, place, &mut resource, old),
        Kind::WatchlistItem => watchlists::complete_item(&mut resource, place),
        Kind::Table => super::tables::complete(&mut resource),
        Kind::DataCollectionRule => data_collection::complete_rule(&asked.origin, &mut resource),
        Kind::DataCollectionEndpoint => {
            data_collection::complete_endpoint(&asked.origin, &mut resource);
        }
        Kind::SavedSearch
        | Kind::SummaryRule
        | Kind::Workbook
        | Kind::Bookmark
        | Kind::OnboardingState
        | Kind::Hunt => {}
    }
    memory
        .resources
        .insert(place.id().to_ascii_lowercase(), resource.clone());
    drop(memory);
    if place.kind == Kind::Incident {
        let row = incidents::row(&resource, now);
        if !state.store("SecurityIncident", vec![row], 0) {
            tracing::warn!("SecurityIncident is full: the write does not show in it");
        }
    }
    resource
}

pub(crate) fn delete(
    state: &State,
    place: &Place,
    asked: &Asked<'_>,
) -> Result<Answer, AzureError> {
    let id = place.id().to_ascii_lowercase();
    {
        let mut memory = state.arm.memory();
        if memory.resources.remove(&id).is_none() {
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
        let below = format!("{id}/");
        memory
            .resources
            .retain(|other, _| !other.starts_with(&below));
    }
    if !place.kind.is_written_slowly() {
        return Ok(Answer::empty(StatusCode::OK));
    }
    let looks = state.config.arm.operation_looks;
    let operation = state.arm.begin_operation(&id, looks);
    let status = StatusCode::ACCEPTED;
    Ok(Answer {
        headers: operation_headers(state, place, asked, &operation, status),
        ..Answer::empty(status)
    })
}
