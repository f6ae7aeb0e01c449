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
}

impl SentinelTable {
    /// All tables.
    pub const ALL: [Self; 6] = [
        Self::SecurityIncident,
        Self::SecurityAlert,
        Self::SigninLogs,
        Self::CommonSecurityLog,
        Self::Usage,
        Self::ThreatIntelIndicators,
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
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 8] = [
        Self::Incidents,
        Self::IncidentsClosed,
        Self::Alerts,
        Self::FailedLogins,
        Self::UniqueSourceIpsDaily,
        Self::UniqueAttackerIps,
        Self::IngestedMegabytes,
        Self::ThreatIndicators,
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
        }
    }

    /// Whether its buckets are days (UTC) rather than hours.
    #[must_use]
    pub fn is_daily(self) -> bool {
        matches!(self, Self::UniqueSourceIpsDaily)
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
