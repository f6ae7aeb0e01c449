//! How severe an incident is.

use serde::{Deserialize, Serialize};

/// A severity, by Sentinel's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// For information.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

impl Severity {
    /// Sentinel's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }

    /// The severity of a word, whatever its case; `None` of another word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Informational, Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(word))
    }
}
