//! Planning incidents: what is expected, where the SOC already looks. One open a scope.

use chrono::{DateTime, Utc};
use foretide_domain::Severity;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::ArmClient;
use crate::error::ArmError;
use crate::incident::{Incident, IncidentDraft};
use crate::incidents::IncidentFilter;
use crate::limits::{fit_comment, fit_description, fit_details};

/// `providerName` of incidents in a workspace that is onboarded to the Defender portal.
const DEFENDER: &str = "Microsoft XDR";
/// Every planning incident bears it: training leaves such incidents out.
const PLANNING_LABEL: &str = "foretide-planning";

/// What is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanningIncident {
    /// What it is about, e.g. `risk_period/total`: at most one open incident a scope.
    pub scope: String,
    /// Headline.
    pub title: String,
    /// What is expected, how sure that is and why.
    pub description: String,
    /// How severe.
    pub severity: Severity,
    /// Start of the predicted window.
    pub starts: DateTime<Utc>,
    /// Its end.
    pub ends: DateTime<Utc>,
    /// Figures by name, as the custom details of an alert: what is more than 20 or 2 KB is cut.
    pub details: Vec<(String, String)>,
    /// What it rests on, e.g. the forecast's id: one comment each.
    pub reference: String,
}

/// How planning incidents reach the SOC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanningRoute {
    /// Written directly.
    Direct,
    /// Raised by the analytics rule over `Predicted_Attack_Surge_CL`: the workspace is onboarded to the
    /// Defender portal, which does not show incidents created through this interface.
    AnalyticsRule,
}

/// What became of a planning incident.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanningOutcome {
    /// There was none for the scope.
    Created(Box<Incident>),
    /// The open one of the scope now says this.
    Updated(Box<Incident>),
    /// The open one already said it.
    Unchanged(Box<Incident>),
    /// A person has closed the one for this window. It stays closed.
    LeftClosed(Box<Incident>),
    /// The analytics rule raises it: nothing was written here.
    LeftToRule,
}

/// Writes planning incidents.
#[derive(Debug, Clone)]
pub struct PlanningIncidents {
    client: ArmClient,
}

impl PlanningIncident {
    /// The id: the same workspace, scope and start of the window give the same one.
    fn id(&self, workspace: &str) -> Uuid {
        let name = format!(
            "{}/foretide/planning/{}/{}",
            workspace.to_ascii_lowercase(),
            self.scope,
            self.starts.timestamp()
        );
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
    }

    fn scope_label(&self) -> String {
        format!("foretide-scope:{}", self.scope)
    }

    /// The figures, a line each.
    fn figures(&self) -> String {
        let details = fit_details(&self.details).into_iter();
        let lines: Vec<String> = details
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        lines.join("\n")
    }

    /// The comment of this reference: the same one when it is written again.
    fn comment_id(&self, incident: &str) -> Uuid {
        let name = format!("foretide/planning/{incident}/{}", self.reference);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
    }

    fn comment(&self) -> String {
        let (starts, ends) = (self.starts, self.ends);
        let words = format!(
            "{}\n{} to {} UTC\n{}\nRests on {}.",
            self.title,
            starts.format("%Y-%m-%d %H:%M"),
            ends.format("%Y-%m-%d %H:%M"),
            self.figures(),
            self.reference
        );
        fit_comment(&words)
    }

    /// Puts what is expected into a draft; what people set (severity, status, owner) stays.
    fn write_into(&self, draft: &mut IncidentDraft) {
        draft.title.clone_from(&self.title);
        let figures = self.figures();
        let whole = [self.description.as_str(), &figures];
        let whole: Vec<&str> = whole.into_iter().filter(|part| !part.is_empty()).collect();
        draft.description = fit_description(&whole.join("\n\n"));
        draft.first_activity = Some(self.starts);
        draft.last_activity = Some(self.ends);
        for label in [PLANNING_LABEL.to_owned(), self.scope_label()] {
            if !draft.labels.contains(&label) {
                draft.labels.push(label);
            }
        }
    }
}

