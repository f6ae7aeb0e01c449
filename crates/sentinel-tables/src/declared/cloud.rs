//! Tables of Entra ID and Microsoft 365.

use foretide_domain::{Measure, SentinelTable};

use super::{FAILED, counted, identifier, moment, text};
use crate::declaration::{Counting, Identity, MeasureDeclaration, TableDeclaration};
use crate::expression::{Condition, Text};

pub(super) const SIGNIN_LOGS: TableDeclaration = TableDeclaration {
    table: SentinelTable::SigninLogs,
    what: "interactive sign-ins of users",
    columns: &[
        moment("TimeGenerated"),
        text("ResultType"),
        identifier("IPAddress"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[
        MeasureDeclaration {
            only: FAILED,
            ..counted(Measure::FailedLogins, "sign-ins that failed")
        },
        MeasureDeclaration {
            counting: Counting::Distinct(Text::Address("IPAddress")),
            ..counted(
                Measure::UniqueSourceIpsDaily,
                "distinct source addresses of sign-ins, by UTC day",
            )
        },
    ],
};

pub(super) const NON_INTERACTIVE_SIGN_INS: TableDeclaration = TableDeclaration {
    table: SentinelTable::AADNonInteractiveUserSignInLogs,
    what: "sign-ins that a client made on behalf of a user",
    columns: &[
        moment("TimeGenerated"),
        text("ResultType"),
        text("ClientAppUsed"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: FAILED,
        product: Some(Text::Column("ClientAppUsed")),
        ..counted(
            Measure::NonInteractiveFailures,
            "sign-ins that failed, by kind of client (as product)",
        )
    }],
};

pub(super) const AUDIT_LOGS: TableDeclaration = TableDeclaration {
    table: SentinelTable::AuditLogs,
    what: "changes in the directory",
    columns: &[moment("TimeGenerated"), text("Category"), text("Result")],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        only: &[Condition::OneOf(Text::Column("Result"), &["success"])],
        product: Some(Text::Column("Category")),
        ..counted(
            Measure::DirectoryChanges,
            "changes that were made, by category (as product)",
        )
    }],
};

pub(super) const OFFICE_ACTIVITY: TableDeclaration = TableDeclaration {
    table: SentinelTable::OfficeActivity,
    what: "operations of users and administrators in Microsoft 365",
    columns: &[moment("TimeGenerated"), text("OfficeWorkload")],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        product: Some(Text::Column("OfficeWorkload")),
        ..counted(
            Measure::OfficeOperations,
            "operations, by workload (as product)",
        )
    }],
};

pub(super) const IDENTITY_INFO: TableDeclaration = TableDeclaration {
    table: SentinelTable::IdentityInfo,
    what: "accounts: all of them every 14 days, and every change",
    columns: &[
        moment("TimeGenerated"),
        identifier("AccountObjectId"),
        text("UserType"),
    ],
    identity: Identity::EachRow,
    required: &[],
    never: &[],
    measures: &[MeasureDeclaration {
        counting: Counting::Distinct(Text::Lower("AccountObjectId")),
        product: Some(Text::Column("UserType")),
        ..counted(
            Measure::KnownIdentitiesDaily,
            "distinct accounts told of in a UTC day, by kind of user (as product)",
        )
    }],
};
