//! What can be made to go wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest delay a fault may cause.
const LONGEST_DELAY_MS: u64 = 120_000;
/// Most copies of a row.
const MOST_COPIES: usize = 10;

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
    /// How many that match pass unharmed before.
    #[serde(default)]
    pub skip: u32,
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
    /// It is refused with 429 and `Retry-After`, without effect.
    Throttle(FaultThrottle),
    /// A query is answered 200 with some of its rows, and an error beside them.
    Partial(FaultPartial),
    /// Uploaded rows show later than others.
    Late(FaultLate),
    /// Uploaded rows are stored more than once.
    Duplicate(FaultDuplicate),
    /// It is refused with 409, as if somebody else had changed the resource meanwhile.
    EtagConflict(FaultEtagConflict),
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

/// Throttling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultThrottle {
    /// Seconds of `Retry-After`.
    pub throttle_seconds: u32,
}

/// A partial result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPartial {
    /// Rows that are still given.
    pub partial_rows: usize,
}

/// Slow visibility.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultLate {
    /// Milliseconds, beside the usual delay.
    pub late_rows_ms: u64,
}

/// Rows stored more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultDuplicate {
    /// Further copies of each row, 1 to 10.
    pub duplicate_rows: usize,
}

/// A lost race for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultEtagConflict {
    /// Must be true.
    pub etag_conflict: bool,
}

/// What a fault changes about how a request is treated.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    /// Rows that a query still gives.
    pub(crate) partial_rows: Option<usize>,
    /// Milliseconds that rows show later.
    pub(crate) late_ms: u64,
    /// Further copies of rows.
    pub(crate) copies: usize,
}

impl FaultAction {
    /// Refuses with 429.
    #[must_use]
    pub fn throttle(seconds: u32) -> Self {
        Self::Throttle(FaultThrottle {
            throttle_seconds: seconds,
        })
    }

    /// Gives only some rows of a query, and says so.
    #[must_use]
    pub fn partial_rows(rows: usize) -> Self {
        Self::Partial(FaultPartial { partial_rows: rows })
    }

    /// Lets uploaded rows show later.
    #[must_use]
    pub fn late_rows_ms(late_rows_ms: u64) -> Self {
        Self::Late(FaultLate { late_rows_ms })
    }

    /// Stores uploaded rows this many times more.
    #[must_use]
    pub fn duplicate_rows(duplicate_rows: usize) -> Self {
        Self::Duplicate(FaultDuplicate { duplicate_rows })
    }

    /// Refuses as if somebody else had been faster.
    #[must_use]
    pub fn etag_conflict() -> Self {
        Self::EtagConflict(FaultEtagConflict {
            etag_conflict: true,
        })
    }

    /// The answer in place of the request's own, when the fault gives one.
    pub(crate) fn answer(&self, path: &str) -> Option<FaultAnswer> {
        match self {
            Self::Answer(answer) => Some(answer.clone()),
            Self::Throttle(throttle) => Some(FaultAnswer {
                status: 429,
                body: Some(json!({ "error": {
                    "code": "TooManyRequests",
                    "message": "Rate limit is exceeded. Try again later.",
                }})),
                headers: [(
                    "Retry-After".to_owned(),
                    throttle.throttle_seconds.to_string(),
                )]
                .into(),
            }),
            Self::EtagConflict(_) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                Some(FaultAnswer {
                    status: 409,
                    body: Some(json!({ "error": {
                        "code": "Conflict",
                        "message": format!("Newer version of resource '{name}' exists. Data was not saved"),
                    }})),
                    headers: BTreeMap::new(),
                })
            }
            _ => None,
        }
    }

    pub(crate) fn effects(&self) -> Effects {
        let none = Effects::default();
        match self {
            Self::Partial(partial) => Effects {
                partial_rows: Some(partial.partial_rows),
                ..none
            },
            Self::Late(late) => Effects {
                late_ms: late.late_rows_ms,
                ..none
            },
            Self::Duplicate(duplicate) => Effects {
                copies: duplicate.duplicate_rows,
                ..none
            },
            _ => none,
        }
    }

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
            skip: 0,
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
            FaultAction::EtagConflict(conflict) if !conflict.etag_conflict => {
                Some("action.etag_conflict must be true")
            }
            FaultAction::Duplicate(duplicate)
                if !(1..=MOST_COPIES).contains(&duplicate.duplicate_rows) =>
            {
                Some("action.duplicate_rows must be from 1 to 10")
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
