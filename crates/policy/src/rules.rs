//! The adjustable part of the policy, and the version it gives itself.

use std::fmt;

use foretide_audit_chain::CanonicalJson;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Raised when the meaning of the rules in this crate changes.
const RULES_GENERATION: u32 = 1;

/// Names the rules that a proposal was made under. Part of what an approval is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(String);

impl PolicyVersion {
    /// The version's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for PolicyVersion {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Rules that are out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Nobody or too many would have to approve.
    #[error("quorum must be from 1 to 10, got {0}")]
    Quorum(u32),
    /// Approvals that never, or at once, expire.
    #[error("expires_after_hours must be from 1 to 168, got {0}")]
    ExpiresAfter(u32),
}

/// What a workspace may adjust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// How many different people, none of them the proposer, must approve.
    pub quorum: u32,
    /// Hours after which a proposal that still waits counts as rejected.
    pub expires_after_hours: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            quorum: 1,
            expires_after_hours: 24,
        }
    }
}

impl Rules {
    /// Checks the bounds.
    ///
    /// # Errors
    /// Names the first rule that is out of bounds.
    pub fn validate(&self) -> Result<(), RulesError> {
        if !(1..=10).contains(&self.quorum) {
            return Err(RulesError::Quorum(self.quorum));
        }
        if !(1..=168).contains(&self.expires_after_hours) {
            return Err(RulesError::ExpiresAfter(self.expires_after_hours));
        }
        Ok(())
    }

    /// The version of these rules: other rules have another version.
    ///
    /// # Panics
    /// Never: the rules are plain numbers.
    #[must_use]
    pub fn version(&self) -> PolicyVersion {
        let canonical =
            CanonicalJson::of_serializable(self).expect("plain numbers always serialise");
        let digest = Sha256::digest(canonical.as_str());
        PolicyVersion(format!("{RULES_GENERATION}+{}", hex::encode(&digest[..6])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_rules_have_another_version() {
        let usual = Rules::default();
        let stricter = Rules {
            quorum: 2,
            ..Rules::default()
        };
        assert_eq!(usual.version(), Rules::default().version());
        assert_ne!(usual.version(), stricter.version());
    }

    #[test]
    fn rules_that_nobody_could_meet_are_refused() {
        let nobody = Rules {
            quorum: 0,
            ..Rules::default()
        };
        let for_ever = Rules {
            expires_after_hours: 169,
            ..Rules::default()
        };
        assert_eq!(nobody.validate(), Err(RulesError::Quorum(0)));
        assert_eq!(for_ever.validate(), Err(RulesError::ExpiresAfter(169)));
        assert_eq!(Rules::default().validate(), Ok(()));
    }
}
