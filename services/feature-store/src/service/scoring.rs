//! What a model needs to score, and what has really happened.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_domain::{HOUR, SeriesId, TimeSpan, UseCase, UseCaseId, floor_hour};
use foretide_features::HourGrid;
use foretide_lake::arrivals::ArrivalStore;

use super::{FeatureStore, MAX_VALUES, check_series, in_millis};
use crate::completeness::{arrived, completeness};
use crate::error::FeatureStoreError;
use crate::history::{History, table_measures};
use crate::series;

/// Counts of one series by hour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesCounts {
    pub(crate) series: SeriesId,
    pub(crate) start: DateTime<Utc>,
    pub(crate) values: Vec<f64>,
}

/// History and known future around a moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoringFrame {
    /// First hour of the horizon.
    pub(crate) start: DateTime<Utc>,
    /// By name; history first, then horizon.
    pub(crate) regressors: Vec<(&'static str, Vec<f64>)>,
    pub(crate) series: Vec<SeriesCounts>,
    pub(crate) hour_of_week: Vec<u8>,
    pub(crate) history_hour_of_week: Vec<u8>,
    pub(crate) completeness: f64,
}

/// Counts as they were known at a moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Actuals {
    pub(crate) series: Vec<SeriesCounts>,
    pub(crate) settled_until: DateTime<Utc>,
}

impl FeatureStore {
    /// The last hours of every series, and the known future of the horizon. When less history is
    /// there than asked for, all that is there.
    pub(crate) async fn scoring_frame(
        &self,
        use_case: &UseCaseId,
        as_of: DateTime<Utc>,
        horizon_hours: usize,
        history_hours: usize,
    ) -> Result<ScoringFrame, FeatureStoreError> {
        let as_of = in_millis(as_of);
        let subject = self.subject(use_case)?;
        let use_case = &subject.use_case;
        let known = self.history.known(&table_measures(use_case), as_of).await?;
        let history = known.history(use_case, self.config.history_days).await?;
        let rows = history.rows(use_case.series.measure);
        let series =
            series::occurring(use_case, rows, history.grid, self.config.training_options());

        let kept_hours = history.grid.hours.min(history_hours);
        check_size(series.len(), kept_hours)?;
        let recent = HourGrid {
            start: history.grid.hour(history.grid.hours - kept_hours),
            hours: kept_hours,
        };
        let start = recent.end();
        let counts = series::counts(&series, rows, recent);
        Ok(ScoringFrame {
            start,
            regressors: subject
                .view
                .regressors()
                .into_iter()
                .map(|feature| {
                    let hours = kept_hours + horizon_hours;
                    (
                        feature.name(),
                        self.calendar.column(feature, recent.start, hours),
                    )
                })
                .collect(),
            series: with_starts(series, recent.start, counts),
            hour_of_week: self.calendar.hours_of_week(start, horizon_hours),
            history_hour_of_week: self.calendar.hours_of_week(recent.start, kept_hours),
            completeness: self.completeness(use_case, &history, as_of).await?,
        })
    }

    /// How complete the newest history is: by what is silent that usually is not, and by how late
    /// rows of the table usually come in, whichever is less.
    async fn completeness(
        &self,
        use_case: &UseCase,
        history: &History,
        as_of: DateTime<Utc>,
    ) -> Result<f64, FeatureStoreError> {
        let table = use_case.series.measure.table();
        let lag = ArrivalStore::new(self.lake.clone())
            .read(table, as_of)
            .await?;
        let heard = completeness(&self.calendar, &history.activity(use_case), history.grid);
        Ok(heard.min(arrived(&lag, as_of, history.grid)))
    }

    /// The counts of some series (of all, when none is named) in a span, as known at a moment: the
    /// hours of the span that lie in the history, up to the hour of that moment.
    pub(crate) async fn actuals(
        &self,
        use_case: &UseCaseId,
        series: Vec<SeriesId>,
        span: TimeSpan,
        known_at: DateTime<Utc>,
    ) -> Result<Actuals, FeatureStoreError> {
        let known_at = in_millis(known_at);
        let use_case = &self.subject(use_case)?.use_case;
        check_series(&use_case.id, &series)?;
        let known = self
            .history
            .known(&table_measures(use_case), known_at)
            .await?;
        let first = known.first_full_hour(use_case).await?;
        let settled_until = self.settled_until(use_case, &known, known_at).await?;

        let end = round_up(span.end).min(floor_hour(known_at));
        let grid = HourGrid::between(floor_hour(span.start).max(first), end);
        let rows = known.rows(use_case.series.measure, grid).await?;
        let series = if series.is_empty() {
            series::occurring(use_case, &rows, grid, self.config.training_options())
        } else {
            series
        };
        check_size(series.len(), grid.hours)?;
        let counts = series::counts(&series, &rows, grid);
        Ok(Actuals {
            series: with_starts(series, grid.start, counts),
            settled_until,
        })
    }
}

fn check_size(series: usize, hours: usize) -> Result<(), FeatureStoreError> {
    if series.saturating_mul(hours) > MAX_VALUES {
        return Err(FeatureStoreError::TooMuch { series, hours });
    }
    Ok(())
}

fn with_starts(
    series: Vec<SeriesId>,
    start: DateTime<Utc>,
    counts: Vec<Vec<f64>>,
) -> Vec<SeriesCounts> {
    let pairs = series.into_iter().zip(counts);
    pairs
        .map(|(series, values)| SeriesCounts {
            series,
            start,
            values,
        })
        .collect()
}

/// The full hour at or after the moment.
fn round_up(moment: DateTime<Utc>) -> DateTime<Utc> {
    floor_hour(moment + HOUR - TimeDelta::nanoseconds(1))
}
