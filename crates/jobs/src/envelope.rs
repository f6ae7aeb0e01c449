//! How a job lies in the database.

use foretide_domain::{JobId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::job::Job;

/// Version of the envelope itself.
const ENVELOPE: u32 = 1;

/// A job as stored: JSON, versioned twice, once for the envelope and once for the payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) envelope: u32,
    pub(crate) job_id: JobId,
    pub(crate) name: String,
    pub(crate) version: u32,
    #[serde(default)]
    pub(crate) run_id: Option<RunId>,
    /// Attempts made by the rows before this one: a retry is a new row.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// W3C trace context of whoever pushed the job, or empty.
    #[serde(default)]
    pub(crate) traceparent: String,
    pub(crate) payload: Value,
}

/// Stored bytes that are no envelope.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("stored job cannot be read: {0}")]
    Corrupt(#[from] serde_json::Error),
    #[error("envelope version {0} is unknown: this version reads up to {ENVELOPE}")]
    UnknownVersion(u32),
}

impl Envelope {
    pub(crate) fn seal<J: Job>(job: &J, run_id: Option<RunId>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            envelope: ENVELOPE,
            job_id: JobId::new(),
            name: J::NAME.to_owned(),
            version: J::VERSION,
            run_id,
            attempts: 0,
            traceparent: foretide_telemetry::traceparent(),
            payload: serde_json::to_value(job)?,
        })
    }

    pub(crate) fn open(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        #[derive(Deserialize)]
        struct Version {
            envelope: u32,
        }
        let Version { envelope } = serde_json::from_slice(bytes)?;
        if envelope != ENVELOPE {
            return Err(EnvelopeError::UnknownVersion(envelope));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text keys and JSON values can always be written")
    }

    pub(crate) fn after_attempts(&self, attempts: u32) -> Self {
        Self {
            attempts,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stored_envelopes_of_every_version_stay_readable() {
        let stored = include_bytes!("../tests/golden/envelope.v1.json");
        let opened = Envelope::open(stored).unwrap();
        let written: Value = serde_json::from_slice(&opened.bytes()).unwrap();
        let golden: Value = serde_json::from_slice(stored).unwrap();
        assert_eq!(written, golden);
        assert_eq!(opened.attempts, 2);
    }

    #[test]
    fn a_newer_envelope_is_named_even_when_its_shape_is_unknown() {
        let error = Envelope::open(br#"{"envelope":2,"whatever":[]}"#).unwrap_err();
        assert!(
            error.to_string().contains("version 2 is unknown"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_not_panicked_on(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Envelope::open(&bytes).is_err());
        }

        #[test]
        fn truncated_envelopes_are_refused(cut in 0_usize..100) {
            let whole = include_bytes!("../tests/golden/envelope.v1.json");
            prop_assert!(Envelope::open(&whole[..cut.min(whole.len() - 3)]).is_err());
        }
    }
}
