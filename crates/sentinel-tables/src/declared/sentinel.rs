//! Tables of Sentinel itself and of the workspace.

use foretide_domain::{Measure, SentinelTable};

use super::{column, counted, moment, text};
use crate::declaration::{
    Counting, Identity, Kind, MeasureDeclaration, Quantity, TableDeclaration,
};
use crate::expression::{Condition, Text};

const FIRST_PRODUCT: Text = Text::FirstIn {
    column: "AdditionalData",
    property: "alertProductNames",
};
const INCIDENT_PRODUCT: Text = Text::Either(&FIRST_PRODUCT, &Text::Column("ProviderName"));
const FIRST_TACTIC: Text = Text::FirstIn {
    column: "AdditionalData",
    property: "tactics",
};

/// What Foretide's own rules and planning incidents are called by: what was predicted must not come
/// back as something that happened.
const OURS: &str = "Foretide:";

/// What Defender labels an incident with that it has merged into another, and closed itself.
const MERGED: &str = "Redirected";

pub(super) const SECURITY_INCIDENT: TableDeclaration = TableDeclaration {
    table: SentinelTable::SecurityIncident,
    what: "append-only log of incidents: a row at every change",
    columns: &[
        moment("TimeGenerated"),
        text("IncidentName"),
        text("Title"),
        moment("CreatedTime"),
        moment("LastModifiedTime"),
        moment("ClosedTime"),
        text("Status"),
        text("Severity"),
        text("ProviderName"),
        column("AdditionalData", Kind::Dynamic),
        column("Labels", Kind::Dynamic),
    ],
    identity: Identity::Latest {
        key: "IncidentName",
        modified: "LastModifiedTime",
    },
    required: &["CreatedTime"],
    never: &[
        Condition::Starting(Text::Column("Title"), OURS),
        Condition::Labelled("Labels", MERGED),
    ],
    measures: &[
        MeasureDeclaration {
            at: "CreatedTime",
            severity: Some(Text::Severity("Severity")),
            product: Some(INCIDENT_PRODUCT),
            tactic: Some(FIRST_TACTIC),
            ..counted(
                Measure::Incidents,
                "incidents, by when they were created; severity, product and tactic of their latest row",
            )
        },
        MeasureDeclaration {
            at: "ClosedTime",
            only: &[Condition::OneOf(Text::Column("Status"), &["Closed"])],
            severity: Some(Text::Severity("Severity")),
            product: Some(INCIDENT_PRODUCT),
            tactic: Some(FIRST_TACTIC),
            ..counted(
                Measure::IncidentsClosed,
                "incidents that are closed by their latest row, by when they were closed",
            )
        },
    ],
};

pub(super) const SECURITY_ALERT: TableDeclaration = TableDeclaration {
    table: SentinelTable::SecurityAlert,
    what: "alerts of all products: a row at every change",
    columns: &[
        moment("TimeGenerated"),
        text("SystemAlertId"),
        text("AlertName"),
        text("AlertSeverity"),
        text("ProductName"),
        text("ProviderName"),
        text("Tactics"),
    ],
    identity: Identity::First {
        key: "SystemAlertId",
        made: None,
    },
    required: &[],
    never: &[Condition::Starting(Text::Column("AlertName"), OURS)],
    measures: &[MeasureDeclaration {
        severity: Some(Text::Severity("AlertSeverity")),
        product: Some(Text::Either(
            &Text::Column("ProductName"),
            &Text::Column("ProviderName"),
        )),
        tactic: Some(Text::FirstListed("Tactics")),
        ..counted(
            Measure::Alerts,
            "alerts, by when they were seen first; labels of their latest row",
        )
    }],
};

pub(super) const USAGE: TableDeclaration = TableDeclaration {
    table: SentinelTable::Usage,
    what: "ingested volume of every table, a row an hour",
    columns: &[
        moment("TimeGenerated"),
        moment("StartTime"),
        text("DataType"),
        column("Quantity", Kind::Real),
        text("QuantityUnit"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        at: "StartTime",
        counting: Counting::Sum(Quantity {
            column: "Quantity",
            unit: Some("QuantityUnit"),
        }),
        product: Some(Text::Column("DataType")),
        ..counted(
            Measure::IngestedMegabytes,
            "ingested volume in MB, by table (as product)",
        )
    }],
};

pub(super) const THREAT_INTEL_INDICATORS: TableDeclaration = TableDeclaration {
    table: SentinelTable::ThreatIntelIndicators,
    what: "threat indicators, published again every 7 to 10 days",
    columns: &[moment("TimeGenerated"), text("Id"), moment("Created")],
    identity: Identity::First {
        key: "Id",
        made: Some("Created"),
    },
    required: &[],
    never: &[],
    measures: &[counted(
        Measure::ThreatIndicators,
        "indicators, each once, by when they were made",
    )],
};

pub(super) const BEHAVIOR_ANALYTICS: TableDeclaration = TableDeclaration {
    table: SentinelTable::BehaviorAnalytics,
    what: "activities that behaviour analytics has enriched",
    columns: &[
        moment("TimeGenerated"),
        text("ActivityType"),
        column("InvestigationPriority", Kind::Int),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[Condition::AtLeast("InvestigationPriority", 1)],
        product: Some(Text::Column("ActivityType")),
        ..counted(
            Measure::BehaviorFindings,
            "activities that are worth a look, by kind of activity (as product)",
        )
    }],
};

pub(super) const ANOMALIES: TableDeclaration = TableDeclaration {
    table: SentinelTable::Anomalies,
    what: "anomalies that the workspace's own rules have found",
    columns: &[
        moment("TimeGenerated"),
        text("Id"),
        text("AnomalyTemplateName"),
        text("Tactics"),
    ],
    identity: Identity::First {
        key: "Id",
        made: None,
    },
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        product: Some(Text::Column("AnomalyTemplateName")),
        tactic: Some(Text::FirstListed("Tactics")),
        ..counted(
            Measure::Anomalies,
            "anomalies, each once, by template (as product)",
        )
    }],
};

pub(super) const WATCHLIST: TableDeclaration = TableDeclaration {
    table: SentinelTable::Watchlist,
    what: "items of watchlists: a row at every change, and all of them again every 12 days",
    columns: &[
        moment("TimeGenerated"),
        text("WatchlistAlias"),
        text("_DTItemType"),
        text("_DTItemStatus"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[
            Condition::OneOf(Text::Column("_DTItemType"), &["watchlist-item"]),
            Condition::OneOf(
                Text::Column("_DTItemStatus"),
                &["Create", "Update", "Delete"],
            ),
        ],
        product: Some(Text::Column("WatchlistAlias")),
        ..counted(
            Measure::WatchlistChanges,
            "items that were added, changed or removed, by watchlist (as product)",
        )
    }],
};

pub(super) const SENTINEL_HEALTH: TableDeclaration = TableDeclaration {
    table: SentinelTable::SentinelHealth,
    what: "health of connectors, rules and playbooks",
    columns: &[
        moment("TimeGenerated"),
        text("Status"),
        text("SentinelResourceType"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[Condition::OneOf(
            Text::Column("Status"),
            &["Failure", "Partial success"],
        )],
        product: Some(Text::Column("SentinelResourceType")),
        ..counted(
            Measure::HealthFailures,
            "failures, whole or in part, by kind of resource (as product)",
        )
    }],
};
