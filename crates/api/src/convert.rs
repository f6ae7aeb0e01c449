//! Messages to domain types and back. Every refusal names the field.

use chrono::{DateTime, Datelike, Utc};
use foretide_domain::{CapacityKind, Phase, Quantiles, SeriesId, TimeSpan, UseCaseId};

use crate::status::{ErrorCode, ServiceError};
use crate::timestamp::Timestamp;
use crate::types::v1 as types;

/// A request field that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field} {problem}")]
pub struct FieldError {
    /// Name of the field as in `proto/`.
    pub field: &'static str,
    /// What is wrong with it, in words.
    pub problem: String,
}

impl FieldError {
    /// A refusal of a field.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }
}

impl ServiceError for FieldError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// A moment as a message.
#[must_use]
pub fn timestamp(moment: DateTime<Utc>) -> Option<Timestamp> {
    Some(moment.into())
}

/// A moment that must be there, between the years 2000 and 2100.
///
/// # Errors
/// When the field is missing or out of bounds.
pub fn moment(field: &'static str, value: Option<Timestamp>) -> Result<DateTime<Utc>, FieldError> {
    optional_moment(field, value)?.ok_or_else(|| FieldError::new(field, "is missing"))
}

/// A moment that may be missing.
///
/// # Errors
/// When it lies outside the years 2000 to 2100.
pub fn optional_moment(
    field: &'static str,
    value: Option<Timestamp>,
) -> Result<Option<DateTime<Utc>>, FieldError> {
    let Some(value) = value else { return Ok(None) };
    value
        .to_moment()
        .filter(|moment| (2000..2100).contains(&moment.year()))
        .map(Some)
        .ok_or_else(|| FieldError::new(field, "must lie between the years 2000 and 2100"))
}

/// A span that must be there, not empty, at most ten years.
///
/// # Errors
/// When it is missing, ends before it starts, or is too long.
pub fn span(field: &'static str, value: Option<types::TimeSpan>) -> Result<TimeSpan, FieldError> {
    let value = value.ok_or_else(|| FieldError::new(field, "is missing"))?;
    let start = moment(field, value.start)?;
    let end = moment(field, value.end)?;
    TimeSpan::new(start, end)
        .filter(|span| span.hours() <= 10 * 366 * 24)
        .ok_or_else(|| {
            FieldError::new(field, "must end after it starts and last at most ten years")
        })
}

/// A span as a message.
#[must_use]
pub fn span_message(span: TimeSpan) -> Option<types::TimeSpan> {
    Some(types::TimeSpan {
        start: timestamp(span.start),
        end: timestamp(span.end),
    })
}

/// An identifier of the type asked for (`RunId`, `ProposalId` ...).
///
/// # Errors
/// When the text is not a UUID.
pub fn uuid_field<T: std::str::FromStr<Err = foretide_domain::IdError>>(
    field: &'static str,
    value: &str,
) -> Result<T, FieldError> {
    value
        .parse()
        .map_err(|error: foretide_domain::IdError| FieldError::new(field, error.to_string()))
}

/// The name of a use case.
///
/// # Errors
/// When the text is not one.
pub fn use_case_id(field: &'static str, value: &str) -> Result<UseCaseId, FieldError> {
    value
        .parse()
        .map_err(|error: foretide_domain::UseCaseError| FieldError::new(field, error.to_string()))
}

/// The name of a series.
///
/// # Errors
/// When the text is not one, or is longer than 512 bytes.
pub fn series_id(field: &'static str, value: &str) -> Result<SeriesId, FieldError> {
    if value.len() > 512 {
        return Err(FieldError::new(field, "is longer than 512 bytes"));
    }
    value
        .parse()
        .map_err(|error: foretide_domain::SeriesIdError| FieldError::new(field, error.to_string()))
}

/// Free text within bounds: not empty, at most `max` characters, no control characters but line
/// breaks and tabs.
///
/// # Errors
/// When it is out of bounds.
pub fn text(field: &'static str, value: &str, max: usize) -> Result<String, FieldError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(FieldError::new(field, "is empty"));
    }
    if value.chars().count() > max {
        return Err(FieldError::new(
            field,
            format!("is longer than {max} characters"),
        ));
    }
    if value
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err(FieldError::new(field, "contains control characters"));
    }
    Ok(value.to_owned())
}

/// A phase that must be one of the known ones.
///
/// # Errors
/// When it is unspecified or unknown.
pub fn phase(field: &'static str, value: i32) -> Result<Phase, FieldError> {
    match types::Phase::try_from(value) {
        Ok(types::Phase::Shadow) => Ok(Phase::Shadow),
        Ok(types::Phase::Assisted) => Ok(Phase::Assisted),
        Ok(types::Phase::Proactive) => Ok(Phase::Proactive),
        Ok(types::Phase::Unspecified) | Err(_) => Err(FieldError::new(
            field,
            "must be shadow, assisted or proactive",
        )),
    }
}

/// Where a capacity comes from, which must be told.
///
/// # Errors
/// Names the field when the value is none of the known ones.
pub fn capacity_kind(field: &'static str, value: i32) -> Result<CapacityKind, FieldError> {
    match types::CapacityKind::try_from(value) {
        Ok(types::CapacityKind::Declared) => Ok(CapacityKind::Declared),
        Ok(types::CapacityKind::Usual) => Ok(CapacityKind::Usual),
        Ok(types::CapacityKind::Unspecified) | Err(_) => {
            Err(FieldError::new(field, "must be declared or usual"))
        }
    }
}

/// A capacity's kind as a message value.
#[must_use]
pub fn capacity_kind_message(kind: CapacityKind) -> i32 {
    match kind {
        CapacityKind::Declared => types::CapacityKind::Declared.into(),
        CapacityKind::Usual => types::CapacityKind::Usual.into(),
    }
}

/// A phase as a message value.
#[must_use]
pub fn phase_message(phase: Phase) -> i32 {
    match phase {
        Phase::Shadow => types::Phase::Shadow.into(),
        Phase::Assisted => types::Phase::Assisted.into(),
        Phase::Proactive => types::Phase::Proactive.into(),
    }
}

/// Quantiles that must be there and valid.
///
/// # Errors
/// When they are missing, negative, crossing or not finite.
pub fn quantiles(
    field: &'static str,
    value: Option<types::Quantiles>,
) -> Result<Quantiles, FieldError> {
    let types::Quantiles {
        q025,
        q100,
        q500,
        q900,
        q975,
    } = value.ok_or_else(|| FieldError::new(field, "is missing"))?;
    Quantiles::new([q025, q100, q500, q900, q975])
        .map_err(|error| FieldError::new(field, error.to_string()))
}

/// Quantiles as a message.
#[must_use]
pub fn quantiles_message(quantiles: &Quantiles) -> Option<types::Quantiles> {
    let [q025, q100, q500, q900, q975] = quantiles.values();
    Some(types::Quantiles {
        q025,
        q100,
        q500,
        q900,
        q975,
    })
}

/// What a long call tells its caller.
#[must_use]
pub fn progress(stage: impl Into<String>, done: usize, total: usize) -> types::Progress {
    types::Progress {
        stage: stage.into(),
        done: done as u64,
        total: total as u64,
    }
}
