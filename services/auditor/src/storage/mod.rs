//! The auditor's tables. Everything that goes into the audit chain goes in with what it is about, in
//! one transaction.

mod entities;
mod queries;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use foretide_audit_chain::{AuditRecord, Event, Head};
use foretide_db::{Database, DatabaseConfig, DbError};
use foretide_domain::{ForecastId, Phase, RunId, SeriesId, TimeSpan, UseCaseId};
use foretide_migrations::auditor::Migrator;
use foretide_migrations::{MigrateError, migrate};
use foretide_outbox::{NewItem, Outbox};
use foretide_write_back::Batches;
use tokio::sync::Mutex;

use crate::error::AuditorError;
use crate::model::{Evaluation, PhaseState, WindowOutcome};
pub(crate) use queries::audit::{AuditFilter, Link};
pub(crate) use queries::checkpoints::SignedCheckpoint;

/// The channel of rows for `AI_Governance_CL`.
const GOVERNANCE: &str = "governance";

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Its schema.
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

/// The auditor's tables. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Storage {
    database: Database,
    /// Within one process appends take turns here, so that they do not fight for the chain's head.
    appending: Arc<Mutex<()>>,
}

impl Storage {
    pub(crate) async fn open(config: &DatabaseConfig) -> Result<Self, OpenError> {
        let database = Database::connect(config, "auditor").await?;
        migrate::<Migrator>(&database).await?;
        queries::audit::ensure_head(database.connection()).await?;
        Ok(Self {
            database,
            appending: Arc::default(),
        })
    }

    /// What the workspace accepted.
    pub(crate) fn batches(&self) -> Batches {
        Batches::new(self.database.clone())
    }

    pub(crate) fn database(&self) -> Database {
        self.database.clone()
    }

