//! Planning incidents in Sentinel.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foretide_domain::SharedClock;
use foretide_entra::{Cloud, IdentityConfig, IdentityTokens};
use foretide_http::{ClientOptions, RetryPolicy};
use foretide_sentinel_arm::{
    ArmClient, ArmError, Incident, PlanningIncident, PlanningIncidents, PlanningOutcome,
    WorkspaceConfig,
};

use crate::sources::{Planner, SendError};

/// Tries in all: the same again changes nothing, so every error that may pass is worth another.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// When Azure asks for more patience than this, a person decides whether to approve again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Writes through Sentinel's control plane.
pub(crate) struct SentinelPlanner {
    incidents: PlanningIncidents,
}

impl SentinelPlanner {
    pub(crate) fn new(
        mut workspace: WorkspaceConfig,
        identity: IdentityConfig,
        clock: &SharedClock,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        workspace.endpoint =
            identity.endpoint(&workspace.endpoint, Cloud::resource_manager_endpoint);
        workspace.audience =
            identity.audience(&workspace.audience, Cloud::resource_manager_audience);
        let http = foretide_http::client(&ClientOptions::default())?;
        let tokens = IdentityTokens::new(identity, http.clone(), SharedClock::clone(clock))?;
        // whoever tries again out here need not do so in there
        let retry = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        let client = ArmClient::new(workspace, http, Arc::new(tokens), SharedClock::clone(clock))?
            .with_retry(retry);
        Ok(Self {
            incidents: PlanningIncidents::new(client),
        })
    }
}

#[async_trait]
impl Planner for SentinelPlanner {
    async fn raise(&self, incident: &PlanningIncident) -> Result<String, SendError> {
        let mut attempt = 1;
        loop {
            let error = match self.incidents.raise(incident).await {
                Ok(outcome) => return Ok(in_words(&outcome)),
                Err(error) => error,
            };
            let pause = pause_before_repeating(&error, attempt);
            let Some(pause) = pause.filter(|_| attempt < ATTEMPTS) else {
                return Err(SendError(described(&error)));
            };
            tracing::warn!(%error, attempt, "planning incident not written, trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// Nothing when the same would fail again. A conflict is read and decided anew.
fn pause_before_repeating(error: &ArmError, attempt: u32) -> Option<Duration> {
    let is_conflict = matches!(error, ArmError::Conflict { .. });
    if !is_conflict && !error.is_transient() {
        return None;
    }
    let usual = FIRST_PAUSE * 2_u32.pow(attempt - 1);
    let pause = error.retry_after().unwrap_or(usual);
    (pause <= LONGEST_PAUSE).then_some(pause)
}

fn described(error: &ArmError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn in_words(outcome: &PlanningOutcome) -> String {
    let known = |incident: &Incident| match incident.number {
        Some(number) => format!("incident {number}"),
        None => format!("incident {}", incident.name),
    };
    match outcome {
        PlanningOutcome::Created(incident) => format!("created {}", known(incident)),
        PlanningOutcome::Updated(incident) => format!("updated {}", known(incident)),
        PlanningOutcome::Unchanged(incident) => format!("{} says so already", known(incident)),
        PlanningOutcome::LeftClosed(incident) => {
            format!(
                "{} was closed by a person and stays closed",
                known(incident)
            )
        }
        PlanningOutcome::LeftToRule => {
            "left to the analytics rule: the workspace is onboarded to the Defender portal"
                .to_owned()
        }
    }
}
