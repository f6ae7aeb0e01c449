//! Tells MLflow of every version, in order, for as long as it takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foretide_db::DbError;
use foretide_domain::{SharedClock, UseCaseId};
use foretide_lake::{Lake, LakeError};
use foretide_mlflow::{MlflowClient, MlflowError};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::LedgerPace;
use crate::lineage;
use crate::metrics;
use crate::storage::{LedgerEntry, Store};

/// Looked at even when nobody wakes the task: another replica may have made a version.
const IDLE_LOOK: Duration = Duration::from_secs(60);

/// Why a version could not be told now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error("{0}")]
    Mlflow(#[from] MlflowError),
    #[error("{0}")]
    Lake(#[from] LakeError),
    #[error("{0}")]
    Database(#[from] DbError),
}

impl LedgerError {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Mlflow(error) => error.retry_after(),
            Self::Lake(_) | Self::Database(_) => None,
        }
    }
}

/// The background task.
pub(crate) struct Ledger {
    pub(crate) mlflow: MlflowClient,
    pub(crate) lake: Lake,
    pub(crate) store: Store,
    pub(crate) clock: SharedClock,
    pub(crate) wake: Arc<Notify>,
    pub(crate) pace: LedgerPace,
}

/// Failures in a row of one model, and when it is tried again.
struct Setback {
    failures: u32,
    again_at: Instant,
}

type Setbacks = HashMap<UseCaseId, Setback>;

impl Ledger {
    /// Runs until shutdown. What is not delivered then is delivered after the next start.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut setbacks = Setbacks::new();
        loop {
            if let Err(error) = self.round(&mut setbacks, &shutdown).await {
                tracing::warn!(%error, "the ledger cannot be read; it will be tried again");
            }
            let next = setbacks.values().map(|setback| setback.again_at).min();
            let next = next.unwrap_or_else(|| Instant::now() + IDLE_LOOK);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Tries every waiting entry whose turn it is. Entries of one model keep their order: behind one
    /// that fails, the later ones wait.
    async fn round(
        &self,
        setbacks: &mut Setbacks,
        shutdown: &CancellationToken,
    ) -> Result<(), DbError> {
        let waiting = self.store.pending_entries().await?;
        setbacks.retain(|name, _| waiting.iter().any(|entry| entry.name == *name));
        for entry in waiting {
            if shutdown.is_cancelled() {
                return Ok(());
            }
            let waits = setbacks
                .get(&entry.name)
                .is_some_and(|s| s.again_at > Instant::now());
            if waits {
                continue;
            }
            match self.deliver(&entry).await {
                Ok(()) => {
                    setbacks.remove(&entry.name);
                    metrics::ledger_delivery("delivered");
                }
                Err(error) => self.put_back(&entry, &error, setbacks).await?,
            }
        }
        Ok(())
    }

    async fn deliver(&self, entry: &LedgerEntry) -> Result<(), LedgerError> {
        let found = self.store.version(&entry.name, entry.version).await?;
        let version = found.ok_or_else(|| DbError::not_found("version of a ledger entry"))?;
        let artefact = self
            .lake
            .get(
                &version.content.artefact_path,
                Some(&version.content.artefact_sha256),
            )
            .await?;
        let run_id = lineage::tell(&self.mlflow, &version, artefact).await?;
        self.store
            .entry_delivered(entry.sequence, &run_id, self.clock.now())
            .await?;
        tracing::info!(model = %entry.name, version = entry.version, mlflow_run_id = %run_id, "MLflow knows the version");
        Ok(())
    }

    async fn put_back(
        &self,
        entry: &LedgerEntry,
        error: &LedgerError,
        setbacks: &mut Setbacks,
    ) -> Result<(), DbError> {
        metrics::ledger_delivery("failed");
        let failures = setbacks
            .get(&entry.name)
            .map_or(0, |setback| setback.failures)
            + 1;
        let wait = self.pace.wait(failures, error.retry_after());
        tracing::warn!(%error, model = %entry.name, version = entry.version, wait_ms = wait.as_millis(), "MLflow was not told; it will be tried again");
        setbacks.insert(
            entry.name.clone(),
            Setback {
                failures,
                again_at: Instant::now() + wait,
            },
        );
        self.store
            .entry_failed(entry.sequence, &error.to_string())
            .await
    }
}
