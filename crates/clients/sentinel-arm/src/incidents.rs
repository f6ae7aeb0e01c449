//! Incidents: read, created, changed, commented on, related. Never closed, never deleted.

use chrono::{DateTime, Utc};
use foretide_domain::Severity;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Address, ArmClient};
use crate::content::ContentBody;
use crate::error::ArmError;
use crate::incident::{Incident, IncidentDraft, IncidentStatus, OpenStatus, written};
use crate::limits::fit_comment;
use crate::read::{moment, optional_text, text, texts};

/// Largest page Sentinel gives.
const LARGEST_PAGE: u32 = 1_000;

/// Which incidents are listed, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Created at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Changed at or after.
    pub modified_from: Option<DateTime<Utc>>,
    /// Of these statuses; of any when empty.
    pub statuses: Vec<IncidentStatus>,
    /// Of these severities; of any when empty.
    pub severities: Vec<Severity>,
    /// Only the newest of them: no further page is read.
    pub newest: Option<u32>,
}

impl IncidentFilter {
    /// Those nobody has closed.
    #[must_use]
    pub fn open() -> Self {
        Self {
            statuses: [OpenStatus::New, OpenStatus::Active]
                .map(IncidentStatus::Open)
                .to_vec(),
            ..Self::default()
        }
    }

    /// The `OData` filter; empty for all incidents.
    fn odata(&self) -> String {
        let after = |property: &str, moment: Option<DateTime<Utc>>| {
            moment.map(|moment| format!("properties/{property} ge {}", written(moment)))
        };
        let any_of = |property: &str, names: Vec<&str>| {
            let terms: Vec<String> = names
                .iter()
                // a quote is doubled within a literal
                .map(|name| format!("properties/{property} eq '{}'", name.replace('\'', "''")))
                .collect();
            (!terms.is_empty()).then(|| format!("({})", terms.join(" or ")))
        };
        let statuses = self.statuses.iter().map(IncidentStatus::name).collect();
        let severities = self.severities.iter().map(|one| one.name()).collect();
        let terms = [
            after("createdTimeUtc", self.created_from),
            after("lastModifiedTimeUtc", self.modified_from),
            any_of("status", statuses),
            any_of("severity", severities),
        ];
        terms
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" and ")
    }
}

/// A comment as Sentinel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its name.
    pub name: String,
    /// What it says.
    pub message: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// When.
    pub created: Option<DateTime<Utc>>,
}

/// Something an incident is linked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Resource id of the bookmark or alert.
    pub resource_id: String,
}

impl ArmClient {
    /// Incidents, newest first, along all pages.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, ArmError> {
        let mut address = self.sentinel_address(&["incidents"], "the incidents".to_owned());
        let top = filter.newest.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
        {
            let mut query = address.url.query_pairs_mut();
            let odata = filter.odata();
            if !odata.is_empty() {
                query.append_pair("$filter", &odata);
            }
            query.append_pair("$orderby", "properties/createdTimeUtc desc");
            query.append_pair("$top", &top.to_string());
        }
        let items = match filter.newest {
            None => self.list(&address).await?,
            Some(_) => match self.existing(&address).await?["value"].take() {
                Value::Array(items) => items,
                _ => Vec::new(),
            },
        };
        items.iter().map(read_incident).collect()
    }

    /// One incident, or nothing when there is none.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn incident(&self, name: &str) -> Result<Option<Incident>, ArmError> {
        let found = self.get(&self.incident_address(name, &[])).await?;
        found.as_ref().map(read_incident).transpose()
    }

    /// Creates an incident, or replaces what was read under this etag.
    ///
    /// The id is chosen by the caller: the same id again is an update, so that a write whose answer was
    /// lost makes no second incident.
    ///
    /// # Errors
    /// [`ArmError::Conflict`] when it was changed since it was read; otherwise see [`ArmError`].
    pub async fn put_incident(
        &self,
        id: Uuid,
        draft: &IncidentDraft,
        etag: Option<&str>,
    ) -> Result<Incident, ArmError> {
        let body = ContentBody::new(draft.body())?.with_etag(etag);
        let address = self.incident_address(&id.to_string(), &[]);
        read_incident(&self.put(&address, &body).await?)
    }

    /// Comments on an incident. The same id again says the same comment anew.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn put_comment(
        &self,
        incident: &str,
        id: Uuid,
        message: &str,
    ) -> Result<Comment, ArmError> {
        let address = self.incident_address(incident, &["comments", &id.to_string()]);
        let body = json!({ "properties": { "message": fit_comment(message) } });
        read_comment(&self.put(&address, &ContentBody::new(body)?).await?)
    }

    /// The comments of an incident.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn comments(&self, incident: &str) -> Result<Vec<Comment>, ArmError> {
        let address = self.incident_address(incident, &["comments"]);
        self.list(&address)
            .await?
            .iter()
            .map(read_comment)
            .collect()
    }

    /// Links an incident with a bookmark or an alert.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn relate(
        &self,
        incident: &str,
        name: &str,
        resource_id: &str,
    ) -> Result<Relation, ArmError> {
        let address = self.incident_address(incident, &["relations", name]);
        let body = json!({ "properties": { "relatedResourceId": resource_id } });
        read_relation(&self.put(&address, &ContentBody::new(body)?).await?)
    }

    /// What an incident is linked with.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn relations(&self, incident: &str) -> Result<Vec<Relation>, ArmError> {
        let address = self.incident_address(incident, &["relations"]);
        self.list(&address)
            .await?
            .iter()
            .map(read_relation)
            .collect()
    }

    fn incident_address(&self, incident: &str, below: &[&str]) -> Address {
        let mut segments = vec!["incidents", incident];
        segments.extend(below);
        self.sentinel_address(&segments, format!("the incident {incident}"))
    }
}

