//! Tables of networks.

use foretide_domain::{Measure, SentinelTable};

use super::{column, counted, identifier, moment, text};
use crate::declaration::{
    Counting, Identity, Kind, MeasureDeclaration, Quantity, TableDeclaration,
};
use crate::expression::{Condition, Text};

/// What firewalls call a denial.
const DENIALS: &[&str] = &[
    "deny",
    "denied",
    "drop",
    "dropped",
    "block",
    "blocked",
    "reject",
    "rejected",
    "reset-both",
];

pub(super) const COMMON_SECURITY_LOG: TableDeclaration = TableDeclaration {
    table: SentinelTable::CommonSecurityLog,
    what: "events of firewalls and proxies (CEF)",
    columns: &[
        moment("TimeGenerated"),
        text("SimplifiedDeviceAction"),
        text("DeviceAction"),
        identifier("SourceIP"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[
            Condition::OneOf(
                Text::Either(
                    &Text::Column("SimplifiedDeviceAction"),
                    &Text::Column("DeviceAction"),
                ),
                DENIALS,
            ),
            Condition::External("SourceIP"),
        ],
        counting: Counting::Distinct(Text::Address("SourceIP")),
        ..counted(
            Measure::UniqueAttackerIps,
            "distinct outside addresses that a firewall denied",
        )
    }],
};

pub(super) const NTA_NET_ANALYTICS: TableDeclaration = TableDeclaration {
    table: SentinelTable::NTANetAnalytics,
    what: "flow logs of virtual networks, aggregated by traffic analytics",
    columns: &[
        moment("TimeGenerated"),
        text("FlowType"),
        column("DeniedInFlows", Kind::Long),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[Condition::AtLeast("DeniedInFlows", 1)],
        counting: Counting::Sum(Quantity {
            column: "DeniedInFlows",
            unit: None,
        }),
        product: Some(Text::Column("FlowType")),
        ..counted(
            Measure::DeniedFlows,
            "inbound flows that were denied, by kind of flow (as product)",
        )
    }],
};

pub(super) const AZURE_NETWORK_ANALYTICS: TableDeclaration = TableDeclaration {
    table: SentinelTable::AzureNetworkAnalytics,
    what: "flow logs of network security groups, aggregated by traffic analytics",
    columns: &[
        moment("TimeGenerated"),
        text("FlowStatus_s"),
        text("FlowDirection_s"),
        text("L7Protocol_s"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[
            Condition::OneOf(Text::Column("FlowStatus_s"), &["D"]),
            Condition::OneOf(Text::Column("FlowDirection_s"), &["I"]),
        ],
        product: Some(Text::Column("L7Protocol_s")),
        ..counted(
            Measure::DeniedGroupFlows,
            "records of denied inbound flows, by application protocol (as product)",
        )
    }],
};
