//! Lists: filtered, ordered, in pages.

use http::StatusCode;
use serde_json::{Value, json};

use super::filter::Filter;
use super::kinds::Kind;
use super::path::Place;
use super::{Answer, Asked, invalid};
use crate::answers::AzureError;
use crate::state::State;

/// Elements of a page when the caller does not say.
const USUAL_PAGE: usize = 50;
/// Elements of the largest page.
const LARGEST_PAGE: usize = 1_000;

pub(crate) fn list(state: &State, place: &Place, asked: &Asked<'_>) -> Result<Answer, AzureError> {
    if place.collection.contains("/incidents/") || place.collection.contains("/watchlists/") {
        let parent = Place {
            collection: place
                .parent()
                .rsplit_once('/')
                .map_or("", |(up, _)| up)
                .to_owned(),
            name: place
                .parent()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
            kind: if place.kind == Kind::WatchlistItem {
                Kind::Watchlist
            } else {
                Kind::Incident
            },
        };
        state.arm.read(&parent)?;
    }
    let mut items = state.arm.children(&place.collection);
    if let Some(text) = asked.parameters.get("$filter") {
        let filter = Filter::parse(text).map_err(|problem| {
            AzureError::bad_request("InvalidFilter", format!("Invalid filter: {problem}"))
        })?;
        items.retain(|item| filter.matches(item));
    }
    if let Some(order) = asked.parameters.get("$orderby") {
        order_by(&mut items, order);
    }
    let number = |name: &str| -> Result<Option<usize>, AzureError> {
        let Some(text) = asked.parameters.get(name) else {
            return Ok(None);
        };
        let number = text
            .parse()
            .ok()
            .filter(|number| *number <= LARGEST_PAGE || name != "$top");
        number
            .map(Some)
            .ok_or_else(|| invalid(format!("Invalid {name}: {text}")))
    };
    let from = number("$skipToken")?.unwrap_or(0);
    // types without pages of their own come whole
    let is_paged = matches!(
        place.kind,
        Kind::Incident | Kind::WatchlistItem | Kind::Comment | Kind::AlertRule
    );
    let usual = if is_paged { USUAL_PAGE } else { usize::MAX };
    let size = number("$top")?.unwrap_or(usual).max(1);
    let until = from.saturating_add(size).min(items.len());
    let page: Vec<Value> = items.get(from..until).unwrap_or_default().to_vec();
    let mut body = json!({ "value": page });
    if until < items.len() {
        body["nextLink"] = next_link(place, asked, until).into();
    }
    Ok(Answer::new(StatusCode::OK, body))
}

fn next_link(place: &Place, asked: &Asked<'_>, from: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut parameters: Vec<_> = asked.parameters.iter().collect();
    parameters.sort();
    let kept = parameters
        .into_iter()
        .filter(|(name, _)| *name != "$skipToken");
    query.extend_pairs(kept);
    query.append_pair("$skipToken", &from.to_string());
    format!("{}{}?{}", asked.origin, place.collection, query.finish())
}

fn order_by(items: &mut [Value], order: &str) {
    let mut words = order.split_whitespace();
    let path = format!("/{}", words.next().unwrap_or_default());
    let descending = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("desc"));
    items.sort_by(|one, other| {
        let of = |item: &Value| match item.pointer(&path) {
            Some(Value::Number(number)) => (number.as_f64().unwrap_or_default(), String::new()),
            Some(Value::String(text)) => (0.0, text.clone()),
            _ => (0.0, String::new()),
        };
        let (one, other) = (of(one), of(other));
        let ordering = one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1));
        if descending {
            ordering.reverse()
        } else {
            ordering
        }
    });
}
