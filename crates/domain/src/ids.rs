//! Typed identifiers: UUIDs of version 7, so that they sort by time of making.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be a UUID, got {got:?}")]
pub struct IdError {
    /// Which identifier was asked for.
    pub kind: &'static str,
    /// What was given instead, cut to 64 characters.
    pub got: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a fresh id is not a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The identifier as a UUID, for storage.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::from_str(text).map(Self).map_err(|_| IdError {
                    kind: $kind,
                    got: text.chars().take(64).collect(),
                })
            }
        }
    };
}

id!(
    /// One run of the pipeline. Every row anywhere carries it.
    RunId,
    "run_id"
);
id!(
    /// One job on the queue.
    JobId,
    "job_id"
);
id!(
    /// One forecast: all series of a use case, issued at one moment.
    ForecastId,
    "forecast_id"
);
id!(
    /// One period of raised load.
    RiskWindowId,
    "risk_window_id"
);
id!(
    /// One proposed action.
    ProposalId,
    "proposal_id"
);
