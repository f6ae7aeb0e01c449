//! A trainer with everything around it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::features::v1::feature_store_service_server::{
    FeatureStoreService, FeatureStoreServiceServer,
};
use foretide_api::features::v1::{self as features, TrainingSet};
use foretide_api::timestamp;
use foretide_api::training::v1::training_service_client::TrainingServiceClient;
use foretide_api::training::v1::{
    GetLedgerStatusRequest, GetLedgerStatusResponse, ModelVersion, TrainRequest,
    train_response::Event,
};
use foretide_domain::{Role, RunId};
use foretide_outbox::Backoff;
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use foretide_trainer::config::{Config, MlflowConfig};
use polars::prelude::{Column, DataFrame, DataType, TimeUnit, TimeZone};
use tempfile::TempDir;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use url::Url;

/// Monday 06:00 UTC.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// Six weeks: enough to train, too few not to be learning.
pub(crate) const HISTORY_HOURS: usize = 6 * 168;

/// A feature store that answers with the training set it was given, and counts.
#[derive(Clone, Default)]
pub(crate) struct FakeFeatureStore {
    pub(crate) answer: Arc<Mutex<Option<TrainingSet>>>,
    pub(crate) asked: Arc<Mutex<u32>>,
}

type Stream<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl FeatureStoreService for FakeFeatureStore {
    type MaterializeStream = Stream<features::MaterializeResponse>;

    async fn build_training_set(
        &self,
        _request: Request<features::BuildTrainingSetRequest>,
    ) -> Result<Response<features::BuildTrainingSetResponse>, Status> {
        *self.asked.lock().unwrap() += 1;
        let answer = self.answer.lock().unwrap().clone();
        let training_set = answer.ok_or_else(|| Status::failed_precondition("no buckets yet"))?;
        Ok(Response::new(features::BuildTrainingSetResponse {
            training_set: Some(training_set),
        }))
    }

    async fn materialize(
        &self,
        _request: Request<features::MaterializeRequest>,
    ) -> Result<Response<Self::MaterializeStream>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn get_scoring_frame(
        &self,
        _request: Request<features::GetScoringFrameRequest>,
    ) -> Result<Response<features::GetScoringFrameResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn get_actuals(
        &self,
        _request: Request<features::GetActualsRequest>,
    ) -> Result<Response<features::GetActualsResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn get_online_values(
        &self,
        _request: Request<features::GetOnlineValuesRequest>,
    ) -> Result<Response<features::GetOnlineValuesResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn list_feature_views(
        &self,
        _request: Request<features::ListFeatureViewsRequest>,
    ) -> Result<Response<features::ListFeatureViewsResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }
}

/// How a world is set up.
pub(crate) struct Setting {
    pub(crate) mlflow: Option<Url>,
    pub(crate) onnx_library: Option<PathBuf>,
    pub(crate) folder: Option<Arc<TempDir>>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            mlflow: None,
            onnx_library: Some(onnx_library()),
            folder: None,
        }
    }
}

/// ONNX Runtime as the set-up puts it: found, or fetched once.
pub(crate) fn onnx_library() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    foretide_onnx::library::ensure(&tools).expect("ONNX Runtime can be set up")
}