impl PlanningIncidents {
    /// Writes through this client.
    #[must_use]
    pub fn new(client: ArmClient) -> Self {
        Self { client }
    }

    /// How planning incidents reach this SOC, judged by who created its newest incident.
    ///
    /// # Errors
    /// See [`ArmError`].
    pub async fn route(&self) -> Result<PlanningRoute, ArmError> {
        let newest = IncidentFilter {
            newest: Some(1),
            ..IncidentFilter::default()
        };
        let newest = self.client.incidents(&newest).await?;
        let by_defender = newest
            .iter()
            .any(|incident| incident.provider.as_deref() == Some(DEFENDER));
        Ok(if by_defender {
            PlanningRoute::AnalyticsRule
        } else {
            PlanningRoute::Direct
        })
    }

    /// Creates the scope's planning incident, or brings the open one up to date, and comments on what
    /// it rests on.
    ///
    /// An answer that is lost makes no second one: the ids of incident and comment are derived, and an
    /// open incident of the scope is found by its label. One that a person closed stays closed.
    ///
    /// # Errors
    /// [`ArmError::Conflict`] when somebody changed it between reading and writing: call again.
    pub async fn raise(&self, expected: &PlanningIncident) -> Result<PlanningOutcome, ArmError> {
        if self.route().await? == PlanningRoute::AnalyticsRule {
            return Ok(PlanningOutcome::LeftToRule);
        }
        let outcome = self.write(expected).await?;
        match &outcome {
            PlanningOutcome::Created(incident)
            | PlanningOutcome::Updated(incident)
            | PlanningOutcome::Unchanged(incident) => {
                let id = expected.comment_id(&incident.name);
                self.comment_once(&incident.name, id, &expected.comment())
                    .await?;
            }
            PlanningOutcome::LeftClosed(_) | PlanningOutcome::LeftToRule => {}
        }
        Ok(outcome)
    }

    async fn comment_once(&self, incident: &str, id: Uuid, text: &str) -> Result<(), ArmError> {
        let comments = self.client.comments(incident).await?;
        let is_there = comments
            .iter()
            .any(|comment| comment.name == id.to_string());
        if !is_there {
            self.client.put_comment(incident, id, text).await?;
        }
        Ok(())
    }

    async fn write(&self, expected: &PlanningIncident) -> Result<PlanningOutcome, ArmError> {
        if let Some(open) = self.open_one(expected).await? {
            return self.update(open, expected).await;
        }
        let id = expected.id(&self.client.workspace().workspace_id());
        if let Some(earlier) = self.client.incident(&id.to_string()).await? {
            return match IncidentDraft::of(&earlier) {
                Ok(_) => self.update(earlier, expected).await,
                Err(_) => Ok(PlanningOutcome::LeftClosed(Box::new(earlier))),
            };
        }
        let mut draft = IncidentDraft::new(String::new(), expected.severity);
        expected.write_into(&mut draft);
        let created = self.client.put_incident(id, &draft, None).await?;
        Ok(PlanningOutcome::Created(Box::new(created)))
    }

    async fn open_one(&self, expected: &PlanningIncident) -> Result<Option<Incident>, ArmError> {
        let label = expected.scope_label();
        let open = self.client.incidents(&IncidentFilter::open()).await?;
        // Sentinel gives the newest first; the oldest is the one everybody agrees on
        Ok(open
            .into_iter()
            .rev()
            .find(|incident| incident.labels.contains(&label)))
    }

    async fn update(
        &self,
        current: Incident,
        expected: &PlanningIncident,
    ) -> Result<PlanningOutcome, ArmError> {
        let before = IncidentDraft::of(&current)?;
        let mut draft = before.clone();
        expected.write_into(&mut draft);
        if draft == before {
            return Ok(PlanningOutcome::Unchanged(Box::new(current)));
        }
        let id = current.name.parse().map_err(|_| {
            crate::read::unreadable("a planning incident", "its name must be a GUID")
        })?;
        let updated = self
            .client
            .put_incident(id, &draft, current.etag.as_deref())
            .await?;
        Ok(PlanningOutcome::Updated(Box::new(updated)))
    }
}
