//! What an incident is: as it is read, and as it may be written. Nothing here can close one.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use foretide_domain::Severity;

use crate::error::ArmError;
use crate::limits::fit_description;

/// A status that can be written. There is none that closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OpenStatus {
    /// Nobody has looked at it.
    New,
    /// Somebody works on it.
    Active,
}

/// A status as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IncidentStatus {
    /// Open, in one of the two ways that can also be written.
    Open(OpenStatus),
    /// A person closed it. It is not written any more.
    Closed,
    /// A word this client does not know. It is not written any more either.
    Unknown(String),
}

impl IncidentStatus {
    pub(crate) fn read(text: &str) -> Self {
        match text {
            "New" => Self::Open(OpenStatus::New),
            "Active" => Self::Open(OpenStatus::Active),
            "Closed" => Self::Closed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Open(OpenStatus::New) => "New",
            Self::Open(OpenStatus::Active) => "Active",
            Self::Closed => "Closed",
            Self::Unknown(other) => other,
        }
    }
}

/// Who works on an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IncidentOwner {
    /// Object id in Entra ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Name that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// User principal name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
}

/// An incident as Sentinel has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its name: a GUID, mostly, but Sentinel lets any text be one.
    pub name: String,
    /// Resource id.
    pub id: String,
    /// Version; opaque, quotes and all.
    pub etag: Option<String>,
    /// Number people know it by.
    pub number: Option<i64>,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Severity; nothing for a word this client does not know.
    pub severity: Option<Severity>,
    /// Status.
    pub status: IncidentStatus,
    /// Who works on it.
    pub owner: IncidentOwner,
    /// Labels, whoever set them.
    pub labels: Vec<String>,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub modified: Option<DateTime<Utc>>,
    /// First activity it speaks of.
    pub first_activity: Option<DateTime<Utc>>,
    /// Last activity it speaks of.
    pub last_activity: Option<DateTime<Utc>>,
    /// Who created it: `Azure Sentinel`, or `Microsoft XDR` in a workspace onboarded to Defender.
    pub provider: Option<String>,
    /// Page of the incident.
    pub url: Option<String>,
    /// Resource ids of the analytics rules behind it.
    pub rules: Vec<String>,
    /// How many alerts it has.
    pub alerts: u64,
}

/// What is written of an incident. What is left out Sentinel clears: start from
/// [`IncidentDraft::of`] to change one.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentDraft {
    /// Title.
    pub title: String,
    /// Description; cut to 5,000 characters.
    pub description: String,
    /// Severity.
    pub severity: Severity,
    /// Status: new or active.
    pub status: OpenStatus,
    /// Who works on it.
    pub owner: IncidentOwner,
    /// All its labels.
    pub labels: Vec<String>,
    /// First activity it speaks of.
    pub first_activity: Option<DateTime<Utc>>,
    /// Last activity it speaks of.
    pub last_activity: Option<DateTime<Utc>>,
}

impl IncidentDraft {
    /// A new incident without owner and labels.
    #[must_use]
    pub fn new(title: impl Into<String>, severity: Severity) -> Self {
        Self {
            title: title.into(),
            description: String::new(),
            severity,
            status: OpenStatus::New,
            owner: IncidentOwner::default(),
            labels: Vec::new(),
            first_activity: None,
            last_activity: None,
        }
    }

    /// What would leave an open incident as it is.
    ///
    /// # Errors
    /// [`ArmError::IncidentClosed`] when it is not open any more.
    pub fn of(incident: &Incident) -> Result<Self, ArmError> {
        let IncidentStatus::Open(status) = incident.status else {
            return Err(ArmError::IncidentClosed {
                incident: incident.name.clone(),
            });
        };
        Ok(Self {
            title: incident.title.clone(),
            description: incident.description.clone(),
            severity: incident.severity.unwrap_or(Severity::Medium),
            status,
            owner: incident.owner.clone(),
            labels: incident.labels.clone(),
            first_activity: incident.first_activity,
            last_activity: incident.last_activity,
        })
    }

    pub(crate) fn body(&self) -> Value {
        let labels: Vec<Value> = self
            .labels
            .iter()
            .map(|label| json!({ "labelName": label }))
            .collect();
        let mut properties = json!({
            "title": self.title,
            "description": fit_description(&self.description),
            "severity": self.severity,
            "status": self.status,
            "owner": self.owner,
            "labels": labels,
        });
        let activities = [
            ("firstActivityTimeUtc", self.first_activity),
            ("lastActivityTimeUtc", self.last_activity),
        ];
        for (name, at) in activities {
            if let Some(at) = at {
                properties[name] = written(at).into();
            }
        }
        json!({ "properties": properties })
    }
}

/// A moment as Sentinel takes it.
pub(crate) fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
