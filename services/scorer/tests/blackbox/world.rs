//! A scorer with everything around it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::actions::v1::actions_service_server::ActionsServiceServer;
use foretide_api::features::v1::feature_store_service_server::FeatureStoreServiceServer;
use foretide_api::features::v1::{
    GetScoringFrameRequest, GetScoringFrameResponse, RegressorColumn, SeriesHistory,
};
use foretide_api::governance::v1::governance_service_server::GovernanceServiceServer;
use foretide_api::scoring::v1::scoring_service_client::ScoringServiceClient;
use foretide_api::scoring::v1::{
    GetForecastRequest, GetForecastResponse, ScoreRequest, ScoreSummary, score_response::Event,
};
use foretide_api::timestamp;
use foretide_api::training::v1::ModelVersion;
use foretide_api::training::v1::training_service_server::TrainingServiceServer;
use foretide_db::DatabaseConfig;
use foretide_domain::{Role, RunId};
use foretide_entra::IdentityConfig;
use foretide_forecasting::{PanelSeries, Regressor, TrainOptions, TrainingPanel, train};
use foretide_logs_ingestion::RuleConfig;
use foretide_outbox::Backoff;
use foretide_scorer::config::{Config, WatchlistConfig, WriteBackConfig};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};
use foretide_write_back::SinkKind;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tonic::Status;
use tonic::service::Routes;
use url::Url;

use crate::fakes::{FakeAuditor, FakeBroker, FakeFeatureStore, FakeTrainer};

/// Monday 06:00 UTC.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-23T06:00:00Z".parse().unwrap()
}

/// Hours trained on: ten weeks, enough not to be learning.
const HISTORY_HOURS: usize = 10 * 168;

/// How a world is set up.
pub(crate) struct Setting {
    pub(crate) workspace: Option<Url>,
    /// Another way back than through the rule of `workspace`.
    pub(crate) write_back: Option<WriteBackConfig>,
    pub(crate) watchlist: Option<WatchlistConfig>,
    pub(crate) onnx_library: Option<PathBuf>,
    pub(crate) folder: Option<Arc<TempDir>>,
    /// Another database than one in the folder.
    pub(crate) database: Option<DatabaseConfig>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            workspace: None,
            write_back: None,
            watchlist: None,
            onnx_library: Some(onnx_library()),
            folder: None,
            database: None,
        }
    }
}

fn onnx_library() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
    foretide_onnx::library::ensure(&tools).expect("ONNX Runtime can be set up")
}

/// A scorer and what surrounds it.
pub(crate) struct World {
    pub(crate) trainer: FakeTrainer,
    pub(crate) feature_store: FakeFeatureStore,
    pub(crate) auditor: FakeAuditor,
    pub(crate) broker: FakeBroker,
    pub(crate) context: TestContext,
    pub(crate) server: TestServer,
    _fakes: [TestServer; 4],
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    /// A scorer whose rows go to this workspace.
    pub(crate) async fn writing_to(workspace: &Url) -> Self {
        Self::with(Setting {
            workspace: Some(workspace.clone()),
            ..Setting::default()
        })
        .await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let trainer = FakeTrainer::default();
        let feature_store = FakeFeatureStore::default();
        let auditor = FakeAuditor::default();
        let broker = FakeBroker::default();
        let fakes = [
            TestServer::fake(Routes::new(TrainingServiceServer::new(trainer.clone()))).await,
            TestServer::fake(Routes::new(FeatureStoreServiceServer::new(
                feature_store.clone(),
            )))
            .await,
            TestServer::fake(Routes::new(GovernanceServiceServer::new(auditor.clone()))).await,
            TestServer::fake(Routes::new(ActionsServiceServer::new(broker.clone()))).await,
        ];
        let peers = [
            ("trainer", fakes[0].address),
            ("feature_store", fakes[1].address),
            ("auditor", fakes[2].address),
            ("broker", fakes[3].address),
        ];
        let mut context = match setting.folder {
            Some(folder) => TestContext::reopen("scorer", now(), &peers, folder),
            None => TestContext::new("scorer", now(), &peers),
        };
        context.ctx.onnx_library = setting.onnx_library;
        if let Some(database) = setting.database {
            context.ctx.database = database;
        }
        let config = Config {
            write_back: setting
                .write_back
                .or_else(|| setting.workspace.map(write_back)),
            watchlist: setting.watchlist,
            outbox: Backoff {
                first_wait_ms: 5,
                longest_wait_ms: 50,
            },
            ..Config::default()
        };
        let built = foretide_scorer::build(&context.ctx, config).await.unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        Self {
            trainer,
            feature_store,
            auditor,
            broker,
            context,
            server,
            _fakes: fakes,
        }
    }

