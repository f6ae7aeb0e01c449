//! What the SOC itself did or will do to its counts: a rule made less sensitive, a connector added.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What kind of change it is; each kind is a regressor of its own, since the kinds pull in different
/// directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnActionKind {
    /// An analytics rule was tuned, suppressed, disabled or added.
    RuleChange,
    /// A data connector was added or removed.
    ConnectorOnboarding,
}

/// A change of one's own that more, or fewer, incidents are to be expected from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnAction {
    /// First moment at which it works.
    pub start: DateTime<Utc>,
    /// First moment after it; absent when it lasts.
    #[serde(default)]
    pub end: Option<DateTime<Utc>>,
    /// What kind of change it is.
    pub kind: OwnActionKind,
    /// What people call it.
    pub name: String,
}

impl OwnAction {
    /// Whether it works during any part of the hour.
    pub(crate) fn touches(&self, hour: DateTime<Utc>) -> bool {
        self.start < hour + foretide_domain::HOUR && self.end.is_none_or(|end| hour < end)
    }
}
