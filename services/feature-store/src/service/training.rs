//! Training sets: the same specification and moment give the same bytes.

use chrono::{DateTime, Utc};
use foretide_domain::{HOUR, RunId, TimeSpan, UseCase, UseCaseId, floor_hour};
use foretide_features::HourGrid;
use foretide_lake::LakeError;

use super::{FeatureStore, Subject, in_millis};
use crate::error::FeatureStoreError;
use crate::history::{Known, table_measures};
use crate::series;
use crate::storage::TrainingSet;
use crate::tables::TrainingColumns;

impl FeatureStore {
    /// Builds the training set of a use case as known at a moment, or finds it again.
    pub(crate) async fn training_set(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
        known_at: DateTime<Utc>,
    ) -> Result<TrainingSet, FeatureStoreError> {
        let known_at = in_millis(known_at);
        let subject = self.subject(use_case)?;
        let hash = subject.spec_hash.as_str();
        let before = self.storage.training_set(use_case, hash, known_at).await?;
        if let Some(found) = before.as_ref() {
            match self.lake.get(&found.path, Some(&found.sha256)).await {
                Ok(_) => {
                    self.metrics.training_set(use_case.as_str(), "found");
                    return Ok(found.clone());
                }
                Err(LakeError::NotFound { .. }) => {
                    tracing::info!(
                        path = found.path,
                        "a training set is gone and is built again"
                    );
                }
                Err(error) => return Err(error.into()),
            }
        }
        let built = self.build_training_set(subject, run_id, known_at).await?;
        if before.is_some_and(|before| before.sha256 != built.sha256) {
            return Err(FeatureStoreError::NotReproducible { path: built.path });
        }
        self.storage.record_training_set(&built).await?;
        self.metrics.training_set(use_case.as_str(), "built");
        Ok(built)
    }

    async fn build_training_set(
        &self,
        subject: &Subject,
        run_id: RunId,
        known_at: DateTime<Utc>,
    ) -> Result<TrainingSet, FeatureStoreError> {
        let columns = self.training_columns(subject, known_at).await?;
        let (grid, series) = (columns.grid, columns.series.len());
        let regressors = columns
            .regressors
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let path = format!(
            "training-sets/{}/{}.parquet",
            subject.spec_hash.short(),
            known_at.timestamp_millis()
        );
        let mut table = tokio::task::spawn_blocking(move || columns.into_table()).await??;
        let stored = match self.lake.write_frame(&path, &mut table).await {
            Err(LakeError::Conflict { .. }) => {
                return Err(FeatureStoreError::NotReproducible { path });
            }
            stored => stored?,
        };
        Ok(TrainingSet {
            run_id,
            use_case: subject.use_case.id.clone(),
            view: subject.view.name.to_owned(),
            spec_hash: subject.spec_hash.to_string(),
            known_at,
            span: TimeSpan {
                start: grid.start,
                end: grid.end(),
            },
            path,
            sha256: stored.sha256,
            rows: grid.hours,
            series,
            regressors,
        })
    }

    /// Settled hours only: a count that may still grow would teach the model a dip that is not
    /// there.
    async fn training_columns(
        &self,
        subject: &Subject,
        known_at: DateTime<Utc>,
    ) -> Result<TrainingColumns, FeatureStoreError> {
        let use_case = &subject.use_case;
        let known = self
            .history
            .known(&table_measures(use_case), known_at)
            .await?;
        let history = known.history(use_case, self.config.history_days).await?;
        let settled = self.settled_until(use_case, &known, known_at).await?;
        let grid = HourGrid::between(history.grid.start, settled + HOUR);
        if grid.hours == 0 {
            return Err(known.nothing(use_case));
        }
        let rows = history.rows(use_case.series.measure);
        let series = series::occurring(use_case, rows, grid, self.config.training_options());
        let counts = series::counts(&series, rows, grid);
        Ok(TrainingColumns {
            grid,
            hour_of_week: self.calendar.hours_of_week(grid.start, grid.hours),
            regressors: subject
                .view
                .regressors()
                .into_iter()
                .map(|feature| {
                    (
                        feature.name(),
                        self.calendar.column(feature, grid.start, grid.hours),
                    )
                })
                .collect(),
            series: series.into_iter().zip(counts).collect(),
        })
    }

    /// The newest hour whose counts are settled: the configured hours have passed since it began,
    /// and something newer, or it itself, has been seen in the use case's table.
    pub(super) async fn settled_until(
        &self,
        use_case: &UseCase,
        known: &Known,
        known_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, FeatureStoreError> {
        let newest = known.newest_hour(use_case).await?;
        let settle_hours = i32::try_from(self.config.settle_hours).expect("at most 168");
        Ok(newest.min(floor_hour(known_at) - HOUR * settle_hours))
    }
}
