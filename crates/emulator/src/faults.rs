//! What can be made to go wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest delay a fault may cause.
const LONGEST_DELAY_MS: u64 = 120_000;

/// Befalls the next requests that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matching: FaultMatch,
    /// How many of them; at least 1.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    pub action: FaultAction,
}

fn once() -> u32 {
    1
}

/// Requests by method and path. What is left out matches all, except the emulator's own
/// `/_emulator` paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMatch {
    /// E.g. `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// E.g. `/dataCollectionRules/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FaultAction {
    /// It is answered like this, without effect.
    Answer(FaultAnswer),
    /// It is treated as usual, later.
    Delay(FaultDelay),
    /// It takes effect, but the connection is cut before the answer.
    Drop(FaultDrop),
}

/// The answer of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultAnswer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Body: a string as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Headers, e.g. `Retry-After`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// The delay of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultDelay {
    /// Milliseconds, at most 120,000.
    pub delay_ms: u64,
}

/// A lost answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultDrop {
    /// Must be true.
    pub drop_response: bool,
}

impl FaultAction {
    /// Answers with a status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer(FaultAnswer {
            status,
            body: None,
            headers: BTreeMap::new(),
        })
    }

    /// Lets the request take effect and loses the answer.
    #[must_use]
    pub fn drop_response() -> Self {
        Self::Drop(FaultDrop {
            drop_response: true,
        })
    }

    /// Answers later.
    #[must_use]
    pub fn delay_ms(delay_ms: u64) -> Self {
        Self::Delay(FaultDelay { delay_ms })
    }
}

impl Fault {
    /// The next requests whose path begins like this.
    #[must_use]
    pub fn at(path_prefix: &str, times: u32, action: FaultAction) -> Self {
        let matching = FaultMatch {
            method: None,
            path_prefix: Some(path_prefix.to_owned()),
        };
        Self {
            matching,
            times,
            action,
        }
    }

    /// What is wrong with the fault itself, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.times == 0 {
            return Some("times must be at least 1");
        }
        match &self.action {
            FaultAction::Answer(answer) if !(200..=599).contains(&answer.status) => {
                Some("action.status must be from 200 to 599")
            }
            FaultAction::Delay(delay) if delay.delay_ms > LONGEST_DELAY_MS => {
                Some("action.delay_ms must be at most 120000")
            }
            FaultAction::Drop(drop) if !drop.drop_response => {
                Some("action.drop_response must be true")
            }
            _ => None,
        }
    }

    pub(crate) fn matches(&self, method: &http::Method, path: &str) -> bool {
        let FaultMatch {
            method: wanted_method,
            path_prefix,
        } = &self.matching;
        wanted_method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && path_prefix
                .as_ref()
                .is_none_or(|prefix| path.starts_with(prefix.as_str()))
    }
}
