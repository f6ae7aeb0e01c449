//! Where training sets come from.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use foretide_api::features::v1 as wire;
use foretide_api::features::v1::feature_store_service_client::FeatureStoreServiceClient;
use foretide_api::{ErrorCode, ServiceError, timestamp};
use foretide_domain::{RunId, UseCaseId};
use foretide_service_runtime::AuthedChannel;

use crate::error::TrainError;
use crate::model::TrainingSet;

/// Gives the training set of a use case as it was known at a moment.
#[async_trait]
pub(crate) trait TrainingSets: Send + Sync {
    async fn training_set(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
        known_at: DateTime<Utc>,
    ) -> Result<TrainingSet, TrainError>;
}

/// The feature store, over gRPC.
pub(crate) struct FeatureStore(FeatureStoreServiceClient<AuthedChannel>);

impl FeatureStore {
    pub(crate) fn new(client: FeatureStoreServiceClient<AuthedChannel>) -> Self {
        Self(client)
    }
}

#[async_trait]
impl TrainingSets for FeatureStore {
    async fn training_set(
        &self,
        run_id: RunId,
        use_case: &UseCaseId,
        known_at: DateTime<Utc>,
    ) -> Result<TrainingSet, TrainError> {
        let request = wire::BuildTrainingSetRequest {
            run_id: run_id.to_string(),
            use_case: use_case.to_string(),
            known_at: timestamp(known_at),
        };
        let reply = self
            .0
            .clone()
            .build_training_set(request)
            .await
            .map_err(|status| TrainError::FeatureStore {
                code: ServiceError::code(&status),
                message: status.message().to_owned(),
            })?;
        let set = reply
            .into_inner()
            .training_set
            .ok_or_else(|| TrainError::FeatureStore {
                code: ErrorCode::Internal,
                message: "it answered without a training set".to_owned(),
            })?;
        Ok(TrainingSet {
            view: set.view,
            spec_hash: set.spec_hash,
            path: set.path,
            sha256: set.sha256,
            rows: set.rows,
        })
    }
}
