//! Tables of machines.

use foretide_domain::{Measure, SentinelTable};

use super::{column, counted, identifier, moment, text};
use crate::declaration::{Counting, Identity, Kind, MeasureDeclaration, TableDeclaration};
use crate::expression::{Condition, Text};

/// Windows events a SOC cares for: cleared log, failed and explicit logon, special privileges, and
/// changes of accounts, groups, policies, services and tasks.
const TELLING_EVENTS: &[&str] = &[
    "1102", "4625", "4648", "4672", "4697", "4698", "4719", "4720", "4726", "4728", "4732", "4738",
    "4740", "4756", "7045",
];

pub(super) const SECURITY_EVENT: TableDeclaration = TableDeclaration {
    table: SentinelTable::SecurityEvent,
    what: "security events of Windows machines",
    columns: &[
        moment("TimeGenerated"),
        column("EventID", Kind::Int),
        identifier("TargetAccount"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[
        MeasureDeclaration {
            only: &[Condition::OneOf(Text::Column("EventID"), TELLING_EVENTS)],
            product: Some(Text::Column("EventID")),
            ..counted(
                Measure::WindowsSecurityEvents,
                "events that matter to a SOC, by event id (as product)",
            )
        },
        MeasureDeclaration {
            only: &[Condition::OneOf(Text::Column("EventID"), &["4625"])],
            counting: Counting::Distinct(Text::Lower("TargetAccount")),
            ..counted(
                Measure::FailedLogonAccounts,
                "distinct accounts whose logon failed (event 4625)",
            )
        },
    ],
};

pub(super) const DEVICE_EVENTS: TableDeclaration = TableDeclaration {
    table: SentinelTable::DeviceEvents,
    what: "events of Defender for Endpoint",
    columns: &[moment("TimeGenerated"), text("ActionType")],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        product: Some(Text::Column("ActionType")),
        ..counted(
            Measure::EndpointEvents,
            "events, by kind of action (as product)",
        )
    }],
};

pub(super) const DEVICE_INFO: TableDeclaration = TableDeclaration {
    table: SentinelTable::DeviceInfo,
    what: "onboarded devices, reported again and again",
    columns: &[
        moment("TimeGenerated"),
        identifier("DeviceId"),
        text("OSPlatform"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        counting: Counting::Distinct(Text::Lower("DeviceId")),
        product: Some(Text::Column("OSPlatform")),
        ..counted(
            Measure::ActiveDevicesDaily,
            "distinct devices that reported in a UTC day, by operating system (as product)",
        )
    }],
};

pub(super) const VULNERABILITIES: TableDeclaration = TableDeclaration {
    table: SentinelTable::DeviceTvmSoftwareVulnerabilities,
    what: "known vulnerabilities of installed software: a snapshot a day",
    columns: &[
        moment("TimeGenerated"),
        text("CveId"),
        text("VulnerabilitySeverityLevel"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        counting: Counting::Distinct(Text::Column("CveId")),
        severity: Some(Text::Column("VulnerabilitySeverityLevel")),
        ..counted(
            Measure::KnownVulnerabilitiesDaily,
            "distinct CVEs in the estate on a UTC day, by the vendor's severity",
        )
    }],
};
