//! What the broker needs from elsewhere.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use foretide_domain::{ForecastId, UseCaseId};
use foretide_sentinel_arm::PlanningIncident;
use foretide_teams::TeamsMessage;

use crate::error::BrokerError;
use crate::model::{IssuedForecast, PhaseState, RiskWindow};

/// Forecasts and the risk windows found in them.
#[async_trait]
pub(crate) trait Forecasts: Send + Sync + 'static {
    /// Forecasts issued around the moment, newest first.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn issued_around(
        &self,
        use_case: &UseCaseId,
        moment: DateTime<Utc>,
    ) -> Result<Vec<IssuedForecast>, BrokerError>;

    /// Risk windows of a forecast.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn risk_windows(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
    ) -> Result<Vec<RiskWindow>, BrokerError>;
}

/// Phases of use cases.
#[async_trait]
pub(crate) trait Phases: Send + Sync + 'static {
    /// How far the use case may go.
    ///
    /// # Errors
    /// When it is not known. Nothing is done then.
    async fn phase(&self, use_case: &UseCaseId) -> Result<PhaseState, BrokerError>;
}

/// Whoever takes notices.
#[async_trait]
pub(crate) trait Messenger: Send + Sync + 'static {
    /// Sends a message and says what was answered.
    ///
    /// # Errors
    /// Why it was not, or is not known to be, taken.
    async fn send(&self, message: &TeamsMessage) -> Result<String, SendError>;
}

/// Whoever takes planning incidents.
#[async_trait]
pub(crate) trait Planner: Send + Sync + 'static {
    /// Creates the scope's incident or brings the open one up to date, and says which. The same again
    /// changes nothing.
    ///
    /// # Errors
    /// Why it was not, or is not known to be, written.
    async fn raise(&self, incident: &PlanningIncident) -> Result<String, SendError>;
}

/// A notice or incident that was not taken, as text for people. Never holds the webhook's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SendError(pub String);
