//! Where forecasts and counts come from.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use foretide_domain::{ForecastId, SeriesId, TimeSpan, UseCaseId};

use crate::error::AuditorError;
use crate::model::{ForecastHour, HourlyCounts, IssuedForecast, JudgedWindow};

/// Counts as they were known at a moment.
#[derive(Debug, Clone)]
pub(crate) struct KnownCounts {
    /// By series; a series nobody knows is missing.
    pub(crate) series: HashMap<SeriesId, HourlyCounts>,
    /// Start of the newest hour that will not change any more; nothing when there is none.
    pub(crate) settled_until: Option<DateTime<Utc>>,
}

/// Forecasts that were issued.
#[async_trait]
pub(crate) trait Forecasts: Send + Sync + 'static {
    /// Forecasts issued in the span, in any order.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn issued(
        &self,
        use_case: &UseCaseId,
        span: TimeSpan,
    ) -> Result<Vec<IssuedForecast>, AuditorError>;

    /// The hours of one series of a forecast.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn hours(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
        series: &SeriesId,
    ) -> Result<Vec<ForecastHour>, AuditorError>;

    /// The windows of a forecast as they were judged, in order of time.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn judged(
        &self,
        use_case: &UseCaseId,
        forecast: ForecastId,
    ) -> Result<Vec<JudgedWindow>, AuditorError>;
}

/// What happened.
#[async_trait]
pub(crate) trait Actuals: Send + Sync + 'static {
    /// Counts of the series in the span, as they were known at `known_at`.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn counts(
        &self,
        use_case: &UseCaseId,
        series: &[SeriesId],
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Result<KnownCounts, AuditorError>;
}