    /// Appends an event, or gives back the record it already has.
    pub(crate) async fn append(
        &self,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<AuditRecord, AuditorError> {
        let _turn = self.appending.lock().await;
        self.database
            .transaction("append audit", |transaction| {
                let event = event.clone();
                Box::pin(queries::audit::append(transaction, event, now))
            })
            .await
    }

    pub(crate) async fn records(
        &self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRecord>, AuditorError> {
        queries::audit::list(self.database.connection(), filter).await
    }

    pub(crate) async fn head(&self) -> Result<Head, AuditorError> {
        queries::audit::head(self.database.connection()).await
    }

    /// The records from a sequence on, as far as the tree needs them.
    pub(crate) async fn links(
        &self,
        from_sequence: u64,
        limit: u64,
    ) -> Result<Vec<Link>, AuditorError> {
        queries::audit::links(self.database.connection(), from_sequence, limit).await
    }

    /// The lowest sequence below 1, where no record can be.
    pub(crate) async fn before_the_first(&self) -> Result<Option<i64>, AuditorError> {
        queries::audit::before_the_first(self.database.connection()).await
    }

    /// Keeps a signed checkpoint, to be published.
    pub(crate) async fn keep_checkpoint(
        &self,
        size: u64,
        note: &str,
        now: DateTime<Utc>,
    ) -> Result<(), AuditorError> {
        queries::checkpoints::insert(self.database.connection(), size, note, now).await
    }

    /// The newest signed checkpoints, newest first.
    pub(crate) async fn checkpoints(
        &self,
        limit: u64,
    ) -> Result<Vec<SignedCheckpoint>, AuditorError> {
        queries::checkpoints::newest(self.database.connection(), limit).await
    }

    /// Sizes of all checkpoints that are published, smallest first.
    pub(crate) async fn published_sizes(&self) -> Result<Vec<u64>, AuditorError> {
        queries::checkpoints::published_sizes(self.database.connection()).await
    }

    pub(crate) async fn mark_published(
        &self,
        size: u64,
        now: DateTime<Utc>,
    ) -> Result<(), AuditorError> {
        self.database
            .transaction("mark published", |transaction| {
                Box::pin(queries::checkpoints::mark_published(transaction, size, now))
            })
            .await
    }

    /// Gives a use case its first phase. False when it has one.
    pub(crate) async fn begin_phase(
        &self,
        state: &PhaseState,
        event: Event,
    ) -> Result<bool, AuditorError> {
        let _turn = self.appending.lock().await;
        self.database
            .transaction("begin phase", |transaction| {
                let (state, event) = (state.clone(), event.clone());
                Box::pin(async move {
                    let is_new = queries::phases::insert(transaction, &state).await?;
                    if is_new {
                        queries::audit::append(transaction, event, state.since).await?;
                    }
                    Ok(is_new)
                })
            })
            .await
    }

    /// Changes a phase, unless it is no longer what the decision was based on. False then.
    pub(crate) async fn change_phase(
        &self,
        from: Phase,
        state: &PhaseState,
        event: Event,
    ) -> Result<bool, AuditorError> {
        let _turn = self.appending.lock().await;
        self.database
            .transaction("change phase", |transaction| {
                let (state, event) = (state.clone(), event.clone());
                Box::pin(async move {
                    let changed = queries::phases::update(transaction, from, &state).await?;
                    if changed {
                        queries::audit::append(transaction, event, state.since).await?;
                    }
                    Ok(changed)
                })
            })
            .await
    }

    pub(crate) async fn phase(
        &self,
        use_case: &UseCaseId,
    ) -> Result<Option<PhaseState>, AuditorError> {
        queries::phases::find(self.database.connection(), use_case).await
    }

    pub(crate) async fn phases(&self) -> Result<Vec<PhaseState>, AuditorError> {
        queries::phases::all(self.database.connection()).await
    }

    /// Which of the forecasts are evaluated already.
    pub(crate) async fn evaluated(
        &self,
        forecasts: &[ForecastId],
    ) -> Result<Vec<ForecastId>, AuditorError> {
        queries::evaluations::evaluated(self.database.connection(), forecasts).await
    }

    /// Stores a forecast's evaluations with their rows for the workspace. False when another call
    /// has evaluated the forecast meanwhile; nothing is stored then.
    pub(crate) async fn store_evaluations(
        &self,
        evaluated: &EvaluatedForecast,
    ) -> Result<bool, AuditorError> {
        let outcome = self
            .database
            .transaction("store evaluations", |transaction| {
                let evaluated = evaluated.clone();
                Box::pin(async move {
                    queries::evaluations::insert(transaction, &evaluated).await?;
                    queries::windows::insert(transaction, &evaluated).await?;
                    let (rows, at) = (evaluated.rows, evaluated.evaluated_at);
                    foretide_outbox::insert(transaction, GOVERNANCE, rows, at).await?;
                    Ok::<_, AuditorError>(())
                })
            })
            .await;
        match outcome {
            Ok(()) => Ok(true),
            Err(AuditorError::Database(DbError::Conflict { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn evaluations(
        &self,
        filter: &EvaluationFilter,
    ) -> Result<Vec<Evaluation>, AuditorError> {
        queries::evaluations::list(self.database.connection(), filter).await
    }

    /// Windows of forecasts that were issued in the span.
    pub(crate) async fn settled_windows(
        &self,
        use_case: &UseCaseId,
        issued: TimeSpan,
    ) -> Result<Vec<WindowOutcome>, AuditorError> {
        queries::windows::settled(self.database.connection(), use_case, issued).await
    }

    /// Rows for `AI_Governance_CL`.
    pub(crate) fn rows(&self) -> Outbox {
        Outbox::new(self.database.clone(), GOVERNANCE)
    }
}

/// Everything that is stored when a forecast has been evaluated.
#[derive(Debug, Clone)]
pub(crate) struct EvaluatedForecast {
    pub(crate) forecast_id: ForecastId,
    pub(crate) use_case: UseCaseId,
    pub(crate) run_id: RunId,
    pub(crate) evaluated_at: DateTime<Utc>,
    pub(crate) evaluations: Vec<Evaluation>,
    /// Its windows, where its use case has a trigger.
    pub(crate) windows: Vec<WindowOutcome>,
    /// Rows for the workspace; empty without a write-back.
    pub(crate) rows: Vec<NewItem>,
}

/// Which evaluations are asked for, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvaluationFilter {
    pub(crate) use_case: Option<UseCaseId>,
    pub(crate) series_id: Option<SeriesId>,
    /// Only of forecasts that begin in this span, the end excluded.
    pub(crate) begins: Option<TimeSpan>,
    pub(crate) limit: u64,
}
