//! Who has how many rows, and what they are counted by.

use std::sync::LazyLock;

use foretide_domain::{Measure, SentinelTable};

/// Labels that occur together, and how often beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) severity: &'static str,
    pub(super) product: &'static str,
    pub(super) tactic: &'static str,
    pub(super) weight: u64,
}

/// A table's share of all rows, in ten thousandths.
pub(super) fn share(table: SentinelTable) -> u64 {
    match table {
        SentinelTable::SecurityIncident => 40,
        SentinelTable::SecurityAlert => 400,
        SentinelTable::SigninLogs => 1200,
        SentinelTable::CommonSecurityLog => 2200,
        SentinelTable::Usage => 35,
        SentinelTable::ThreatIntelIndicators => 60,
        SentinelTable::SecurityEvent => 2000,
        SentinelTable::AADNonInteractiveUserSignInLogs => 1500,
        SentinelTable::AuditLogs => 120,
        SentinelTable::OfficeActivity => 500,
        SentinelTable::DeviceEvents => 1200,
        SentinelTable::DeviceInfo => 60,
        SentinelTable::DeviceTvmSoftwareVulnerabilities => 90,
        SentinelTable::NTANetAnalytics => 300,
        SentinelTable::AzureNetworkAnalytics => 200,
        SentinelTable::BehaviorAnalytics => 40,
        SentinelTable::IdentityInfo => 20,
        SentinelTable::Anomalies | SentinelTable::Watchlist => 5,
        SentinelTable::SentinelHealth => 25,
    }
}

/// What is counted of the rows: so many of so many. Amounts have more than one a row.
pub(super) fn fraction(measure: Measure) -> (u32, u32) {
    match measure {
        // an incident has a row for each of its changes
        Measure::Incidents => (1, 4),
        Measure::IncidentsClosed => (9, 40),
        Measure::Alerts | Measure::KnownVulnerabilitiesDaily => (1, 2),
        Measure::FailedLogins => (1, 12),
        Measure::UniqueSourceIpsDaily => (1, 30),
        Measure::UniqueAttackerIps => (1, 9),
        // megabytes
        Measure::IngestedMegabytes => (250, 1),
        Measure::ThreatIndicators => (1, 8),
        Measure::WindowsSecurityEvents => (2, 5),
        Measure::FailedLogonAccounts | Measure::NonInteractiveFailures => (1, 20),
        Measure::DirectoryChanges => (9, 10),
        Measure::OfficeOperations | Measure::EndpointEvents => (1, 1),
        Measure::ActiveDevicesDaily => (1, 3),
        Measure::DeniedFlows => (7, 2),
        Measure::DeniedGroupFlows => (1, 3),
        Measure::BehaviorFindings | Measure::HealthFailures => (1, 6),
        Measure::KnownIdentitiesDaily => (2, 3),
        Measure::Anomalies => (1, 1),
        Measure::WatchlistChanges => (3, 4),
    }
}

const SEVERITIES: [(&str, u64); 4] = [
    ("High", 12),
    ("Medium", 33),
    ("Low", 30),
    ("Informational", 25),
];
const PRODUCTS: [(&str, u64); 8] = [
    ("Microsoft Defender for Endpoint", 34),
    ("Azure Sentinel", 22),
    ("Microsoft Defender for Office 365", 16),
    ("Azure Active Directory Identity Protection", 10),
    ("Microsoft Defender for Cloud", 8),
    ("Microsoft Cloud App Security", 5),
    ("Microsoft Defender for Identity", 3),
    ("Microsoft Data Loss Prevention", 2),
];
const TACTICS: [(&str, u64); 12] = [
    ("InitialAccess", 26),
    ("CredentialAccess", 15),
    ("Execution", 12),
    ("Persistence", 10),
    ("DefenseEvasion", 9),
    ("Discovery", 8),
    ("LateralMovement", 5),
    ("CommandAndControl", 5),
    ("Collection", 4),
    ("Exfiltration", 3),
    ("PrivilegeEscalation", 2),
    ("Impact", 1),
];
const WINDOWS_EVENTS: [(&str, u64); 15] = [
    ("4625", 340),
    ("4672", 300),
    ("4648", 160),
    ("4738", 60),
    ("4697", 30),
    ("4698", 25),
    ("4720", 20),
    ("4726", 15),
    ("4728", 12),
    ("4732", 12),
    ("4740", 10),
    ("4756", 6),
    ("7045", 5),
    ("4719", 3),
    ("1102", 2),
];
const CLIENT_APPS: [(&str, u64); 5] = [
    ("Mobile Apps and Desktop clients", 55),
    ("Browser", 30),
    ("Exchange ActiveSync", 8),
    ("IMAP4", 4),
    ("Authenticated SMTP", 3),
];
const CATEGORIES: [(&str, u64); 8] = [
    ("UserManagement", 38),
    ("GroupManagement", 25),
    ("ApplicationManagement", 14),
    ("RoleManagement", 8),
    ("Device", 6),
    ("Policy", 4),
    ("Authentication", 3),
    ("DirectoryManagement", 2),
];
const WORKLOADS: [(&str, u64); 6] = [
    ("Exchange", 40),
    ("SharePoint", 26),
    ("OneDrive", 18),
    ("MicrosoftTeams", 12),
    ("AzureActiveDirectory", 3),
    ("SecurityComplianceCenter", 1),
];
const ACTIONS: [(&str, u64); 14] = [
    ("ProcessCreatedUsingWmiQuery", 200),
    ("NamedPipeEvent", 180),
    ("DnsQueryResponse", 160),
    ("ScheduledTaskCreated", 90),
    ("AntivirusScanCompleted", 80),
    ("PowerShellCommand", 70),
    ("UsbDriveMounted", 50),
    ("UserAccountModified", 40),
    ("ExploitGuardNetworkProtectionAudited", 35),
    ("SmartScreenUrlWarning", 30),
    ("AsrOfficeChildProcessAudited", 25),
    ("AntivirusDetection", 20),
    ("RemoteWmiOperation", 12),
    ("TamperingAttempt", 8),
];
const SYSTEMS: [(&str, u64); 5] = [
    ("Windows11", 60),
    ("WindowsServer2022", 20),
    ("macOS", 10),
    ("Linux", 7),
    ("iOS", 3),
];
const VENDOR_SEVERITIES: [(&str, u64); 4] =
    [("Critical", 8), ("High", 42), ("Medium", 40), ("Low", 10)];
