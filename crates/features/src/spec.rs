//! Everything that decides the numbers of a feature view, as one hash.

use std::fmt;

use foretide_calendar::{CalendarConfig, HOLIDAYS_SOURCE};
use foretide_domain::{SeriesSpec, UseCase};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::view::FeatureView;

/// Raised whenever the same declaration would give other numbers than before.
pub const CODE_VERSION: u32 = 1;

/// What decides which hours and series a training set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrainingOptions {
    /// Days of history, at most.
    pub history_days: u32,
    /// A broken-down series is kept when its counts add up to at least this.
    pub min_series_total: u32,
    /// At most this many broken-down series are kept, the largest.
    pub max_series: u32,
    /// Hours after which an hour's counts are taken as settled, from its beginning.
    pub settle_hours: u32,
}

/// The specification of a use case's features.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureSpec<'a> {
    code_version: u32,
    holidays_source: &'static str,
    use_case: &'a str,
    series: &'a SeriesSpec,
    view: &'a FeatureView,
    calendar: &'a CalendarConfig,
    training: TrainingOptions,
}

impl<'a> FeatureSpec<'a> {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        use_case: &'a UseCase,
        view: &'a FeatureView,
        calendar: &'a CalendarConfig,
        training: TrainingOptions,
    ) -> Self {
        Self {
            code_version: CODE_VERSION,
            holidays_source: HOLIDAYS_SOURCE,
            use_case: use_case.id.as_str(),
            series: &use_case.series,
            view,
            calendar,
            training,
        }
    }

    /// The specification as JSON with sorted keys.
    ///
    /// # Panics
    /// Never: all parts can be written as JSON.
    #[must_use]
    pub fn canonical_json(&self) -> Value {
        let value = serde_json::to_value(self).expect("a specification has only text keys");
        sort_keys(value)
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> SpecHash {
        let digest = Sha256::digest(self.canonical_json().to_string().as_bytes());
        SpecHash(hex::encode(digest))
    }
}

fn sort_keys(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            let sorted = entries
                .into_iter()
                .map(|(key, value)| (key, sort_keys(value)));
            Value::Object(sorted.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sort_keys).collect()),
        other => other,
    }
}

/// SHA-256 of a specification, in hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpecHash(String);

impl SpecHash {
    /// All 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 digits, for paths.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..16]
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
