//! The declarations, table by table. Facts about tables are from the Azure Monitor table reference
//! (learn.microsoft.com/azure/azure-monitor/reference/tables-index).

mod cloud;
mod endpoint;
mod network;
mod sentinel;

use foretide_domain::{Measure, SentinelTable};

use crate::declaration::{Column, Counting, Kind, MeasureDeclaration, TableDeclaration};
use crate::expression::{Condition, Text};

/// How a table is declared.
#[must_use]
pub fn table(table: SentinelTable) -> &'static TableDeclaration {
    match table {
        SentinelTable::SecurityIncident => &sentinel::SECURITY_INCIDENT,
        SentinelTable::SecurityAlert => &sentinel::SECURITY_ALERT,
        SentinelTable::SigninLogs => &cloud::SIGNIN_LOGS,
        SentinelTable::CommonSecurityLog => &network::COMMON_SECURITY_LOG,
        SentinelTable::Usage => &sentinel::USAGE,
        SentinelTable::ThreatIntelIndicators => &sentinel::THREAT_INTEL_INDICATORS,
        SentinelTable::SecurityEvent => &endpoint::SECURITY_EVENT,
        SentinelTable::AADNonInteractiveUserSignInLogs => &cloud::NON_INTERACTIVE_SIGN_INS,
        SentinelTable::AuditLogs => &cloud::AUDIT_LOGS,
        SentinelTable::OfficeActivity => &cloud::OFFICE_ACTIVITY,
        SentinelTable::DeviceEvents => &endpoint::DEVICE_EVENTS,
        SentinelTable::DeviceInfo => &endpoint::DEVICE_INFO,
        SentinelTable::DeviceTvmSoftwareVulnerabilities => &endpoint::VULNERABILITIES,
        SentinelTable::NTANetAnalytics => &network::NTA_NET_ANALYTICS,
        SentinelTable::AzureNetworkAnalytics => &network::AZURE_NETWORK_ANALYTICS,
        SentinelTable::BehaviorAnalytics => &sentinel::BEHAVIOR_ANALYTICS,
        SentinelTable::IdentityInfo => &cloud::IDENTITY_INFO,
        SentinelTable::Anomalies => &sentinel::ANOMALIES,
        SentinelTable::Watchlist => &sentinel::WATCHLIST,
        SentinelTable::SentinelHealth => &sentinel::SENTINEL_HEALTH,
    }
}

/// How a measure is declared.
///
/// # Panics
/// Never: a test finds a measure that its table does not declare.
#[must_use]
pub fn measure(measure: Measure) -> &'static MeasureDeclaration {
    table(measure.table())
        .measures
        .iter()
        .find(|declared| declared.measure == measure)
        .expect("every measure is declared by its table")
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_identifier: false,
    }
}

/// A column that names a person, a machine or an address.
const fn identifier(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Text,
        is_identifier: true,
    }
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn moment(name: &'static str) -> Column {
    column(name, Kind::Moment)
}

/// Things by when they were logged, without labels: what most measures are, but for a thing or two.
const fn counted(measure: Measure, what: &'static str) -> MeasureDeclaration {
    MeasureDeclaration {
        measure,
        what,
        at: "TimeGenerated",
        only: &[],
        counting: Counting::Things,
        severity: None,
        product: None,
        tactic: None,
    }
}

/// A sign-in that was refused, for whatever reason.
const FAILED: &[Condition] = &[Condition::Not(Text::Column("ResultType"), "0")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn tables_and_measures_are_declared_where_they_belong() {
        for name in SentinelTable::ALL {
            assert_eq!(table(name).table, name);
            for declared in table(name).measures {
                assert_eq!(declared.measure.table(), name);
            }
        }
        for name in Measure::ALL {
            assert_eq!(measure(name).measure, name);
        }
    }

    #[test]
    fn only_columns_that_are_declared_are_used_and_all_of_those_are() {
        for name in SentinelTable::ALL {
            let declared = table(name);
            let mut used = vec!["TimeGenerated"];
            match declared.identity {
                Identity::EachRow => {}
                Identity::Latest { modified, .. } => used.push(modified),
                Identity::First { made, .. } => used.extend(made),
            }
            used.extend(declared.identity.key());
            used.extend(declared.required);
            used.extend(declared.never.iter().flat_map(Condition::columns));
            for measure in declared.measures {
                used.push(measure.at);
                used.extend(measure.only.iter().flat_map(Condition::columns));
                used.extend(measure.labels().flat_map(|(_, text)| text.columns()));
                match measure.counting {
                    Counting::Things => {}
                    Counting::Sum(quantity) => {
                        used.push(quantity.column);
                        used.extend(quantity.unit);
                    }
                    Counting::Distinct(text) => used.extend(text.columns()),
                }
            }
            for column in &used {
                assert!(declared.column(column).is_some(), "{name}.{column}");
            }
            for column in declared.columns {
                assert!(
                    used.contains(&column.name),
                    "{name}.{} is idle",
                    column.name
                );
            }
        }
    }

    #[test]
    fn no_label_names_a_person_or_a_machine() {
        for name in Measure::ALL {
            let identifiers: Vec<_> = table(name.table()).identifiers().collect();
            for (label, text) in measure(name).labels() {
                let columns = text.columns();
                assert!(
                    columns.iter().all(|column| !identifiers.contains(column)),
                    "{name}: {label}"
                );
            }
        }
    }
}