const FLOWS: [(&str, u64); 4] = [
    ("ExternalPublic", 60),
    ("MaliciousFlow", 25),
    ("InterVNet", 10),
    ("IntraVNet", 5),
];
const PROTOCOLS: [(&str, u64); 6] = [
    ("ms-wbt-server", 35),
    ("ssh", 30),
    ("microsoft-ds", 15),
    ("https", 10),
    ("telnet", 6),
    ("ms-sql-s", 4),
];
const ACTIVITIES: [(&str, u64); 5] = [
    ("LogOn", 50),
    ("FailedLogOn", 30),
    ("ElevateAccess", 10),
    ("ResourceAccess", 7),
    ("ResetUserPassword", 3),
];
const USER_TYPES: [(&str, u64); 2] = [("Member", 85), ("Guest", 15)];
const TEMPLATES: [(&str, u64); 6] = [
    ("Anomalous Sign-in", 40),
    ("Attempted user account bruteforce", 20),
    ("Suspicious volume of logins", 15),
    ("Anomalous Code Execution", 10),
    ("Domain Generation Algorithm", 10),
    ("Excessive Downloads", 5),
];
const WATCHLISTS: [(&str, u64); 4] = [
    ("HighValueAssets", 40),
    ("VIPUsers", 30),
    ("NetworkAddresses", 20),
    ("TerminatedEmployees", 10),
];
const RESOURCES: [(&str, u64); 3] = [
    ("Data connector", 55),
    ("Analytics Rule", 35),
    ("Playbook", 10),
];
const NONE: [(&str, u64); 1] = [("", 1)];

fn combined(
    severities: &[(&'static str, u64)],
    products: &[(&'static str, u64)],
    tactics: &[(&'static str, u64)],
) -> Vec<Labels> {
    let mut all = Vec::new();
    for (severity, often) in severities {
        for (product, of_these) in products {
            for (tactic, of_those) in tactics {
                all.push(Labels {
                    severity,
                    product,
                    tactic,
                    weight: often * of_these * of_those,
                });
            }
        }
    }
    all
}

fn of_measure(measure: Measure) -> Vec<Labels> {
    let products = |products| combined(&NONE, products, &NONE);
    match measure {
        Measure::Incidents | Measure::IncidentsClosed | Measure::Alerts => {
            combined(&SEVERITIES, &PRODUCTS, &TACTICS)
        }
        Measure::FailedLogins
        | Measure::UniqueSourceIpsDaily
        | Measure::UniqueAttackerIps
        | Measure::ThreatIndicators
        | Measure::FailedLogonAccounts => products(&NONE),
        Measure::IngestedMegabytes => {
            let tables = SentinelTable::ALL.map(|table| (table.name(), share(table)));
            products(&tables)
        }
        Measure::WindowsSecurityEvents => products(&WINDOWS_EVENTS),
        Measure::NonInteractiveFailures => products(&CLIENT_APPS),
        Measure::DirectoryChanges => products(&CATEGORIES),
        Measure::OfficeOperations => products(&WORKLOADS),
        Measure::EndpointEvents => products(&ACTIONS),
        Measure::ActiveDevicesDaily => products(&SYSTEMS),
        Measure::KnownVulnerabilitiesDaily => combined(&VENDOR_SEVERITIES, &NONE, &NONE),
        Measure::DeniedFlows => products(&FLOWS),
        Measure::DeniedGroupFlows => products(&PROTOCOLS),
        Measure::BehaviorFindings => products(&ACTIVITIES),
        Measure::KnownIdentitiesDaily => products(&USER_TYPES),
        Measure::Anomalies => combined(&NONE, &TEMPLATES, &TACTICS),
        Measure::WatchlistChanges => products(&WATCHLISTS),
        Measure::HealthFailures => products(&RESOURCES),
    }
}

/// What a measure is counted by.
pub(super) fn labels(measure: Measure) -> &'static [Labels] {
    static ALL: LazyLock<Vec<Vec<Labels>>> =
        LazyLock::new(|| Measure::ALL.into_iter().map(of_measure).collect());
    let at = Measure::ALL.iter().position(|known| *known == measure);
    at.map_or(&[], |at| &ALL[at])
}
