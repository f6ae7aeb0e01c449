//! Names of series: `use_case/total` or `use_case/severity=High,product=Microsoft%20Defender`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::use_case::UseCaseId;

/// A property by which counts are broken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Severity of the incident or alert.
    Severity,
    /// Product that raised it.
    Product,
    /// MITRE tactic. An alert can have several, so tactics do not add up to the total.
    Tactic,
}

impl Dimension {
    /// All dimensions, in the order in which they stand in a series name.
    pub const ALL: [Self; 3] = [Self::Severity, Self::Product, Self::Tactic];

    /// The name used in series ids, Parquet columns and configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Product => "product",
            Self::Tactic => "tactic",
        }
    }
}

impl FromStr for Dimension {
    type Err = SeriesIdError;

    fn from_str(text: &str) -> Result<Self, SeriesIdError> {
        Self::ALL
            .into_iter()
            .find(|dimension| dimension.name() == text)
            .ok_or_else(|| SeriesIdError::UnknownDimension(text.chars().take(64).collect()))
    }
}

/// A text that is not the name of a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesIdError {
    /// No slash, nothing after it, or a part without `=`.
    #[error("series id {0:?} must look like use_case/total or use_case/severity=High,product=X")]
    Malformed(String),
    /// The part before the slash is not a use case id.
    #[error("series id {0:?} does not begin with a use case id")]
    BadUseCase(String),
    /// A dimension nobody knows.
    #[error("unknown dimension {0:?}: use severity, product or tactic")]
    UnknownDimension(String),
}

/// One series of counts: a use case and the values of the dimensions it is broken down by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeriesId {
    use_case: UseCaseId,
    dimensions: BTreeMap<Dimension, String>,
}

impl SeriesId {
    /// The series of everything together.
    #[must_use]
    pub fn total(use_case: UseCaseId) -> Self {
        Self {
            use_case,
            dimensions: BTreeMap::new(),
        }
    }

    /// The series of one combination of dimension values.
    #[must_use]
    pub fn of(
        use_case: UseCaseId,
        dimensions: impl IntoIterator<Item = (Dimension, String)>,
    ) -> Self {
        Self {
            use_case,
            dimensions: dimensions.into_iter().collect(),
        }
    }

    /// The use case the series belongs to.
    #[must_use]
    pub fn use_case(&self) -> &UseCaseId {
        &self.use_case
    }

    /// The dimension values; empty for the total.
    #[must_use]
    pub fn dimensions(&self) -> &BTreeMap<Dimension, String> {
        &self.dimensions
    }

    /// Whether this is the series of everything together.
    #[must_use]
    pub fn is_total(&self) -> bool {
        self.dimensions.is_empty()
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.use_case)?;
        if self.dimensions.is_empty() {
            return f.write_str("total");
        }
        for (index, (dimension, value)) in self.dimensions.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{}={}", dimension.name(), escape(value))?;
        }
        Ok(())
    }
}

impl FromStr for SeriesId {
    type Err = SeriesIdError;

    fn from_str(text: &str) -> Result<Self, SeriesIdError> {
        let malformed = || SeriesIdError::Malformed(text.chars().take(128).collect());
        let (use_case, rest) = text.split_once('/').ok_or_else(malformed)?;
        let use_case = use_case
            .parse()
            .map_err(|_| SeriesIdError::BadUseCase(text.chars().take(128).collect()))?;
        if rest == "total" {
            return Ok(Self::total(use_case));
        }
        let mut dimensions = BTreeMap::new();
        for part in rest.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(malformed)?;
            let value = unescape(value).ok_or_else(malformed)?;
            if dimensions.insert(name.parse()?, value).is_some() {
                return Err(malformed());
            }
        }
        Ok(Self {
            use_case,
            dimensions,
        })
    }
}

impl TryFrom<String> for SeriesId {
    type Error = SeriesIdError;

    fn try_from(text: String) -> Result<Self, SeriesIdError> {
        text.parse()
    }
}

impl From<SeriesId> for String {
    fn from(id: SeriesId) -> Self {
        id.to_string()
    }
}

/// Percent-escapes what would read as syntax, and control characters.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '%' | ',' | '=' | '/') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
