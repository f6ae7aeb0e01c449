//! What a job is and what can become of it.

use std::time::Duration;

use foretide_domain::{JobId, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Something to be done later, perhaps by another process.
///
/// The payload is stored. Its shape belongs to [`Job::VERSION`]: change the shape, raise the version,
/// keep reading the old one in [`Job::read`], and keep a golden file of each.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name under which it is stored. Never reused for something else.
    const NAME: &'static str;
    /// Version of the payload's shape.
    const VERSION: u32;
    /// How often it may be tried, at least 1. A death of the process counts.
    const MAX_ATTEMPTS: u32;

    /// How long one attempt may take before it is given up and retried.
    fn deadline(&self) -> Duration;

    /// Reads a stored payload. The default knows only the current version.
    ///
    /// # Errors
    /// When the version is unknown or the payload does not fit it.
    fn read(version: u32, payload: Value) -> Result<Self, PayloadError> {
        if version == Self::VERSION {
            Ok(serde_json::from_value(payload)?)
        } else {
            Err(PayloadError::UnknownVersion {
                version,
                newest: Self::VERSION,
            })
        }
    }
}

/// A stored payload that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Written by another version of Foretide.
    #[error("payload version {version} is unknown: this version reads up to {newest}")]
    UnknownVersion {
        /// The version found.
        version: u32,
        /// The newest version known here.
        newest: u32,
    },
    /// The payload does not have the shape of its version.
    #[error("payload does not fit its version: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// What the author of a handler decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// Try again later: after the usual back-off, and not before `after`. Without attempts left it
    /// becomes a dead letter.
    Retry {
        /// Why, for people.
        reason: String,
        /// The other side asked to wait this long.
        after: Option<Duration>,
    },
    /// It cannot succeed: a dead letter at once.
    Fail {
        /// Why, for people.
        reason: String,
    },
}

impl Outcome {
    /// Try again after the usual back-off.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry {
            reason: reason.into(),
            after: None,
        }
    }

    /// Give up at once.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Fail {
            reason: reason.into(),
        }
    }
}

/// What a handler knows about the attempt it makes.
#[derive(Debug, Clone)]
pub struct JobContext {
    /// The job.
    pub job_id: JobId,
    /// The run it belongs to, if any.
    pub run_id: Option<RunId>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether a further retry would make it a dead letter.
    pub is_last_attempt: bool,
    /// Cancelled when the worker cannot wait any longer. The attempt is dropped then and made again
    /// by another worker.
    pub cancelled: CancellationToken,
}
