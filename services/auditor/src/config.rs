//! Configuration of the auditor.

use std::collections::BTreeMap;
use std::path::PathBuf;

use foretide_audit_chain::{SigningKey, VerifierKey};
use foretide_config::{ExposeSecret, SecretString};
use foretide_domain::{Phase, UseCase, UseCaseId};
use foretide_entra::IdentityConfig;
use foretide_lake::LakeConfig;
use foretide_logs_ingestion::{DataCollectorConfig, RuleConfig};
use foretide_outbox::Backoff;
use foretide_policy::{GateCriteria, WindowCriteria};
use foretide_write_back::{ReadBackConfig, SinkChoice, SinkKind};
use serde::Deserialize;

/// Configuration of the auditor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Phase of a use case when it is seen for the first time; `shadow` when it is not named.
    /// Applied once: later changes go through `SetPhase`.
    pub initial_phases: BTreeMap<UseCaseId, Phase>,
    /// What evaluations must look like.
    pub gate: GateCriteria,
    /// What warnings of high-risk windows must look like, of use cases that watch for them.
    pub window_gate: WindowCriteria,
    /// How far back evaluations count for the gate, days.
    pub gate_window_days: u32,
    /// How far back forecasts are looked for that are not evaluated yet, days.
    pub lookback_days: u32,
    /// Where `AI_Governance_CL` rows go; nothing is written back without it.
    pub write_back: Option<WriteBackConfig>,
    /// How long rows that did not get through wait.
    pub outbox: Backoff,
    /// Who signs checkpoints of the audit chain, and where they go besides the lake.
    pub audit: AuditConfig,
    /// Folder of the key file (`audit.key`) when no signing key is configured; the data folder when
    /// left out.
    pub state_folder: Option<PathBuf>,
}

/// Who signs checkpoints of the audit chain, and where they go besides the lake.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The private key, `PRIVATE+KEY+…`; replicas share one. Without it one is made in `state_folder`.
    pub signing_key: Option<SecretString>,
    /// Verifier keys of earlier signing keys, whose checkpoints still count.
    pub previous_keys: Vec<String>,
    /// A second place for checkpoints, best one that those who can write to the lake cannot write to.
    pub publish_to: Option<LakeConfig>,
}

impl AuditConfig {
    fn validate(&self) -> Result<(), ConfigProblem> {
        let refused = |key: &str, problem: String| {
            let key = format!("audit.{key}");
            ConfigProblem { key, problem }
        };
        if let Some(key) = &self.signing_key {
            let parsed: Result<SigningKey, _> = key.expose_secret().parse();
            parsed.map_err(|error| refused("signing_key", format!("cannot be used: {error}")))?;
        }
        self.earlier_keys()
            .map_err(|error| refused("previous_keys", format!("has an unusable one: {error}")))?;
        let place = self
            .publish_to
            .as_ref()
            .map_or(Ok(()), LakeConfig::validate);
        place.map_err(|error| refused("publish_to.url", error.to_string()))
    }

    /// The earlier verifier keys.
    pub(crate) fn earlier_keys(&self) -> Result<Vec<VerifierKey>, foretide_audit_chain::KeyError> {
        self.previous_keys.iter().map(|key| key.parse()).collect()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            initial_phases: BTreeMap::new(),
            gate: GateCriteria::default(),
            window_gate: WindowCriteria::default(),
            gate_window_days: 56,
            lookback_days: 30,
            write_back: None,
            outbox: Backoff::default(),
            audit: AuditConfig::default(),
            state_folder: None,
        }
    }
}

/// Where `AI_Governance_CL` rows go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteBackConfig {
    /// Which way: `logs_ingestion` (rule and identity) or `data_collector`.
    #[serde(default)]
    pub sink: SinkKind,
    /// The data collection rule that takes them.
    #[serde(default)]
    pub rule: Option<RuleConfig>,
    /// Its stream.
    #[serde(default = "default_stream")]
    pub stream: String,
    /// Who writes.
    #[serde(default)]
    pub identity: Option<IdentityConfig>,
    /// The workspace and its shared key, for `data_collector`.
    #[serde(default)]
    pub data_collector: Option<DataCollectorConfig>,
    /// Looks whether accepted rows can be queried; nobody looks without it.
    #[serde(default)]
    pub read_back: Option<ReadBackConfig>,
}

