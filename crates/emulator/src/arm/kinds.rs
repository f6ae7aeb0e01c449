//! Which resource types there are.

/// A resource type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    SavedSearch,
    SummaryRule,
    DataCollectionRule,
    DataCollectionEndpoint,
    Workbook,
    AlertRule,
    AutomationRule,
    Incident,
    Comment,
    Task,
    Relation,
    Watchlist,
    WatchlistItem,
    Bookmark,
    OnboardingState,
    Hunt,
}

const SENTINEL: &[&str] = &[
    "2021-10-01",
    "2022-11-01",
    "2023-02-01",
    "2023-11-01",
    "2024-03-01",
    "2024-09-01",
    "2025-03-01",
    "2025-06-01",
    "2025-09-01",
    "2025-07-01-preview",
    "2025-10-01-preview",
];
const SENTINEL_PREVIEW: &[&str] = &["2025-07-01-preview", "2025-10-01-preview"];
const WORKSPACE: &[&str] = &[
    "2020-08-01",
    "2022-10-01",
    "2023-09-01",
    "2025-02-01",
    "2025-07-01",
];
const SUMMARY_RULES: &[&str] = &["2023-01-01-preview", "2025-07-01"];
const DATA_COLLECTION: &[&str] = &["2022-06-01", "2023-03-11", "2024-03-11"];
const WORKBOOKS: &[&str] = &["2021-08-01", "2022-04-01", "2023-06-01"];

impl Kind {
    /// Types below the workspace, below Sentinel on it, below the resource group.
    pub(crate) const IN_WORKSPACE: [Self; 3] = [Self::Table, Self::SavedSearch, Self::SummaryRule];
    pub(crate) const IN_SENTINEL: [Self; 7] = [
        Self::AlertRule,
        Self::AutomationRule,
        Self::Incident,
        Self::Watchlist,
        Self::Bookmark,
        Self::OnboardingState,
        Self::Hunt,
    ];
    pub(crate) const IN_INSIGHTS: [Self; 3] = [
        Self::DataCollectionRule,
        Self::DataCollectionEndpoint,
        Self::Workbook,
    ];

    pub(crate) fn resource_type(self) -> &'static str {
        match self {
            Self::Table => "Microsoft.OperationalInsights/workspaces/tables",
            Self::SavedSearch => "Microsoft.OperationalInsights/workspaces/savedSearches",
            Self::SummaryRule => "Microsoft.OperationalInsights/workspaces/summaryLogs",
            Self::DataCollectionRule => "Microsoft.Insights/dataCollectionRules",
            Self::DataCollectionEndpoint => "Microsoft.Insights/dataCollectionEndpoints",
            Self::Workbook => "Microsoft.Insights/workbooks",
            Self::AlertRule => "Microsoft.SecurityInsights/alertRules",
            Self::AutomationRule => "Microsoft.SecurityInsights/automationRules",
            Self::Incident => "Microsoft.SecurityInsights/incidents",
            Self::Comment => "Microsoft.SecurityInsights/incidents/comments",
            Self::Task => "Microsoft.SecurityInsights/incidents/tasks",
            Self::Relation => "Microsoft.SecurityInsights/incidents/relations",
            Self::Watchlist => "Microsoft.SecurityInsights/watchlists",
            Self::WatchlistItem => "Microsoft.SecurityInsights/watchlists/watchlistItems",
            Self::Bookmark => "Microsoft.SecurityInsights/bookmarks",
            Self::OnboardingState => "Microsoft.SecurityInsights/onboardingStates",
            Self::Hunt => "Microsoft.SecurityInsights/hunts",
        }
    }

    /// Last part of the type: the collection's name in a path.
    pub(crate) fn collection(self) -> &'static str {
        let resource_type = self.resource_type();
        resource_type.rsplit('/').next().unwrap_or(resource_type)
    }

    pub(crate) fn api_versions(self) -> &'static [&'static str] {
        match self {
            Self::Table | Self::SavedSearch => WORKSPACE,
            Self::SummaryRule => SUMMARY_RULES,
            Self::DataCollectionRule | Self::DataCollectionEndpoint => DATA_COLLECTION,
            Self::Workbook => WORKBOOKS,
            Self::Hunt => SENTINEL_PREVIEW,
            _ => SENTINEL,
        }
    }

    /// Types below a resource of this one.
    pub(crate) fn children(self) -> &'static [Self] {
        match self {
            Self::Incident => &[Self::Comment, Self::Task, Self::Relation],
            Self::Watchlist => &[Self::WatchlistItem],
            _ => &[],
        }
    }

    /// Whether Azure takes its time over writing it.
    pub(crate) fn is_written_slowly(self) -> bool {
        matches!(self, Self::Table)
    }

    /// Whether the properties bear a provisioning state.
    pub(crate) fn is_provisioned(self) -> bool {
        matches!(
            self,
            Self::Table
                | Self::Watchlist
                | Self::DataCollectionRule
                | Self::DataCollectionEndpoint
                | Self::SummaryRule
        )
    }
}
