//! Tells MLflow of every version, in order, for as long as it takes.

use async_trait::async_trait;
use foretide_db::DbError;
use foretide_lake::{Lake, LakeError};
use foretide_mlflow::{MlflowClient, MlflowError};
use foretide_outbox::{Destination, Item, Outcome};

use crate::lineage;
use crate::model::LedgerEntry;
use crate::storage::Store;

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

/// The MLflow server and what it is told from.
pub(crate) struct Ledger {
    pub(crate) mlflow: MlflowClient,
    pub(crate) lake: Lake,
    pub(crate) store: Store,
}

impl Ledger {
    /// The receipt is MLflow's run id.
    async fn tell(&self, entry: &LedgerEntry) -> Result<String, LedgerError> {
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
        tracing::info!(model = %entry.name, version = entry.version, mlflow_run_id = %run_id, "MLflow knows the version");
        Ok(run_id)
    }

    async fn deliver_one(&self, item: &Item) -> Result<Outcome, Outcome> {
        let entry: LedgerEntry = item.read()?;
        let run_id = self.tell(&entry).await;
        run_id
            .map(|run_id| Outcome::Delivered(Some(run_id)))
            .map_err(|error| failure(&error))
    }
}

fn failure(error: &LedgerError) -> Outcome {
    let after = match error {
        LedgerError::Mlflow(MlflowError::Invalid { .. })
        | LedgerError::Database(DbError::NotFound { .. }) => {
            return Outcome::Refused(error.to_string());
        }
        LedgerError::Mlflow(error) => error.retry_after(),
        LedgerError::Lake(_) | LedgerError::Database(_) => None,
    };
    Outcome::Later {
        reason: error.to_string(),
        after,
    }
}

#[async_trait]
impl Destination for Ledger {
    async fn deliver(&self, items: &[Item]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let outcome = self.deliver_one(item).await;
            outcomes.push(outcome.unwrap_or_else(|outcome| outcome));
        }
        outcomes
    }
}