    /// Stops the scorer and starts another one on the same folder. The fakes are new ones.
    pub(crate) async fn restart(self, workspace: Option<Url>) -> Self {
        let folder = Arc::clone(&self.context.folder);
        self.server.stop().await;
        Self::with(Setting {
            workspace,
            folder: Some(folder),
            ..Setting::default()
        })
        .await
    }

    pub(crate) fn client(&self) -> ScoringServiceClient<AuthedChannel> {
        self.client_with(&[Role::Operator])
    }

    pub(crate) fn client_with(&self, roles: &[Role]) -> ScoringServiceClient<AuthedChannel> {
        ScoringServiceClient::new(self.server.channel_of("olga", roles))
    }

    /// Puts a trained champion in place, and complete fresh features.
    pub(crate) async fn is_ready(&self, use_case: &str) {
        let modelled_by = watched_by(use_case).unwrap_or(use_case);
        self.has_champion(modelled_by, artefact()).await;
        self.has_features(1.0);
    }

    /// Puts these bytes in place as the champion.
    pub(crate) async fn has_champion(&self, use_case: &str, artefact: Vec<u8>) {
        let sha256 = hex::encode(Sha256::digest(&artefact));
        let path = format!("artefacts/{use_case}/{sha256}.onnx");
        let lake = &self.context.ctx.lake;
        let stored = lake
            .put_immutable(&path, Bytes::from(artefact))
            .await
            .unwrap();
        *self.trainer.champion.lock().unwrap() = Some(ModelVersion {
            name: use_case.to_owned(),
            version: 7,
            use_case: use_case.to_owned(),
            known_at: timestamp(now() - TimeDelta::days(1)),
            artefact_path: stored.path,
            artefact_sha256: stored.sha256,
            alias: "champion".to_owned(),
            history_hours: u32::try_from(HISTORY_HOURS).unwrap(),
            ..ModelVersion::default()
        });
    }

    /// Lets the feature store answer every query with history of the shape trained on.
    pub(crate) fn has_features(&self, completeness: f64) {
        self.feature_store_answers(move |query| Ok(frame(query, completeness, 1.0)));
    }

    pub(crate) fn feature_store_answers(
        &self,
        answer: impl Fn(&GetScoringFrameRequest) -> Result<GetScoringFrameResponse, Status>
        + Send
        + Sync
        + 'static,
    ) {
        *self.feature_store.answer.lock().unwrap() = Some(Box::new(answer));
    }

    pub(crate) async fn score(
        &self,
        run_id: RunId,
        use_case: &str,
    ) -> Result<ScoreSummary, Status> {
        self.score_request(request(run_id, use_case)).await
    }

    /// Scores, and before it what the use case watches, as a run does.
    pub(crate) async fn score_request(
        &self,
        request: ScoreRequest,
    ) -> Result<ScoreSummary, Status> {
        if let Some(watched) = watched_by(&request.use_case) {
            let watched = ScoreRequest {
                use_case: watched.to_owned(),
                ..request.clone()
            };
            self.score_alone(watched).await?;
        }
        self.score_alone(request).await
    }

    pub(crate) async fn score_alone(&self, request: ScoreRequest) -> Result<ScoreSummary, Status> {
        let mut stream = self.client().score(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            if let Event::Summary(summary) = message.event.unwrap() {
                return Ok(summary);
            }
        }
        panic!("the stream ended without a summary");
    }

    pub(crate) async fn forecast(&self, use_case: &str, series: &str) -> GetForecastResponse {
        let request = GetForecastRequest {
            use_case: use_case.to_owned(),
            series_id: series.to_owned(),
            ..GetForecastRequest::default()
        };
        self.client()
            .get_forecast(request)
            .await
            .unwrap()
            .into_inner()
    }
}

/// The use case whose forecast another one watches.
fn watched_by(use_case: &str) -> Option<&'static str> {
    (use_case == "risk_period").then_some("attack_volume")
}

/// Asks for the default horizon as of now.
pub(crate) fn request(run_id: RunId, use_case: &str) -> ScoreRequest {
    ScoreRequest {
        run_id: run_id.to_string(),
        use_case: use_case.to_owned(),
        as_of: timestamp(now()),
        horizon_hours: 0,
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look)
        .await
        .expect(what);
}

