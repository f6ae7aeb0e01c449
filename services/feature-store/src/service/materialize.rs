//! Feature rows into the lake, the newest values online.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_calendar::Calendar;
use foretide_domain::{Measure, RunId, SeriesId, TimeSpan, UseCaseId};
use foretide_features::{
    Feature, FeatureColumn, FeatureError, FeatureView, HourGrid, HourlyMeasures,
    carries_dimensions, compute,
};
use foretide_lake::{LakeError, Stored};

use super::{FeatureStore, Progress, Subject, in_millis};
use crate::error::FeatureStoreError;
use crate::history::{History, table_measures};
use crate::series;
use crate::storage::{Materialization, OnlineValue};
use crate::tables::FeatureRows;

/// Files of one run and moment at most. A second one is written only when a run is repeated after a
/// crash and has learnt more in between.
const MAX_REWRITES: u32 = 100;

impl FeatureStore {
    /// Computes the feature rows of a use case up to a moment, and stores them as known then. Hours
    /// that an earlier run has stored are stored again only from the first day on of which more has
    /// become known since. The same run again does nothing.
    pub(crate) async fn materialize(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
        as_of: DateTime<Utc>,
        progress: Progress<'_>,
    ) -> Result<Materialization, FeatureStoreError> {
        let as_of = in_millis(as_of);
        let subject = self.subject(use_case)?;
        if let Some(done) = self.storage.materialization(run_id, use_case).await? {
            return same_moment(done, as_of);
        }
        let measures = measures_read(subject);
        let steps = measures.len() + 2;
        progress("reading buckets", 0, steps);
        let known = self.history.known(&measures, as_of).await?;
        let history = known
            .history(&subject.use_case, self.config.history_days)
            .await?;
        let rows_grid = self
            .rows_to_store(subject, &measures, &history, as_of)
            .await?;

        progress("computing features", measures.len(), steps);
        let rows = self
            .feature_rows(subject, history, rows_grid, run_id)
            .await?;
        progress("writing feature rows", measures.len() + 1, steps);
        let stored = self.write_rows(subject, &rows, as_of).await?;
        let done = Materialization {
            run_id,
            use_case: use_case.clone(),
            view: subject.view.name.to_owned(),
            spec_hash: subject.spec_hash.to_string(),
            known_at: as_of,
            span: TimeSpan {
                start: rows.grid.start,
                end: rows.grid.end(),
            },
            path: stored.path,
            sha256: stored.sha256,
            rows: rows.len(),
            features: subject.view.features.len(),
            series: rows.series.len(),
        };
        let online = newest_values(&rows, as_of);
        self.storage
            .record_materialization(&done, &subject.spec, &online)
            .await?;
        self.metrics.materialized(use_case.as_str(), done.rows);
        progress("feature rows stored", steps, steps);
        Ok(done)
    }

    /// The hours whose rows may differ from what is stored, up to the hour of the moment itself:
    /// its features read only what lies before.
    async fn rows_to_store(
        &self,
        subject: &Subject,
        measures: &[Measure],
        history: &History,
        as_of: DateTime<Utc>,
    ) -> Result<HourGrid, FeatureStoreError> {
        let end = history.grid.end();
        let earliest = end - TimeDelta::days(i64::from(self.config.materialize_days));
        let mut start = history.grid.start.max(earliest);
        let before = self
            .storage
            .latest_materialization(
                &subject.use_case.id,
                subject.spec_hash.as_str(),
                Some(as_of),
            )
            .await?;
        if let Some(before) = before {
            let changed = self
                .history
                .first_changed_day(measures, before.known_at, as_of)
                .await?;
            let unchanged_until = changed.map_or(before.span.end, |day| day.min(before.span.end));
            start = start.max(unchanged_until.min(end));
        }
        Ok(HourGrid::between(start, end + foretide_domain::HOUR))
    }

    async fn feature_rows(
        &self,
        subject: &Subject,
        history: History,
        rows_grid: HourGrid,
        run_id: RunId,
    ) -> Result<FeatureRows, FeatureStoreError> {
        let use_case = &subject.use_case;
        let counted = history.rows(use_case.series.measure);
        let ids = series::occurring(
            use_case,
            counted,
            history.grid,
            self.config.training_options(),
        );
        let (view, calendar) = (subject.view.clone(), Arc::clone(&self.calendar));
        let series = tokio::task::spawn_blocking(move || {
            columns_by_series(&view, &history, &calendar, &ids, rows_grid)
        })
        .await??;
        Ok(FeatureRows {
            grid: rows_grid,
            run_id,
            series,
        })
    }

