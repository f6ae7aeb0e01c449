//! Which workspace.

use serde::Deserialize;
use url::Url;

/// Azure Resource Manager of the public cloud.
pub const PUBLIC_CLOUD_ENDPOINT: &str = "https://management.azure.com";
/// Audience of the public cloud.
pub const PUBLIC_CLOUD_AUDIENCE: &str = "https://management.azure.com";

/// A Log Analytics workspace with Sentinel on it, as Azure Resource Manager names it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceConfig {
    /// Address of Azure Resource Manager; of another cloud, another one.
    #[serde(default = "public_endpoint")]
    pub endpoint: Url,
    /// Audience of the token.
    #[serde(default = "public_audience")]
    pub audience: String,
    /// The subscription's id.
    pub subscription_id: String,
    /// The resource group's name.
    pub resource_group: String,
    /// The workspace's name (not its GUID).
    pub workspace: String,
}

/// A workspace that cannot be addressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArmConfigError {
    /// Not an address one can append to.
    #[error("endpoint must be an http(s) address of Azure Resource Manager, got {got:?}")]
    Endpoint {
        /// What was given.
        got: String,
    },
    /// Not a name that can stand in a path.
    #[error("{key} must be {allowed}, got {got:?}")]
    Name {
        /// Which key.
        key: &'static str,
        /// What it may be.
        allowed: &'static str,
        /// What was given.
        got: String,
    },
}

fn public_endpoint() -> Url {
    Url::parse(PUBLIC_CLOUD_ENDPOINT).expect("a constant address")
}

fn public_audience() -> String {
    PUBLIC_CLOUD_AUDIENCE.to_owned()
}

impl WorkspaceConfig {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first key that is no name.
    pub fn validate(&self) -> Result<(), ArmConfigError> {
        if self.endpoint.cannot_be_a_base() || !self.endpoint.scheme().starts_with("http") {
            return Err(ArmConfigError::Endpoint {
                got: self.endpoint.to_string(),
            });
        }
        let guid = uuid::Uuid::parse_str(&self.subscription_id).is_ok();
        check("subscription_id", "a GUID", &self.subscription_id, guid)?;
        check(
            "resource_group",
            "1 to 90 letters, digits, '-', '_', '.', '(' or ')'",
            &self.resource_group,
            is_name(&self.resource_group, 90, "-_.()"),
        )?;
        check(
            "workspace",
            "4 to 63 letters, digits or '-'",
            &self.workspace,
            self.workspace.len() >= 4 && is_name(&self.workspace, 63, "-"),
        )
    }

    /// The workspace's resource id.
    #[must_use]
    pub fn workspace_id(&self) -> String {
        format!(
            "{}/providers/Microsoft.OperationalInsights/workspaces/{}",
            self.group_id(),
            self.workspace
        )
    }

    /// The resource group's id.
    #[must_use]
    pub fn group_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription_id, self.resource_group
        )
    }
}

fn check(
    key: &'static str,
    allowed: &'static str,
    got: &str,
    is_good: bool,
) -> Result<(), ArmConfigError> {
    if is_good {
        return Ok(());
    }
    Err(ArmConfigError::Name {
        key,
        allowed,
        got: got.chars().take(100).collect(),
    })
}

fn is_name(text: &str, longest: usize, others: &str) -> bool {
    (1..=longest).contains(&text.len())
        && !text.ends_with('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(subscription_id: &str, resource_group: &str, workspace: &str) -> WorkspaceConfig {
        WorkspaceConfig {
            endpoint: public_endpoint(),
            audience: public_audience(),
            subscription_id: subscription_id.to_owned(),
            resource_group: resource_group.to_owned(),
            workspace: workspace.to_owned(),
        }
    }

    const SUBSCRIPTION: &str = "22222222-2222-2222-2222-222222222222";

    #[test]
    fn a_name_cannot_leave_its_place_in_the_path() {
        config(SUBSCRIPTION, "rg-soc", "law-soc")
            .validate()
            .unwrap();
        for (subscription, group, workspace) in [
            ("all", "rg", "law-soc"),
            (SUBSCRIPTION, "rg/../x", "law-soc"),
            (SUBSCRIPTION, "", "law-soc"),
            (SUBSCRIPTION, "rg", "law"),
            (SUBSCRIPTION, "rg", "law?soc"),
        ] {
            config(subscription, group, workspace)
                .validate()
                .unwrap_err();
        }
    }
}
