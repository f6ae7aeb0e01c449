//! The wire: parse the request fully, call, render.

use std::sync::Arc;

use foretide_api::training::v1::training_service_server::TrainingService;
use foretide_api::training::v1::{
    self as wire, GetChampionRequest, GetChampionResponse, GetLedgerStatusRequest,
    GetLedgerStatusResponse, GetModelVersionRequest, GetModelVersionResponse,
    ListModelVersionsRequest, ListModelVersionsResponse, TrainRequest, TrainResponse,
    train_response::Event,
};
use foretide_api::{FieldError, into_status, moment, timestamp, use_case_id, uuid_field};
use foretide_domain::Role;
use foretide_service_runtime::require;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::model::{
    CHAMPION, Coverage, CoverageByHorizon, ModelVersion, Score, SeriesModel, Weight,
};
use crate::service::{Progress, TrainCommand, Trainer};

/// Versions listed when the request does not say how many, and at most.
const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 500;

/// Progress messages that may wait for a slow reader; further ones are left out.
const PROGRESS_BUFFER: usize = 64;

pub(crate) struct TrainingGrpc {
    trainer: Arc<Trainer>,
    ledger_configured: bool,
}

impl TrainingGrpc {
    pub(crate) fn new(trainer: Arc<Trainer>, ledger_configured: bool) -> Self {
        Self {
            trainer,
            ledger_configured,
        }
    }
}

fn train_command(request: TrainRequest) -> Result<TrainCommand, FieldError> {
    let TrainRequest {
        run_id,
        use_case,
        as_of,
    } = request;
    Ok(TrainCommand {
        run_id: uuid_field("run_id", &run_id)?,
        use_case: use_case_id("use_case", &use_case)?,
        as_of: moment("as_of", as_of)?,
    })
}

fn limit(limit: u32) -> Result<u32, FieldError> {
    match limit {
        0 => Ok(DEFAULT_LIMIT),
        1..=MAX_LIMIT => Ok(limit),
        _ => Err(FieldError::new(
            "limit",
            format!("must be at most {MAX_LIMIT}"),
        )),
    }
}

#[tonic::async_trait]
impl TrainingService for TrainingGrpc {
    type TrainStream = ReceiverStream<Result<TrainResponse, Status>>;

