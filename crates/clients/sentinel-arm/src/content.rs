//! What is laid out in a workspace, by kind, and the one gate every write goes through.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Address, ArmClient};
use crate::error::ArmError;

const SENTINEL_CONTRIBUTOR: &str = "Microsoft Sentinel Contributor";
const SENTINEL_RESPONDER: &str = "Microsoft Sentinel Responder";
const WORKSPACE_CONTRIBUTOR: &str = "Log Analytics Contributor";
const MONITORING_CONTRIBUTOR: &str = "Monitoring Contributor";
const WORKBOOK_CONTRIBUTOR: &str = "Workbook Contributor";

const SECURITY_INSIGHTS: &str = "2025-09-01";
const OPERATIONAL_INSIGHTS: &str = "2025-07-01";

/// Kinds of resources that are written as they are declared. Incidents are none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// A custom table.
    Table,
    /// A data collection endpoint.
    DataCollectionEndpoint,
    /// A data collection rule.
    DataCollectionRule,
    /// An analytics rule.
    AlertRule,
    /// An automation rule.
    AutomationRule,
    /// A saved search; hunting queries are such.
    SavedSearch,
    /// A summary rule.
    SummaryRule,
    /// A workbook.
    Workbook,
    /// A watchlist, without its items.
    Watchlist,
    /// A hunting bookmark.
    Bookmark,
}

/// A body that would close an incident, or make something that does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} would close an incident: Foretide never does")]
pub struct WouldClose {
    place: String,
}

/// A body that was checked: it closes no incident, now or by an automation rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentBody(Value);

impl ContentBody {
    /// Takes a body.
    ///
    /// # Errors
    /// [`WouldClose`] when anything in it sets a status `Closed` or a classification.
    pub fn new(body: Value) -> Result<Self, WouldClose> {
        match closing_place(&body, "") {
            Some(place) => Err(WouldClose { place }),
            None => Ok(Self(body)),
        }
    }

    /// The body.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The same body bound to the version that was read.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<&str>) -> Self {
        if let (Some(etag), Value::Object(fields)) = (etag, &mut self.0) {
            fields.insert("etag".to_owned(), etag.into());
        }
        self
    }
}

/// Where a body would close an incident.
fn closing_place(body: &Value, path: &str) -> Option<String> {
    match body {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let place = format!("{path}/{name}");
            let lower = name.to_ascii_lowercase();
            let is_closed = value
                .as_str()
                .is_some_and(|text| text.eq_ignore_ascii_case("closed"));
            let closes = lower == "status" && is_closed
                || lower.starts_with("classification") && !value.is_null();
            if closes {
                Some(place)
            } else {
                closing_place(value, &place)
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| closing_place(item, &format!("{path}/{index}"))),
        _ => None,
    }
}

impl ContentKind {
    /// Every kind, in the order in which they can be laid out: what others lean on comes first.
    pub const ALL: [Self; 10] = [
        Self::Table,
        Self::DataCollectionEndpoint,
        Self::DataCollectionRule,
        Self::SummaryRule,
        Self::Watchlist,
        Self::SavedSearch,
        Self::Workbook,
        Self::AlertRule,
        Self::AutomationRule,
        Self::Bookmark,
    ];

    /// What people call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::DataCollectionEndpoint => "data collection endpoint",
            Self::DataCollectionRule => "data collection rule",
            Self::AlertRule => "analytics rule",
            Self::AutomationRule => "automation rule",
            Self::SavedSearch => "saved search",
            Self::SummaryRule => "summary rule",
            Self::Workbook => "workbook",
            Self::Watchlist => "watchlist",
            Self::Bookmark => "bookmark",
        }
    }

    /// Resource type, as templates name it.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Table => "Microsoft.OperationalInsights/workspaces/tables",
            Self::SavedSearch => "Microsoft.OperationalInsights/workspaces/savedSearches",
            Self::SummaryRule => "Microsoft.OperationalInsights/workspaces/summaryLogs",
            Self::DataCollectionEndpoint => "Microsoft.Insights/dataCollectionEndpoints",
            Self::DataCollectionRule => "Microsoft.Insights/dataCollectionRules",
            Self::Workbook => "Microsoft.Insights/workbooks",
            Self::AlertRule => "Microsoft.SecurityInsights/alertRules",
            Self::AutomationRule => "Microsoft.SecurityInsights/automationRules",
            Self::Watchlist => "Microsoft.SecurityInsights/watchlists",
            Self::Bookmark => "Microsoft.SecurityInsights/bookmarks",
        }
    }

    /// Version of the interface that is spoken.
    #[must_use]
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Table | Self::SavedSearch | Self::SummaryRule => OPERATIONAL_INSIGHTS,
            Self::DataCollectionEndpoint | Self::DataCollectionRule => "2024-03-11",
            Self::Workbook => "2023-06-01",
            Self::AlertRule | Self::AutomationRule | Self::Watchlist | Self::Bookmark => {
                SECURITY_INSIGHTS
            }
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Table | Self::SavedSearch | Self::SummaryRule => WORKSPACE_CONTRIBUTOR,
            Self::DataCollectionEndpoint | Self::DataCollectionRule => MONITORING_CONTRIBUTOR,
            Self::Workbook => WORKBOOK_CONTRIBUTOR,
            Self::AlertRule | Self::AutomationRule | Self::Watchlist | Self::Bookmark => {
                SENTINEL_CONTRIBUTOR
            }
        }
    }
}

