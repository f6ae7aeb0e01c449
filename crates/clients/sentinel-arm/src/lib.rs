#![doc = include_str!("../README.md")]

mod alert_rules;
mod automation_rules;
mod bookmarks;
mod client;
mod config;
mod content;
mod error;
mod incident;
mod incidents;
mod limits;
mod operations;
mod planning;
mod read;
mod watchlist_sync;
mod watchlists;

pub use alert_rules::{AlertRule, RuleChange, RuleSnapshot};
pub use automation_rules::{
    AutomationAction, AutomationRule, Condition, Operator, TriggersOn, TriggersWhen,
};
pub use bookmarks::Bookmark;
pub use client::{Allowance, ArmClient};
pub use config::{ArmConfigError, PUBLIC_CLOUD_AUDIENCE, PUBLIC_CLOUD_ENDPOINT, WorkspaceConfig};
pub use content::{ContentBody, ContentKind, WouldClose};
pub use error::ArmError;
pub use foretide_domain::Severity;
pub use incident::{Incident, IncidentDraft, IncidentOwner, IncidentStatus, OpenStatus};
pub use incidents::{Comment, IncidentFilter, Relation};
pub use limits::{
    LARGEST_DETAILS_BYTES, LONGEST_COMMENT, LONGEST_DESCRIPTION, MOST_DETAILS, TRUNCATED,
    fit_comment, fit_description, fit_details,
};
pub use operations::OperationPace;
pub use planning::{PlanningIncident, PlanningIncidents, PlanningOutcome, PlanningRoute};
pub use watchlist_sync::{
    ChangeLedger, FileLedger, LedgerError, MONTHLY_CHANGES, SyncOutcome, WatchlistDiff,
    WatchlistSync, WatchlistSyncError,
};
pub use watchlists::{ItemFields, Watchlist, WatchlistItem};
