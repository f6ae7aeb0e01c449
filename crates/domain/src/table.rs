//! Sentinel tables that are read, and the measures that are counted from them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A table of a Sentinel workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SentinelTable {
    /// Append-only log of incidents: one row at every change.
    SecurityIncident,
    /// Alerts; repeated at every change.
    SecurityAlert,
    /// Interactive sign-ins.
    SigninLogs,
    /// Firewall and proxy events.
    CommonSecurityLog,
    /// Ingested volume by table, hourly, in MB.
    Usage,
    /// Threat intelligence indicators; republished every 7 to 10 days.
    ThreatIntelIndicators,
    /// Windows security events.
    SecurityEvent,
    /// Sign-ins by applications on behalf of users.
    AADNonInteractiveUserSignInLogs,
    /// Changes in the directory.
    AuditLogs,
    /// What users and administrators do in Microsoft 365.
    OfficeActivity,
    /// Events of Defender for Endpoint.
    DeviceEvents,
    /// Onboarded devices, reported again and again.
    DeviceInfo,
    /// Known vulnerabilities of installed software: a snapshot a day.
    DeviceTvmSoftwareVulnerabilities,
    /// Virtual network flow logs, aggregated.
    NTANetAnalytics,
    /// Network security group flow logs, aggregated: `AzureNetworkAnalytics_CL`.
    #[serde(rename = "AzureNetworkAnalytics_CL")]
    AzureNetworkAnalytics,
    /// Activities that the workspace's behaviour analytics has looked at.
    BehaviorAnalytics,
    /// Accounts: a snapshot every two weeks, and changes.
    IdentityInfo,
    /// Anomalies that the workspace has found.
    Anomalies,
    /// Items of watchlists: a row at every change, repeated every 12 days.
    Watchlist,
    /// Whether connectors and rules of Sentinel work.
    SentinelHealth,
}

impl SentinelTable {
    /// All tables.
    pub const ALL: [Self; 20] = [
        Self::SecurityIncident,
        Self::SecurityAlert,
        Self::SigninLogs,
        Self::CommonSecurityLog,
        Self::Usage,
        Self::ThreatIntelIndicators,
        Self::SecurityEvent,
        Self::AADNonInteractiveUserSignInLogs,
        Self::AuditLogs,
        Self::OfficeActivity,
        Self::DeviceEvents,
        Self::DeviceInfo,
        Self::DeviceTvmSoftwareVulnerabilities,
        Self::NTANetAnalytics,
        Self::AzureNetworkAnalytics,
        Self::BehaviorAnalytics,
        Self::IdentityInfo,
        Self::Anomalies,
        Self::Watchlist,
        Self::SentinelHealth,
    ];

    /// The table's name in the workspace.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecurityIncident => "SecurityIncident",
            Self::SecurityAlert => "SecurityAlert",
            Self::SigninLogs => "SigninLogs",
            Self::CommonSecurityLog => "CommonSecurityLog",
            Self::Usage => "Usage",
            Self::ThreatIntelIndicators => "ThreatIntelIndicators",
            Self::SecurityEvent => "SecurityEvent",
            Self::AADNonInteractiveUserSignInLogs => "AADNonInteractiveUserSignInLogs",
            Self::AuditLogs => "AuditLogs",
            Self::OfficeActivity => "OfficeActivity",
            Self::DeviceEvents => "DeviceEvents",
            Self::DeviceInfo => "DeviceInfo",
            Self::DeviceTvmSoftwareVulnerabilities => "DeviceTvmSoftwareVulnerabilities",
            Self::NTANetAnalytics => "NTANetAnalytics",
            Self::AzureNetworkAnalytics => "AzureNetworkAnalytics_CL",
            Self::BehaviorAnalytics => "BehaviorAnalytics",
            Self::IdentityInfo => "IdentityInfo",
            Self::Anomalies => "Anomalies",
            Self::Watchlist => "Watchlist",
            Self::SentinelHealth => "SentinelHealth",
        }
    }
}

impl fmt::Display for SentinelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SentinelTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|table| table.name()).collect();
                format!("unknown table {text:?}: use one of {}", names.join(", "))
            })
    }
}