    async fn write_rows(
        &self,
        subject: &Subject,
        rows: &FeatureRows,
        known_at: DateTime<Utc>,
    ) -> Result<Stored, FeatureStoreError> {
        let mut table = rows.to_table()?;
        let (view, hash) = (subject.view.name, subject.spec_hash.short());
        let stem = format!(
            "features/{view}/{hash}/{}-{}",
            known_at.timestamp_millis(),
            rows.run_id
        );
        let mut path = format!("{stem}.parquet");
        for rewrite in 1..MAX_REWRITES {
            match self.lake.write_frame(&path, &mut table).await {
                Err(LakeError::Conflict { .. }) => path = format!("{stem}-{rewrite}.parquet"),
                stored => return Ok(stored?),
            }
        }
        Err(FeatureStoreError::Lake(LakeError::Conflict { path }))
    }
}

fn same_moment(
    done: Materialization,
    as_of: DateTime<Utc>,
) -> Result<Materialization, FeatureStoreError> {
    if done.known_at == as_of {
        return Ok(done);
    }
    Err(FeatureStoreError::RunUsedTwice {
        run_id: done.run_id,
        use_case: done.use_case.to_string(),
        known_at: done.known_at,
    })
}

/// The measures of the view, and the one that is forecast.
fn measures_read(subject: &Subject) -> Vec<Measure> {
    let (of_view, of_table) = (subject.view.measures(), table_measures(&subject.use_case));
    Measure::ALL
        .into_iter()
        .filter(|measure| of_view.contains(measure) || of_table.contains(measure))
        .collect()
}

/// The view's columns for each series. What is the same for all series is computed once.
fn columns_by_series(
    view: &FeatureView,
    history: &History,
    calendar: &Calendar,
    ids: &[SeriesId],
    rows: HourGrid,
) -> Result<Vec<(SeriesId, Vec<FeatureColumn>)>, FeatureError> {
    let grid = history.grid;
    let shared_view = view.only(|feature| !feature.is_per_series());
    let mut shared_counts = HourlyMeasures::new(grid);
    for measure in shared_view.measures() {
        shared_counts.insert(measure, series::total(history.rows(measure), grid))?;
    }
    let shared = compute(&shared_view, &shared_counts, calendar, rows)?;

    let own_view = view.only(Feature::is_per_series);
    let mut own_counts = vec![HourlyMeasures::new(grid); ids.len()];
    for measure in own_view
        .measures()
        .into_iter()
        .filter(|measure| carries_dimensions(*measure))
    {
        let columns = series::counts(ids, history.rows(measure), grid);
        for (counts, column) in own_counts.iter_mut().zip(columns) {
            counts.insert(measure, column)?;
        }
    }
    ids.iter()
        .zip(&own_counts)
        .map(|(id, counts)| {
            let own = compute(&own_view, counts, calendar, rows)?;
            Ok((id.clone(), in_order(view, &shared, own)))
        })
        .collect()
}

fn in_order(
    view: &FeatureView,
    shared: &[FeatureColumn],
    own: Vec<FeatureColumn>,
) -> Vec<FeatureColumn> {
    let position = |column: &FeatureColumn| {
        view.features
            .iter()
            .position(|feature| feature.name == column.name)
    };
    let mut columns = own;
    columns.extend(shared.iter().cloned());
    columns.sort_by_key(position);
    columns
}

fn newest_values(rows: &FeatureRows, known_at: DateTime<Utc>) -> Vec<OnlineValue> {
    let Some(last) = rows.grid.hours.checked_sub(1) else {
        return Vec::new();
    };
    let event_time = rows.grid.hour(last);
    rows.series
        .iter()
        .flat_map(|(series, columns)| {
            columns.iter().map(move |column| OnlineValue {
                series: series.clone(),
                feature: column.name.to_owned(),
                value: column.values[last],
                event_time,
                known_at,
            })
        })
        .collect()
}