    async fn train(
        &self,
        request: Request<TrainRequest>,
    ) -> Result<Response<Self::TrainStream>, Status> {
        require(&request, Role::Operator)?;
        let command = train_command(request.into_inner()).map_err(into_status)?;
        let (events, stream) = mpsc::channel(PROGRESS_BUFFER);
        let trainer = Arc::clone(&self.trainer);
        // The training goes on when the caller goes away: asked again, the same run finds its version.
        let work = async move {
            let outcome = trainer.train(&command, progress_into(events.clone())).await;
            let last = outcome
                .map(|version| TrainResponse {
                    event: Some(Event::ModelVersion(message(&version))),
                })
                .map_err(into_status);
            if events.send(last).await.is_err() {
                tracing::debug!("the caller of a training did not wait for its end");
            }
        };
        tokio::spawn(work.in_current_span());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_champion(
        &self,
        request: Request<GetChampionRequest>,
    ) -> Result<Response<GetChampionResponse>, Status> {
        require(&request, Role::Viewer)?;
        let GetChampionRequest { use_case } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let version = self
            .trainer
            .champion(&use_case)
            .await
            .map_err(into_status)?;
        Ok(Response::new(GetChampionResponse {
            model_version: Some(message(&version)),
        }))
    }

    async fn get_model_version(
        &self,
        request: Request<GetModelVersionRequest>,
    ) -> Result<Response<GetModelVersionResponse>, Status> {
        require(&request, Role::Viewer)?;
        let GetModelVersionRequest { name, version } = request.into_inner();
        let name = use_case_id("name", &name).map_err(into_status)?;
        let version = self
            .trainer
            .version(&name, version)
            .await
            .map_err(into_status)?;
        Ok(Response::new(GetModelVersionResponse {
            model_version: Some(message(&version)),
        }))
    }

    async fn list_model_versions(
        &self,
        request: Request<ListModelVersionsRequest>,
    ) -> Result<Response<ListModelVersionsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let ListModelVersionsRequest {
            use_case,
            limit: asked,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let limit = limit(asked).map_err(into_status)?;
        let versions = self
            .trainer
            .versions(&use_case, limit)
            .await
            .map_err(into_status)?;
        let model_versions = versions.iter().map(message).collect();
        Ok(Response::new(ListModelVersionsResponse { model_versions }))
    }

    async fn get_ledger_status(
        &self,
        request: Request<GetLedgerStatusRequest>,
    ) -> Result<Response<GetLedgerStatusResponse>, Status> {
        require(&request, Role::Viewer)?;
        let status = self.trainer.ledger_status().await.map_err(into_status)?;
        Ok(Response::new(GetLedgerStatusResponse {
            configured: self.ledger_configured,
            pending: status.pending,
            delivered: status.delivered,
            last_error: status.last_error.unwrap_or_default(),
        }))
    }
}

/// Progress as messages. One that finds the buffer full is dropped: the next one says more.
fn progress_into(events: mpsc::Sender<Result<TrainResponse, Status>>) -> Progress {
    Arc::new(move |stage, done, total| {
        let progress = foretide_api::progress(stage, done, total);
        let message = TrainResponse {
            event: Some(Event::Progress(progress)),
        };
        if events.try_send(Ok(message)).is_err() {
            tracing::trace!("a progress message was left out");
        }
    })
}

fn message(version: &ModelVersion) -> wire::ModelVersion {
    let content = &version.content;
    wire::ModelVersion {
        name: version.name().to_owned(),
        version: version.version,
        use_case: content.use_case.to_string(),
        run_id: content.run_id.to_string(),
        trained_at: timestamp(content.trained_at),
        known_at: timestamp(content.known_at),
        spec_hash: content.training_set.spec_hash.clone(),
        training_set_sha256: content.training_set.sha256.clone(),
        artefact_path: content.artefact_path.clone(),
        artefact_sha256: content.artefact_sha256.clone(),
        alias: if version.is_champion {
            CHAMPION.to_owned()
        } else {
            String::new()
        },
        series: content.series.iter().map(series_message).collect(),
        onnx_max_relative_error: content.onnx_max_relative_error,
        history_hours: content.history_hours,
        mlflow_run_id: version.mlflow_run_id.clone().unwrap_or_default(),
    }
}

fn series_message(series: &SeriesModel) -> wire::SeriesModel {
    let score = |score: &Score| wire::CandidateScore {
        kind: score.kind.clone(),
        pinball: score.pinball,
        mae: score.mae,
        coverage_80: score.coverage_80,
        coverage_95: score.coverage_95,
    };
    let weight = |weight: &Weight| wire::CandidateWeight {
        kind: weight.kind.clone(),
        weight: weight.weight,
    };
    let horizon = |band: &CoverageByHorizon| wire::CoverageByHorizon {
        first_hour: band.first_hour,
        last_hour: band.last_hour,
        coverage: coverage_message(&band.coverage),
    };
    let weekday = |(weekday, coverage): (u32, &Coverage)| wire::CoverageByWeekday {
        weekday,
        coverage: coverage_message(coverage),
    };
    wire::SeriesModel {
        series_id: series.series_id.to_string(),
        kind: series.kind.clone(),
        scores: series.scores.iter().map(score).collect(),
        note: series.note.clone(),
        learning: series.learning,
        weights: series.weights.iter().map(weight).collect(),
        coverage_by_horizon: series.coverage_by_horizon.iter().map(horizon).collect(),
        coverage_by_weekday: (1..)
            .zip(&series.coverage_by_weekday)
            .map(weekday)
            .collect(),
    }
}

fn coverage_message(coverage: &Coverage) -> Option<wire::Coverage> {
    Some(wire::Coverage {
        hours: coverage.hours,
        share_80: coverage.share_80,
        share_95: coverage.share_95,
    })
}