/// Something counted, hour by hour (or day by day), from one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Incidents by hour of creation: the latest row of each incident, once.
    Incidents,
    /// Incidents by hour of closing.
    IncidentsClosed,
    /// Alerts by hour, the latest row of each alert, once.
    Alerts,
    /// Sign-ins that failed (`ResultType` other than "0").
    FailedLogins,
    /// Distinct source addresses of sign-ins, by day.
    UniqueSourceIpsDaily,
    /// Distinct external source addresses that the firewall denied, by hour.
    UniqueAttackerIps,
    /// Ingested volume, MB.
    IngestedMegabytes,
    /// New threat indicators, each counted once.
    ThreatIndicators,
    /// Windows events that matter to a SOC, by event id.
    WindowsSecurityEvents,
    /// Distinct accounts whose logon failed on a machine, by hour.
    FailedLogonAccounts,
    /// Sign-ins on behalf of a user that failed.
    NonInteractiveFailures,
    /// Changes in the directory, by category.
    DirectoryChanges,
    /// Operations in Microsoft 365, by workload.
    OfficeOperations,
    /// Events of endpoints, by kind of action.
    EndpointEvents,
    /// Distinct devices that have reported, by day and operating system.
    ActiveDevicesDaily,
    /// Distinct CVEs in the estate, by day and severity.
    KnownVulnerabilitiesDaily,
    /// Inbound flows that a virtual network denied, by kind of flow.
    DeniedFlows,
    /// Inbound flow records that a network security group denied, by protocol.
    DeniedGroupFlows,
    /// Activities with an investigation priority above zero, by kind.
    BehaviorFindings,
    /// Distinct accounts in the snapshots of a day.
    KnownIdentitiesDaily,
    /// Anomalies, each counted once, by template and tactic.
    Anomalies,
    /// Changes of watchlist items, by watchlist.
    WatchlistChanges,
    /// Failures of connectors and rules, by kind of resource.
    HealthFailures,
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 23] = [
        Self::Incidents,
        Self::IncidentsClosed,
        Self::Alerts,
        Self::FailedLogins,
        Self::UniqueSourceIpsDaily,
        Self::UniqueAttackerIps,
        Self::IngestedMegabytes,
        Self::ThreatIndicators,
        Self::WindowsSecurityEvents,
        Self::FailedLogonAccounts,
        Self::NonInteractiveFailures,
        Self::DirectoryChanges,
        Self::OfficeOperations,
        Self::EndpointEvents,
        Self::ActiveDevicesDaily,
        Self::KnownVulnerabilitiesDaily,
        Self::DeniedFlows,
        Self::DeniedGroupFlows,
        Self::BehaviorFindings,
        Self::KnownIdentitiesDaily,
        Self::Anomalies,
        Self::WatchlistChanges,
        Self::HealthFailures,
    ];

    /// The name used in lake paths and configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Incidents => "incidents",
            Self::IncidentsClosed => "incidents_closed",
            Self::Alerts => "alerts",
            Self::FailedLogins => "failed_logins",
            Self::UniqueSourceIpsDaily => "unique_source_ips_daily",
            Self::UniqueAttackerIps => "unique_attacker_ips",
            Self::IngestedMegabytes => "ingested_megabytes",
            Self::ThreatIndicators => "threat_indicators",
            Self::WindowsSecurityEvents => "windows_security_events",
            Self::FailedLogonAccounts => "failed_logon_accounts",
            Self::NonInteractiveFailures => "non_interactive_failures",
            Self::DirectoryChanges => "directory_changes",
            Self::OfficeOperations => "office_operations",
            Self::EndpointEvents => "endpoint_events",
            Self::ActiveDevicesDaily => "active_devices_daily",
            Self::KnownVulnerabilitiesDaily => "known_vulnerabilities_daily",
            Self::DeniedFlows => "denied_flows",
            Self::DeniedGroupFlows => "denied_group_flows",
            Self::BehaviorFindings => "behavior_findings",
            Self::KnownIdentitiesDaily => "known_identities_daily",
            Self::Anomalies => "anomalies",
            Self::WatchlistChanges => "watchlist_changes",
            Self::HealthFailures => "health_failures",
        }
    }

    /// The table it is counted from.
    #[must_use]
    pub fn table(self) -> SentinelTable {
        match self {
            Self::Incidents | Self::IncidentsClosed => SentinelTable::SecurityIncident,
            Self::Alerts => SentinelTable::SecurityAlert,
            Self::FailedLogins | Self::UniqueSourceIpsDaily => SentinelTable::SigninLogs,
            Self::UniqueAttackerIps => SentinelTable::CommonSecurityLog,
            Self::IngestedMegabytes => SentinelTable::Usage,
            Self::ThreatIndicators => SentinelTable::ThreatIntelIndicators,
            Self::WindowsSecurityEvents | Self::FailedLogonAccounts => SentinelTable::SecurityEvent,
            Self::NonInteractiveFailures => SentinelTable::AADNonInteractiveUserSignInLogs,
            Self::DirectoryChanges => SentinelTable::AuditLogs,
            Self::OfficeOperations => SentinelTable::OfficeActivity,
            Self::EndpointEvents => SentinelTable::DeviceEvents,
            Self::ActiveDevicesDaily => SentinelTable::DeviceInfo,
            Self::KnownVulnerabilitiesDaily => SentinelTable::DeviceTvmSoftwareVulnerabilities,
            Self::DeniedFlows => SentinelTable::NTANetAnalytics,
            Self::DeniedGroupFlows => SentinelTable::AzureNetworkAnalytics,
            Self::BehaviorFindings => SentinelTable::BehaviorAnalytics,
            Self::KnownIdentitiesDaily => SentinelTable::IdentityInfo,
            Self::Anomalies => SentinelTable::Anomalies,
            Self::WatchlistChanges => SentinelTable::Watchlist,
            Self::HealthFailures => SentinelTable::SentinelHealth,
        }
    }

    /// Whether its buckets are days (UTC) rather than hours.
    #[must_use]
    pub fn is_daily(self) -> bool {
        matches!(
            self,
            Self::UniqueSourceIpsDaily
                | Self::ActiveDevicesDaily
                | Self::KnownVulnerabilitiesDaily
                | Self::KnownIdentitiesDaily
        )
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|measure| measure.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|measure| measure.name()).collect();
                format!("unknown measure {text:?}: use one of {}", names.join(", "))
            })
    }
}
