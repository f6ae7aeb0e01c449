//! The Azure clouds: where each one's tokens come from, and what its services are called in them.

use serde::Deserialize;
use url::Url;

/// An Azure cloud. Each has its own Entra ID, and its own name for every service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Azure, also called public, commercial or global.
    #[default]
    Public,
    /// Azure Government of the United States.
    UsGov,
    /// Azure operated by 21Vianet in China.
    China,
}

impl Cloud {
    /// Every cloud there is a preset for.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGov, Self::China];

    /// Address of its Entra ID.
    ///
    /// # Panics
    /// Never: the addresses are constants.
    #[must_use]
    pub fn authority(self) -> Url {
        url(match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGov => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        })
    }

    /// Audience of the Log Analytics query API.
    #[must_use]
    pub fn log_analytics_audience(self) -> &'static str {
        match self {
            Self::Public => "https://api.loganalytics.io",
            Self::UsGov => "https://api.loganalytics.us",
            Self::China => "https://api.loganalytics.azure.cn",
        }
    }

    /// Address of the Log Analytics query API.
    ///
    /// # Panics
    /// Never: the addresses are constants.
    #[must_use]
    pub fn log_analytics_endpoint(self) -> Url {
        url(match self {
            Self::Public => "https://api.loganalytics.azure.com",
            Self::UsGov => "https://api.loganalytics.us",
            Self::China => "https://api.loganalytics.azure.cn",
        })
    }

    /// Audience of the Logs Ingestion API.
    #[must_use]
    pub fn monitor_audience(self) -> &'static str {
        match self {
            Self::Public => "https://monitor.azure.com",
            Self::UsGov => "https://monitor.azure.us",
            Self::China => "https://monitor.azure.cn",
        }
    }

    /// Address of Azure Resource Manager.
    ///
    /// # Panics
    /// Never: the addresses are constants.
    #[must_use]
    pub fn resource_manager_endpoint(self) -> Url {
        url(match self {
            Self::Public => "https://management.azure.com",
            Self::UsGov => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        })
    }

    /// Audience of Azure Resource Manager.
    #[must_use]
    pub fn resource_manager_audience(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::UsGov => "https://management.usgovcloudapi.net",
            Self::China => "https://management.chinacloudapi.cn",
        }
    }

    /// Audience of Microsoft Graph.
    #[must_use]
    pub fn graph_audience(self) -> &'static str {
        match self {
            Self::Public => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a constant address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clouds_share_an_address_or_an_audience() {
        let names = |cloud: Cloud| {
            [
                cloud.authority().to_string(),
                cloud.log_analytics_audience().to_owned(),
                cloud.log_analytics_endpoint().to_string(),
                cloud.monitor_audience().to_owned(),
                cloud.resource_manager_endpoint().to_string(),
                cloud.resource_manager_audience().to_owned(),
                cloud.graph_audience().to_owned(),
            ]
        };
        for (at, one) in Cloud::ALL.into_iter().enumerate() {
            for other in &Cloud::ALL[at + 1..] {
                for (mine, theirs) in names(one).iter().zip(names(*other)) {
                    assert_ne!(*mine, theirs, "{one:?} {other:?}");
                }
            }
        }
    }
}