fn default_stream() -> String {
    "Custom-AI_Governance_CL".to_owned()
}

/// A value that types alone cannot refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct ConfigProblem {
    /// Dotted path of the key, below the auditor's section.
    pub key: String,
    /// What it must be, and is not.
    pub problem: String,
}

impl ConfigProblem {
    /// From a text that begins with the key.
    fn from_text(text: &str) -> Self {
        let (key, problem) = text.split_once(' ').unwrap_or((text, "cannot be used"));
        Self {
            key: key.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

impl WriteBackConfig {
    /// The way rows take.
    pub(crate) fn choice(&self) -> SinkChoice {
        SinkChoice {
            kind: self.sink,
            rule: self.rule.clone(),
            identity: self.identity.clone(),
            data_collector: self.data_collector.clone(),
        }
    }

    fn validate(&self) -> Result<(), ConfigProblem> {
        let sink = self.choice().validate();
        sink.map_err(|error| ConfigProblem::from_text(&error.to_string()))?;
        let read_back = self.read_back.as_ref();
        let read_back = read_back.map_or(Ok(()), |look| look.validate(self.identity.as_ref()));
        read_back.map_err(|error| ConfigProblem::from_text(&error.to_string()))
    }
}

impl Config {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// Names the first key that is out of bounds.
    pub fn validate(&self) -> Result<(), ConfigProblem> {
        let refuse = |key: &str, allowed: &str, got: String| {
            Err(ConfigProblem {
                key: key.to_owned(),
                problem: format!("must be {allowed}, got {got}"),
            })
        };
        let days = "from 1 to 366";
        if !(1..=366).contains(&self.gate_window_days) {
            return refuse("gate_window_days", days, self.gate_window_days.to_string());
        }
        if !(1..=366).contains(&self.lookback_days) {
            return refuse("lookback_days", days, self.lookback_days.to_string());
        }
        if !(1..=366).contains(&self.gate.settled_days) {
            return refuse(
                "gate.settled_days",
                days,
                self.gate.settled_days.to_string(),
            );
        }
        if !(1..=366).contains(&self.window_gate.settled_days) {
            let got = self.window_gate.settled_days.to_string();
            return refuse("window_gate.settled_days", days, got);
        }
        let shares = [
            (
                "window_gate.precision_least",
                self.window_gate.precision_least,
            ),
            ("window_gate.recall_least", self.window_gate.recall_least),
            ("gate.coverage_80_least", self.gate.coverage_80_least),
            ("gate.coverage_80_most", self.gate.coverage_80_most),
            ("gate.coverage_95_least", self.gate.coverage_95_least),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return refuse(key, "from 0 to 1", share.to_string());
            }
        }
        let ratio = self.gate.pinball_ratio_most;
        if !(ratio > 0.0 && ratio <= 10.0) {
            return refuse(
                "gate.pinball_ratio_most",
                "above 0 and at most 10",
                ratio.to_string(),
            );
        }
        self.audit.validate()?;
        self.write_back
            .as_ref()
            .map_or(Ok(()), WriteBackConfig::validate)
    }

    /// Checks that every use case with a phase is declared.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check_phases(&self, use_cases: &[UseCase]) -> Result<(), ConfigProblem> {
        let is_declared = |id: &UseCaseId| use_cases.iter().any(|use_case| use_case.id == *id);
        match self.initial_phases.keys().find(|id| !is_declared(id)) {
            None => Ok(()),
            Some(id) => Err(ConfigProblem {
                key: format!("initial_phases.{id}"),
                problem: format!("is for a use case that is not declared: {id}"),
            }),
        }
    }
}
