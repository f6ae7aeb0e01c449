//! The champion and its versions.

use foretide_api::training::v1 as training;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, Fakes, HOSTILE, at};

#[async_trait]
impl training::training_service_server::TrainingService for Fakes {
    type TrainStream = BoxStream<training::TrainResponse>;

    async fn get_champion(
        &self,
        request: Request<training::GetChampionRequest>,
    ) -> Answer<training::GetChampionResponse> {
        let asked = self.take(request)?;
        if self.story().empty {
            return Err(Status::not_found("there is no champion"));
        }
        let score = |kind: &str| training::CandidateScore {
            kind: kind.to_owned(),
            pinball: 0.5,
            mae: 1.5,
            coverage_80: 0.81,
            coverage_95: 0.95,
        };
        let series = training::SeriesModel {
            series_id: format!("{}/total", asked.use_case),
            kind: "climatology".to_owned(),
            scores: vec![score("seasonal_naive"), score("climatology")],
            note: HOSTILE.to_owned(),
            learning: true,
            weights: vec![training::CandidateWeight {
                kind: "climatology".to_owned(),
                weight: 1.0,
            }],
            ..Default::default()
        };
        let version = training::ModelVersion {
            name: asked.use_case,
            version: 3,
            trained_at: at(-30),
            series: vec![series],
            history_hours: 2880,
            ..Default::default()
        };
        Ok(Response::new(training::GetChampionResponse {
            model_version: Some(version),
        }))
    }

    async fn list_model_versions(
        &self,
        request: Request<training::ListModelVersionsRequest>,
    ) -> Answer<training::ListModelVersionsResponse> {
        self.take(request)?;
        let version = training::ModelVersion {
            version: 3,
            alias: "champion".to_owned(),
            ..Default::default()
        };
        Ok(Response::new(training::ListModelVersionsResponse {
            model_versions: vec![version],
        }))
    }

    async fn get_ledger_status(
        &self,
        request: Request<training::GetLedgerStatusRequest>,
    ) -> Answer<training::GetLedgerStatusResponse> {
        self.take(request)?;
        Ok(Response::new(training::GetLedgerStatusResponse {
            pending: 4,
            ..Default::default()
        }))
    }

    async fn train(&self, _: Request<training::TrainRequest>) -> Answer<Self::TrainStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_model_version(
        &self,
        _: Request<training::GetModelVersionRequest>,
    ) -> Answer<training::GetModelVersionResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