impl ArmClient {
    /// The id of a resource.
    #[must_use]
    pub fn id_of(&self, kind: ContentKind, name: &str) -> String {
        let workspace = self.workspace();
        let resource_type = kind.resource_type();
        let collection = resource_type.rsplit('/').next().unwrap_or_default();
        if resource_type.starts_with("Microsoft.OperationalInsights/") {
            format!("{}/{collection}/{name}", workspace.workspace_id())
        } else if resource_type.starts_with("Microsoft.SecurityInsights/") {
            format!(
                "{}/providers/{resource_type}/{name}",
                workspace.workspace_id()
            )
        } else {
            format!("{}/providers/{resource_type}/{name}", workspace.group_id())
        }
    }

    /// A resource as it is, or nothing when there is none.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn content(&self, kind: ContentKind, name: &str) -> Result<Option<Value>, ArmError> {
        self.get(&self.address_of(kind, name)).await
    }

    /// Writes a resource and waits until Azure is done with it. Gives it as it then is.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn put_content(
        &self,
        kind: ContentKind,
        name: &str,
        body: &ContentBody,
    ) -> Result<Value, ArmError> {
        self.put(&self.address_of(kind, name), body).await
    }

    /// Deletes a resource and waits until Azure is done with it; false when there was none.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn delete_content(&self, kind: ContentKind, name: &str) -> Result<bool, ArmError> {
        self.delete(&self.address_of(kind, name)).await
    }

    /// All resources of a kind.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn list_content(&self, kind: ContentKind) -> Result<Vec<Value>, ArmError> {
        let mut address = self.address_of(kind, "all");
        address
            .url
            .path_segments_mut()
            .expect("checked in new: the endpoint is a base")
            .pop();
        address.what = format!("the {}s", kind.label());
        if kind == ContentKind::Workbook {
            address
                .url
                .query_pairs_mut()
                .append_pair("category", "sentinel");
        }
        self.list(&address).await
    }

    pub(crate) fn address_of(&self, kind: ContentKind, name: &str) -> Address {
        let id = self.id_of(kind, "");
        Address {
            url: self.url_of(&id, &[name], kind.api_version()),
            what: format!("the {} {name}", kind.label()),
            role: kind.role(),
        }
    }

    /// Something of Sentinel, below its provider.
    pub(crate) fn sentinel_address(&self, segments: &[&str], what: String) -> Address {
        let id = format!(
            "{}/providers/Microsoft.SecurityInsights",
            self.workspace().workspace_id()
        );
        Address {
            url: self.url_of(&id, segments, SECURITY_INSIGHTS),
            what,
            role: SENTINEL_RESPONDER,
        }
    }

    /// Segments are escaped, so that no name leaves its place.
    fn url_of(&self, id: &str, segments: &[&str], api_version: &str) -> url::Url {
        let mut url = self.workspace().endpoint.clone();
        url.path_segments_mut()
            .expect("checked in new: the endpoint is a base")
            .pop_if_empty()
            .extend(id.split('/').filter(|part| !part.is_empty()))
            .extend(segments);
        url.query_pairs_mut()
            .append_pair("api-version", api_version);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_closes_passes_the_gate() {
        for body in [
            json!({"properties": {"title": "t", "status": "Closed"}}),
            json!({"properties": {"Status": "closed"}}),
            json!({"properties": {"classification": "TruePositive", "status": "Active"}}),
            json!({"properties": {"classificationReason": "SuspiciousActivity"}}),
            json!({"properties": {"actions": [{"actionType": "ModifyProperties",
                "actionConfiguration": {"status": "Closed"}}]}}),
        ] {
            assert!(ContentBody::new(body.clone()).is_err(), "{body}");
        }
        let open = json!({"properties": {"status": "Active", "classification": null,
            "query": "SecurityIncident | where Status == 'Closed'"}});
        ContentBody::new(open).unwrap();
    }
}
