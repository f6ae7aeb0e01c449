//! Watchlists and their items.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::incidents::one_of;
use super::invalid;
use super::path::Place;
use super::store::Memory;
use crate::answers::AzureError;
use crate::state::State;

/// Characters of a line.
const LONGEST_LINE: usize = 10_240;

pub(crate) fn check(body: &Value, old: Option<&Value>) -> Result<(), AzureError> {
    let properties = &body["properties"];
    for name in ["displayName", "provider", "itemsSearchKey"] {
        if properties[name].as_str().is_none_or(str::is_empty) {
            return Err(invalid(format!("{name} is required")));
        }
    }
    if properties["sourceType"].is_string() {
        one_of(properties, "sourceType", &["Local", "AzureStorage"])?;
    }
    let key = &properties["itemsSearchKey"];
    if old.is_some_and(|old| old["properties"]["itemsSearchKey"] != *key) {
        return Err(invalid("itemsSearchKey cannot be changed"));
    }
    let Some(content) = properties["rawContent"].as_str() else {
        return Ok(());
    };
    if content
        .lines()
        .any(|line| line.chars().count() > LONGEST_LINE)
    {
        return Err(invalid(
            "a line of rawContent is longer than 10240 characters",
        ));
    }
    let header = content.lines().nth(skipped(properties)).unwrap_or_default();
    let key = key.as_str().unwrap_or_default();
    if fields(header, separator(properties))
        .iter()
        .any(|name| name == key)
    {
        Ok(())
    } else {
        Err(invalid(
            "itemsSearchKey is not among the headers of rawContent",
        ))
    }
}

fn skipped(properties: &Value) -> usize {
    let lines = properties["numberOfLinesToSkip"].as_u64().unwrap_or(0);
    usize::try_from(lines).unwrap_or(usize::MAX)
}

fn separator(properties: &Value) -> char {
    if properties["contentType"] == "text/tsv" {
        '\t'
    } else {
        ','
    }
}

fn fields(line: &str, separator: char) -> Vec<String> {
    let parts = line.split(separator);
    parts
        .map(|part| part.trim().trim_matches('"').to_owned())
        .collect()
}

/// Rows of the content are added to the list; the content itself is not given back.
pub(crate) fn complete(memory: &mut Memory, place: &Place, list: &mut Value, old: Option<&Value>) {
    let id = place.id();
    let watchlist_id = Uuid::new_v5(&Uuid::NAMESPACE_URL, id.to_ascii_lowercase().as_bytes());
    let properties = &mut list["properties"];
    let content = properties["rawContent"].take();
    let lines = content.as_str().unwrap_or_default().lines();
    let mut lines = lines
        .skip(skipped(properties))
        .filter(|line| !line.is_empty());
    let separator = separator(properties);
    let header = lines
        .next()
        .map(|line| fields(line, separator))
        .unwrap_or_default();
    let key = properties["itemsSearchKey"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for line in lines {
        let values = fields(line, separator).into_iter().map(Value::from);
        let item: Map<String, Value> = header.iter().cloned().zip(values).collect();
        let name = Uuid::new_v5(&watchlist_id, item[&key].to_string().as_bytes());
        let item_place = Place {
            kind: super::Kind::WatchlistItem,
            collection: format!("{id}/watchlistItems"),
            name: name.to_string(),
        };
        let mut resource = json!({
            "id": item_place.id(),
            "name": item_place.name,
            "type": item_place.kind.resource_type(),
            "etag": memory.next_etag(),
            "properties": { "itemsKeyValue": item },
        });
        complete_item(&mut resource, &item_place);
        memory
            .resources
            .insert(item_place.id().to_ascii_lowercase(), resource);
    }
    properties["watchlistId"] = watchlist_id.to_string().into();
    properties["watchlistAlias"] = place.name.clone().into();
    properties["uploadStatus"] = "Complete".into();
    if let Value::Object(properties) = properties {
        properties.remove("rawContent");
        for kept in ["description", "source", "sourceType"] {
            let before = old.map(|old| old["properties"][kept].clone());
            if let Some(before) = before.filter(|before| !before.is_null()) {
                properties.entry(kept).or_insert(before);
            }
        }
    }
}

pub(crate) fn check_item(state: &State, place: &Place, body: &Value) -> Result<(), AzureError> {
    let Some(list) = state.arm.find(place.parent()) else {
        return Ok(());
    };
    let key = list["properties"]["itemsSearchKey"]
        .as_str()
        .unwrap_or_default();
    match body["properties"]["itemsKeyValue"].get(key) {
        Some(Value::String(value)) if !value.is_empty() => Ok(()),
        _ => Err(invalid(format!("itemsKeyValue needs the search key {key}"))),
    }
}

pub(crate) fn complete_item(item: &mut Value, place: &Place) {
    let properties = &mut item["properties"];
    properties["watchlistItemId"] = place.name.clone().into();
    properties["watchlistItemType"] = "watchlist-item".into();
    properties["isDeleted"] = false.into();
}
