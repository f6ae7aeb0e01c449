//! Configuration of the broker.

use foretide_entra::IdentityConfig;
use foretide_outbox::Backoff;
use foretide_policy::Rules;
use foretide_sentinel_arm::WorkspaceConfig;
use foretide_teams::WebhookUrl;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

/// Configuration of the broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who must approve, and for how long a proposal waits.
    pub policy: Rules,
    /// Address of the console, for the review link in notices: the one people's browsers reach. The
    /// console's usual address on this machine when left out.
    pub console_url: Option<Url>,
    /// Where notices go; approving is refused without it.
    pub teams: Option<TeamsConfig>,
    /// How planning incidents reach the SOC; by the content pack's analytics rule when left out.
    pub planning_incidents: PlanningConfig,
    /// Seconds after which an execution without an end is held to be interrupted. Sending a notice
    /// is given half of it.
    pub execution_lease_seconds: u32,
    /// How long audit events that did not get through wait.
    pub outbox: Backoff,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Rules::default(),
            console_url: None,
            teams: None,
            planning_incidents: PlanningConfig::default(),
            execution_lease_seconds: 120,
            outbox: Backoff::default(),
        }
    }
}

/// How planning incidents reach the SOC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanningMode {
    /// The analytics rule over `Predicted_Attack_Surge_CL` raises them: nothing is proposed here. The
    /// only way that works in a workspace onboarded to the Defender portal.
    #[default]
    Rule,
    /// Proposed here, and written to Sentinel once approved.
    Direct,
}

/// Planning incidents.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanningConfig {
    /// Which way.
    pub mode: PlanningMode,
    /// The workspace, as Azure Resource Manager names it; for `direct`.
    pub workspace: Option<WorkspaceConfig>,
    /// Who writes them (Microsoft Sentinel Responder); for `direct`.
    pub identity: Option<IdentityConfig>,
}

/// Where notices go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsConfig {
    /// Address of the Workflows webhook. All of it is a secret: whoever has it can post.
    pub webhook_url: SecretString,
    /// Seconds to wait for the workflow's answer.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u32,
}

fn default_timeout_seconds() -> u32 {
    20
}

/// Where `foretide up` serves the console unless told otherwise.
const CONSOLE_ON_THIS_MACHINE: &str = "http://127.0.0.1:7700/";
/// Leaves room for the rest of the card.
const LONGEST_CONSOLE_URL: usize = 500;

fn is_web_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.as_str().len() <= LONGEST_CONSOLE_URL
}

/// A value that types alone cannot refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigProblem {
    /// Dotted path of the key, below the broker's section.
    pub key: &'static str,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first key that is out of bounds.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let refuse = |key, problem: String| Err(ConfigProblem { key, problem });
        if let Err(problem) = self.policy.validate() {
            return refuse("policy", problem.to_string());
        }
        if !(10..=3_600).contains(&self.execution_lease_seconds) {
            let got = self.execution_lease_seconds;
            return refuse(
                "execution_lease_seconds",
                format!("must be from 10 to 3600, got {got}"),
            );
        }
        let planning = &self.planning_incidents;
        if planning.mode == PlanningMode::Direct {
            for (key, is_set) in [
                ("planning_incidents.workspace", planning.workspace.is_some()),
                ("planning_incidents.identity", planning.identity.is_some()),
            ] {
                if !is_set {
                    return refuse(key, "must be set when mode is direct".to_owned());
                }
            }
        }
        if let Some(workspace) = &planning.workspace
            && let Err(problem) = workspace.validate()
        {
            return refuse("planning_incidents.workspace", problem.to_string());
        }
        let webhook = self.teams.as_ref().map(|teams| &teams.webhook_url);
        if let Some(Err(problem)) = webhook.map(WebhookUrl::parse) {
            return refuse("teams.webhook_url", problem.to_string());
        }
        if let Some(teams) = &self.teams
            && !(1..=60).contains(&teams.timeout_seconds)
        {
            let got = teams.timeout_seconds;
            return refuse(
                "teams.timeout_seconds",
                format!("must be from 1 to 60, got {got}"),
            );
        }
        match &self.console_url {
            Some(url) if !is_web_address(url) => refuse(
                "console_url",
                format!(
                    "must be an http(s) address of at most {LONGEST_CONSOLE_URL} characters, got {url}"
                ),
            ),
            _ => Ok(()),
        }
    }

    /// The page of the console with this path.
    pub(crate) fn console_page<'s>(&self, path: impl IntoIterator<Item = &'s str>) -> Url {
        let usual = || Url::parse(CONSOLE_ON_THIS_MACHINE).expect("a constant address");
        let mut url = self.console_url.clone().unwrap_or_else(usual);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}