pub(crate) fn write_back(workspace: Url) -> WriteBackConfig {
    WriteBackConfig {
        sink: SinkKind::LogsIngestion,
        data_collector: None,
        read_back: None,
        rule: Some(RuleConfig {
            endpoint: workspace.clone(),
            dcr_immutable_id: "dcr-00000000000000000000000000000001".to_owned(),
            audience: "https://monitor.azure.com".to_owned(),
        }),
        stream: "Custom-PredictiveAlerting_CL".to_owned(),
        surge_stream: Some("Custom-Predicted_Attack_Surge_CL".to_owned()),
        identity: Some(
            IdentityConfig::client_secret("contoso.example", "scorer", SecretString::from("s"))
                .at(workspace),
        ),
    }
}

/// Local hour of the week: UTC here.
fn hour_of_week(hour: DateTime<Utc>) -> u8 {
    // 1970-01-05 was a Monday.
    let since = (hour.timestamp() / 3_600 - 4 * 24).rem_euclid(168);
    u8::try_from(since).unwrap()
}

/// A count with a day, a week and some unrest in it.
fn count(hour: DateTime<Utc>) -> f64 {
    let week = hour_of_week(hour);
    let base = if week >= 120 {
        2.0
    } else if (8..18).contains(&(week % 24)) {
        12.0
    } else {
        4.0
    };
    let unrest = (hour.timestamp() / 3_600 * 7_919).rem_euclid(5);
    base + f64::from(u8::try_from(unrest).unwrap())
}

fn hours(start: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    (0..count)
        .map(|hour| start + TimeDelta::hours(i64::try_from(hour).unwrap()))
        .collect()
}

fn series_of(use_case: &str) -> Vec<String> {
    let parts: &[&str] = if use_case == "attack_volume" {
        &["total", "severity=High"]
    } else {
        &["total"]
    };
    parts
        .iter()
        .map(|part| format!("{use_case}/{part}"))
        .collect()
}

fn counts(series: &str, hours: &[DateTime<Utc>], level: f64) -> Vec<f64> {
    let share = if series.ends_with("total") { 1.0 } else { 0.25 };
    hours
        .iter()
        .map(|hour| (count(*hour) * share * level).round())
        .collect()
}

/// A trained model of `attack_volume` as ONNX; trained once a process.
pub(crate) fn artefact() -> Vec<u8> {
    static TRAINED: OnceLock<Vec<u8>> = OnceLock::new();
    TRAINED.get_or_init(train_artefact).clone()
}

fn train_artefact() -> Vec<u8> {
    let start =
        now() - TimeDelta::days(1) - TimeDelta::hours(i64::try_from(HISTORY_HOURS).unwrap());
    let grid = hours(start, HISTORY_HOURS);
    let panel = TrainingPanel {
        start,
        hour_of_week: grid.iter().map(|hour| hour_of_week(*hour)).collect(),
        regressors: vec![Regressor {
            name: "holiday".to_owned(),
            values: vec![0.0; HISTORY_HOURS],
        }],
        series: series_of("attack_volume")
            .iter()
            .map(|id| PanelSeries {
                id: id.parse().unwrap(),
                values: counts(id, &grid, 1.0),
            })
            .collect(),
    };
    let trained = train(&panel, &TrainOptions::default(), &mut |_, _| {}).unwrap();
    foretide_onnx::write(&trained.model).unwrap()
}

/// What a feature store would answer.
pub(crate) fn frame(
    query: &GetScoringFrameRequest,
    completeness: f64,
    level: f64,
) -> GetScoringFrameResponse {
    let start: DateTime<Utc> = query.as_of.unwrap().to_moment().unwrap();
    let (history, horizon) = (query.history_hours as usize, query.horizon_hours as usize);
    let history_start = start - TimeDelta::hours(i64::from(query.history_hours));
    let past = hours(history_start, history);
    let ahead = hours(start, horizon);
    let weeks = |hours: &[DateTime<Utc>]| {
        hours
            .iter()
            .map(|hour| hour_of_week(*hour).into())
            .collect()
    };
    GetScoringFrameResponse {
        start: timestamp(start),
        horizon_hours: query.horizon_hours,
        regressors: vec![RegressorColumn {
            name: "holiday".to_owned(),
            values: vec![0.0; history + horizon],
        }],
        series: series_of(&query.use_case)
            .iter()
            .map(|id| SeriesHistory {
                series_id: id.clone(),
                start: timestamp(history_start),
                values: counts(id, &past, level),
            })
            .collect(),
        hour_of_week: weeks(&ahead),
        history_hour_of_week: weeks(&past),
        completeness,
    }
}