fn read_incident(value: &Value) -> Result<Incident, ArmError> {
    let what = "an incident";
    let properties = "/properties";
    let of = |name: &str| format!("{properties}/{name}");
    let labels = value.pointer(&of("labels")).and_then(Value::as_array);
    let severity = text(what, value, &of("severity"))?;
    Ok(Incident {
        name: text(what, value, "/name")?,
        id: text(what, value, "/id")?,
        etag: optional_text(value, "/etag"),
        number: value.pointer(&of("incidentNumber")).and_then(Value::as_i64),
        title: text(what, value, &of("title"))?,
        description: optional_text(value, &of("description")).unwrap_or_default(),
        severity: Severity::of(&severity),
        status: IncidentStatus::read(&text(what, value, &of("status"))?),
        owner: value
            .pointer(&of("owner"))
            .and_then(|owner| serde_json::from_value(owner.clone()).ok())
            .unwrap_or_default(),
        labels: labels
            .into_iter()
            .flatten()
            .filter_map(|label| label["labelName"].as_str().map(ToOwned::to_owned))
            .collect(),
        created: moment(what, value, &of("createdTimeUtc"))?,
        modified: moment(what, value, &of("lastModifiedTimeUtc"))?,
        first_activity: moment(what, value, &of("firstActivityTimeUtc"))?,
        last_activity: moment(what, value, &of("lastActivityTimeUtc"))?,
        provider: optional_text(value, &of("providerName")),
        url: optional_text(value, &of("incidentUrl")),
        rules: texts(value, &of("relatedAnalyticRuleIds")),
        alerts: value
            .pointer(&of("additionalData/alertsCount"))
            .and_then(Value::as_u64)
            .unwrap_or_default(),
    })
}

fn read_comment(value: &Value) -> Result<Comment, ArmError> {
    Ok(Comment {
        name: text("a comment", value, "/name")?,
        message: text("a comment", value, "/properties/message")?,
        author: optional_text(value, "/properties/author/name"),
        created: moment("a comment", value, "/properties/createdTimeUtc")?,
    })
}

fn read_relation(value: &Value) -> Result<Relation, ArmError> {
    Ok(Relation {
        name: text("a relation", value, "/name")?,
        resource_id: text("a relation", value, "/properties/relatedResourceId")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_status_that_can_be_written_closes() {
        assert!(serde_json::from_value::<OpenStatus>(json!("Closed")).is_err());
        for status in [OpenStatus::New, OpenStatus::Active] {
            let draft = IncidentDraft {
                status,
                ..IncidentDraft::new("t", Severity::Low)
            };
            let body = draft.body();
            assert_ne!(body["properties"]["status"], "Closed");
            assert!(body["properties"].get("classification").is_none());
            ContentBody::new(body).unwrap();
        }
    }

    #[test]
    fn a_closed_incident_cannot_be_written_again() {
        let incident = |status: &str| {
            let value = json!({"name": "n", "id": "/n",
                "properties": {"title": "t", "severity": "Low", "status": status}});
            read_incident(&value).unwrap()
        };
        IncidentDraft::of(&incident("Active")).unwrap();
        for status in ["Closed", "Merged"] {
            IncidentDraft::of(&incident(status)).unwrap_err();
        }
    }

    #[test]
    fn a_filter_is_an_odata_expression() {
        let filter = IncidentFilter {
            modified_from: "2026-11-23T10:00:00Z".parse().ok(),
            severities: vec![Severity::High],
            ..IncidentFilter::open()
        };
        assert_eq!(
            filter.odata(),
            "properties/lastModifiedTimeUtc ge 2026-11-23T10:00:00Z and \
             (properties/status eq 'New' or properties/status eq 'Active') and \
             (properties/severity eq 'High')"
        );
        let odd = IncidentFilter {
            statuses: vec![IncidentStatus::Unknown("x' or 1 eq 1".to_owned())],
            ..IncidentFilter::default()
        };
        assert_eq!(odd.odata(), "(properties/status eq 'x'' or 1 eq 1')");
    }

    #[test]
    fn what_is_no_incident_is_named() {
        for value in [
            json!(null),
            json!({"name": "n", "id": "/n"}),
            json!({"name": 1, "id": "/n", "properties": {"title": "t", "severity": "Low", "status": "New"}}),
            json!({"name": "n", "id": "/n", "properties": {"title": "t", "severity": "Low", "status": "New",
                "createdTimeUtc": "yesterday"}}),
        ] {
            let error = read_incident(&value).unwrap_err();
            assert!(matches!(error, ArmError::Unreadable { .. }), "{error}");
        }
    }
}