/// A trainer and what surrounds it.
pub(crate) struct World {
    pub(crate) feature_store: FakeFeatureStore,
    pub(crate) context: TestContext,
    pub(crate) server: TestServer,
    _feature_store_server: TestServer,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let feature_store = FakeFeatureStore::default();
        let routes = Routes::new(FeatureStoreServiceServer::new(feature_store.clone()));
        let feature_store_server = TestServer::fake(routes).await;
        let peers = [("feature_store", feature_store_server.address)];
        let mut context = match setting.folder {
            Some(folder) => TestContext::reopen("trainer", now(), &peers, folder),
            None => TestContext::new("trainer", now(), &peers),
        };
        context.ctx.onnx_library = setting.onnx_library;
        let mlflow = setting.mlflow.map(|url| MlflowConfig {
            url,
            user: None,
            password: None,
            token: None,
        });
        let ledger = Backoff {
            first_wait_ms: 5,
            longest_wait_ms: 50,
        };
        let built = foretide_trainer::build(&context.ctx, Config { mlflow, ledger })
            .await
            .unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        Self {
            feature_store,
            context,
            server,
            _feature_store_server: feature_store_server,
        }
    }

    /// Stops the trainer and starts another one on the same folder.
    pub(crate) async fn restart(self, mlflow: Option<Url>) -> Self {
        let folder = Arc::clone(&self.context.folder);
        self.server.stop().await;
        Self::with(Setting {
            mlflow,
            folder: Some(folder),
            ..Setting::default()
        })
        .await
    }

    pub(crate) fn client(&self) -> TrainingServiceClient<AuthedChannel> {
        self.client_with(&[Role::Operator])
    }

    pub(crate) fn client_with(&self, roles: &[Role]) -> TrainingServiceClient<AuthedChannel> {
        TrainingServiceClient::new(self.server.channel_of("olga", roles))
    }

    /// Puts a good training set where the feature store will point to.
    pub(crate) async fn has_history(&self) -> TrainingSet {
        self.has_table(&mut history(HISTORY_HOURS, 1.0)).await
    }

    /// Puts a table where the feature store will point to.
    pub(crate) async fn has_table(&self, table: &mut DataFrame) -> TrainingSet {
        let path = format!("training-sets/{}.parquet", RunId::new());
        let stored = self
            .context
            .ctx
            .lake
            .write_frame(&path, table)
            .await
            .unwrap();
        let set = TrainingSet {
            use_case: "attack_volume".to_owned(),
            view: "attack_volume_hourly".to_owned(),
            spec_hash: "spec-1".to_owned(),
            known_at: timestamp(now()),
            path: stored.path,
            sha256: stored.sha256,
            rows: table.height() as u64,
            series: 2,
            span: None,
            regressors: vec!["holiday".to_owned()],
        };
        *self.feature_store.answer.lock().unwrap() = Some(set.clone());
        set
    }

    /// Trains and returns the version, with the stages that were told on the way.
    pub(crate) async fn train(&self, run_id: RunId) -> Result<(ModelVersion, Vec<String>), Status> {
        self.train_as_of(run_id, now()).await
    }

    pub(crate) async fn train_as_of(
        &self,
        run_id: RunId,
        as_of: DateTime<Utc>,
    ) -> Result<(ModelVersion, Vec<String>), Status> {
        let request = TrainRequest {
            run_id: run_id.to_string(),
            use_case: "attack_volume".to_owned(),
            as_of: timestamp(as_of),
        };
        let mut stream = self.client().train(request).await?.into_inner();
        let mut stages = Vec::new();
        while let Some(message) = stream.message().await? {
            match message.event.unwrap() {
                Event::Progress(progress) => stages.push(progress.stage),
                Event::ModelVersion(version) => return Ok((version, stages)),
            }
        }
        panic!("the stream ended without a version");
    }

    pub(crate) async fn ledger(&self) -> GetLedgerStatusResponse {
        self.client()
            .get_ledger_status(GetLedgerStatusRequest {})
            .await
            .unwrap()
            .into_inner()
    }

    /// Waits until the ledger is as wanted.
    pub(crate) async fn ledger_becomes(
        &self,
        wanted: impl Fn(&GetLedgerStatusResponse) -> bool,
    ) -> GetLedgerStatusResponse {
        let look = async {
            loop {
                let status = self.ledger().await;
                if wanted(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look)
            .await
            .expect("the ledger moves")
    }
}

/// Hourly counts with a day and a week in them, wide as the feature store writes them.
pub(crate) fn history(hours: usize, level: f64) -> DataFrame {
    let start = now() - TimeDelta::hours(i64::try_from(hours).unwrap());
    let first = start.timestamp_millis();
    let times: Vec<i64> = (0..hours)
        .map(|hour| first + 3_600_000 * hour as i64)
        .collect();
    // The clock shows 06:00 on a Monday when the history ends.
    let week: Vec<u32> = (0..hours)
        .map(|hour| ((hour + 168 * 100 + 6 - hours % 168) % 168) as u32)
        .collect();
    let count = |(index, hour): (u64, &u32)| {
        let by_day = if hour % 24 >= 8 && hour % 24 < 18 {
            6.0
        } else {
            1.0
        };
        let by_week = if *hour >= 120 { 0.5 } else { 1.0 };
        let unrest = f64::from((index * 7_919 % 5) as u32);
        (level * by_day * by_week * (1.0 + 0.3 * unrest)).round()
    };
    let total: Vec<f64> = (0..).zip(&week).map(count).collect();
    let high: Vec<f64> = total.iter().map(|count| (count / 3.0).floor()).collect();
    let utc = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    let columns = vec![
        Column::new("event_time".into(), times).cast(&utc).unwrap(),
        Column::new("hour_of_week".into(), week),
        Column::new("x:holiday".into(), vec![0.0; hours]),
        Column::new("attack_volume/total".into(), total),
        Column::new("attack_volume/severity=High".into(), high),
    ];
    DataFrame::new(hours, columns).unwrap()
}
