//! Items and what becomes of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use foretide_domain::RunId;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An item to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// Unique in its channel; the receiver knows by it an item that comes twice.
    pub key: String,
    /// Items with the same order key are delivered one after the other, as they were kept.
    pub order_key: Option<String>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// What the destination needs to deliver it.
    pub payload: Value,
}

/// An item that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Place in the outbox: rises in the order in which items were kept.
    pub sequence: i64,
    /// Unique in its channel.
    pub key: String,
    /// Items with the same order key are delivered one after the other.
    pub order_key: Option<String>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// JSON text of what the destination needs.
    pub payload: String,
    /// The moment that whoever kept it gave.
    pub created_at: DateTime<Utc>,
    /// Tries begun, since it was kept or since a person had it tried again.
    pub attempts: u32,
    /// What became of it.
    pub state: State,
    /// When it was delivered, refused or dropped, by the service's clock.
    pub settled_at: Option<DateTime<Utc>>,
    /// What the receiver gave for it.
    pub receipt: Option<String>,
    /// Why the last try did not get through.
    pub last_error: Option<String>,
}

impl Item {
    /// Whether this is the first try since a person had a refused item tried again.
    #[must_use]
    pub fn is_tried_anew(&self) -> bool {
        self.attempts == 1 && self.last_error.is_some()
    }

    /// The payload as the type it was made of.
    ///
    /// # Errors
    /// The outcome of an item that cannot be read: refused.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Outcome> {
        serde_json::from_str(&self.payload)
            .map_err(|error| Outcome::Refused(format!("the payload cannot be read: {error}")))
    }
}

/// What became of a try to deliver an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It has arrived. The receipt, when there is one, says as what.
    Delivered(Option<String>),
    /// The same again would be refused again. It is not tried any more and holds nobody up.
    Refused(String),
    /// It may go better later.
    Later {
        /// Why not now.
        reason: String,
        /// How long the receiver asked to wait, at least.
        after: Option<Duration>,
    },
}

impl Outcome {
    /// An outcome to be tried again, after the usual pause.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            reason: reason.into(),
            after: None,
        }
    }

    /// The outcome's word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Refused(_) => "refused",
            Self::Later { .. } => "later",
        }
    }
}

/// How far an item has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be delivered.
    Waiting,
    /// Has arrived.
    Delivered,
    /// Refused for good, with a reason.
    Refused,
    /// Refused, and given up by a person.
    Dropped,
}

impl State {
    /// The state's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Delivered, Self::Refused, Self::Dropped];
        all.into_iter().find(|state| state.name() == word)
    }
}
