//! What goes over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

/// A name and a text, on runs, models and versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Name, at most 250 characters.
    pub key: String,
    /// Text; on runs at most 8,000 characters.
    #[serde(default)]
    pub value: String,
}

impl Tag {
    /// A tag.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Experiment it belongs to.
    pub experiment_id: String,
    /// Name for people.
    pub name: String,
    /// When the work began.
    pub started_at: DateTime<Utc>,
    /// Tags from the start, so that the run can be found again.
    pub tags: Vec<Tag>,
}

/// A run as the server has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Identity and state.
    pub info: RunInfo,
    /// What was logged.
    pub data: RunData,
}

/// Identity and state of a run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// 32 hexadecimal digits.
    pub run_id: String,
    /// Experiment it belongs to.
    #[serde(deserialize_with = "text_or_number")]
    pub experiment_id: String,
    /// `RUNNING`, `FINISHED`, ...
    pub status: String,
    /// Where its artefacts are, e.g. `mlflow-artifacts:/1/<run>/artifacts`.
    pub artifact_uri: String,
}

/// What was logged to a run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RunData {
    /// Tags.
    pub tags: Vec<Tag>,
    /// Parameters.
    pub params: Vec<Tag>,
    /// Last value of every metric.
    pub metrics: Vec<Metric>,
}

impl Run {
    /// The tag's text.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.data
            .tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_str())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// It did what it should.
    Finished,
    /// It did not.
    Failed,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name, at most 250 characters.
    pub key: String,
    /// The value; NaN goes as text, as the server has it.
    #[serde(serialize_with = "number_or_nan", deserialize_with = "lenient_number")]
    pub value: f64,
    /// Unix time, milliseconds.
    #[serde(default, deserialize_with = "lenient_integer")]
    pub timestamp: i64,
    /// Step of an iteration.
    #[serde(default, deserialize_with = "lenient_integer")]
    pub step: i64,
}

/// A dataset that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dataset {
    /// Name for people.
    pub name: String,
    /// At most 36 characters: a full SHA-256 does not fit.
    pub digest: String,
    /// Kind of source, e.g. `local`.
    pub source_type: String,
    /// JSON that says where it is.
    pub source: String,
    /// JSON of its columns.
    pub schema: String,
    /// JSON of its size.
    pub profile: String,
}

/// A version of a registered model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelVersion {
    /// Registered model.
    pub name: String,
    /// Number, as text.
    #[serde(deserialize_with = "text_or_number")]
    pub version: String,
    /// Run it came from.
    pub run_id: String,
    /// Where its files are.
    pub source: String,
    /// `READY` when it can be used.
    pub status: String,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Aliases that point to it.
    pub aliases: Vec<String>,
}

impl ModelVersion {
    /// The tag's text.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_str())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Integer(i64),
    Number(f64),
    Text(String),
}

pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    Ok(match Lenient::deserialize(deserializer)? {
        Lenient::Integer(number) => number.to_string(),
        Lenient::Number(number) => number.to_string(),
        Lenient::Text(text) => text,
    })
}

fn lenient_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    use serde::de::Error;
    match Lenient::deserialize(deserializer)? {
        Lenient::Integer(number) => Ok(number),
        Lenient::Number(_) => Err(D::Error::custom("must be a whole number")),
        Lenient::Text(text) => text
            .parse()
            .map_err(|_| D::Error::custom("must be a whole number")),
    }
}

fn lenient_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    use serde::de::Error;
    match Lenient::deserialize(deserializer)? {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a metric is a measurement, not an id"
        )]
        Lenient::Integer(number) => Ok(number as f64),
        Lenient::Number(number) => Ok(number),
        Lenient::Text(text) => text
            .parse()
            .map_err(|_| D::Error::custom("must be a number")),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn number_or_nan<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else if value.is_infinite() {
        serializer.serialize_str(if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    } else {
        serializer.serialize_f64(*value)
    }
}
