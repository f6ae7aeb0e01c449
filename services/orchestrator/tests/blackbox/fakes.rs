//! The six services, faked on one port: they note what they are asked and answer as told.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use chrono::{DateTime, Utc};
use foretide_api::actions::v1::{
    ProposeFromForecastRequest, ProposeFromForecastResponse, ProposeSummary,
    propose_from_forecast_response,
};
use foretide_api::features::v1::{
    MaterializeRequest, MaterializeResponse, MaterializeSummary, materialize_response,
};
use foretide_api::governance::v1::{
    EvaluateRequest, EvaluateResponse, EvaluateSummary, evaluate_response,
};
use foretide_api::ingestion::v1::{
    IngestRequest, IngestResponse, IngestSummary, TableSummary, ingest_response,
};
use foretide_api::scoring::v1::{ScoreRequest, ScoreResponse, ScoreSummary, score_response};
use foretide_api::training::v1::{
    GetChampionRequest, GetChampionResponse, ModelVersion, TrainRequest, TrainResponse,
    train_response,
};
use foretide_api::{Timestamp, progress, timestamp};
use foretide_service_runtime::testing::TestServer;
use futures::stream::{self, BoxStream, StreamExt};
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// What a fake was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) step: &'static str,
    pub(crate) use_case: String,
    pub(crate) run_id: String,
    pub(crate) as_of: Option<Timestamp>,
}

/// What a fake answers next.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Refuse(Code, &'static str),
    /// Some progress, and then the connection is gone.
    CutOff,
    /// Some progress, and then nothing any more.
    Hang,
}

#[derive(Default)]
struct Script {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<HashMap<&'static str, VecDeque<Answer>>>,
    champion_since: Mutex<Option<DateTime<Utc>>>,
    ingested: Mutex<IngestSummary>,
}

/// The six services.
pub(crate) struct Fakes {
    script: Arc<Script>,
    server: TestServer,
}

impl Fakes {
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Script::default());
        let server = TestServer::fake(Routes::from(routes(&script))).await;
        Self { script, server }
    }

    pub(crate) fn peers(&self) -> Vec<(&'static str, SocketAddr)> {
        [
            "ingestion",
            "feature_store",
            "trainer",
            "scorer",
            "auditor",
            "broker",
        ]
        .map(|peer| (peer, self.server.address))
        .into()
    }

    /// The next answers of a step, before it succeeds again.
    pub(crate) fn answer(&self, step: &'static str, answers: impl IntoIterator<Item = Answer>) {
        self.script
            .answers
            .lock()
            .unwrap()
            .insert(step, answers.into_iter().collect());
    }

    /// There is a champion of every use case, trained at the moment.
    pub(crate) fn champion_since(&self, trained_at: DateTime<Utc>) {
        *self.script.champion_since.lock().unwrap() = Some(trained_at);
    }

    /// What ingest says of its tables.
    pub(crate) fn ingests(&self, tables: Vec<TableSummary>) {
        let mut ingested = self.script.ingested.lock().unwrap();
        ingested.tables = tables;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap().clone()
    }

    /// Steps and use cases that were asked for, in order.
    pub(crate) fn walked(&self) -> Vec<String> {
        self.asked()
            .into_iter()
            .map(|asked| match asked.use_case.as_str() {
                "" => asked.step.to_owned(),
                use_case => format!("{} {use_case}", asked.step),
            })
            .collect()
    }
}

/// A streaming call of one step: request type, response type, what is noted, the summary.
macro_rules! step {
    ($script:expr, $step:literal, $request:ty, $response:ty, $event:path, $summary:expr, $use_case:expr) => {{
        let script = Arc::clone($script);
        let use_case: fn(&$request) -> String = $use_case;
        post(move |request: axum::extract::Request| async move {
            let respond = tower::service_fn(move |request: Request<$request>| {
                let request = request.into_inner();
                let asked = Asked {
                    step: $step,
                    use_case: use_case(&request),
                    run_id: request.run_id.clone(),
                    as_of: request.as_of,
                };
                let answer = script.note(asked);
                let working = <$event>::Progress(progress("working", 1, 2));
                let working = <$response>::from_event(working);
                let done = <$response>::from_event($summary);
                async move { answer_with(answer.as_ref(), working, done) }
            });
            let codec = ProstCodec::<$response, $request>::default();
            Grpc::new(codec).server_streaming(respond, request).await
        })
    }};
}

/// Responses all look alike but have no trait in common.
trait FromEvent<E> {
    fn from_event(event: E) -> Self;
}

macro_rules! from_event {
    ($($response:ty => $event:ty),+ $(,)?) => {$(
        impl FromEvent<$event> for $response {
            fn from_event(event: $event) -> Self {
                Self { event: Some(event) }
            }
        }
    )+};
}

from_event!(
    IngestResponse => ingest_response::Event,
    MaterializeResponse => materialize_response::Event,
    TrainResponse => train_response::Event,
    ScoreResponse => score_response::Event,
    EvaluateResponse => evaluate_response::Event,
    ProposeFromForecastResponse => propose_from_forecast_response::Event,
);

fn routes(script: &Arc<Script>) -> Router {
    let champion = Arc::clone(script);
    let source = Arc::clone(script);
    Router::new()
        .route(
            "/foretide.ingestion.v1.IngestionService/Ingest",
            step!(
                script,
                "ingest",
                IngestRequest,
                IngestResponse,
                ingest_response::Event,
                ingest_response::Event::Summary(source.ingested.lock().unwrap().clone()),
                |_| String::new()
            ),
        )
        .route(
            "/foretide.features.v1.FeatureStoreService/Materialize",
            step!(
                script,
                "features",
                MaterializeRequest,
                MaterializeResponse,
                materialize_response::Event,
                materialize_response::Event::Summary(MaterializeSummary {
                    rows: 24,
                    ..Default::default()
                }),
                |request| request.use_case.clone()
            ),
        )
        .route(
            "/foretide.training.v1.TrainingService/Train",
            step!(
                script,
                "train",
                TrainRequest,
                TrainResponse,
                train_response::Event,
                train_response::Event::ModelVersion(ModelVersion {
                    version: 7,
                    ..Default::default()
                }),
                |request| request.use_case.clone()
            ),
        )
        .route(
            "/foretide.scoring.v1.ScoringService/Score",
            step!(
                script,
                "score",
                ScoreRequest,
                ScoreResponse,
                score_response::Event,
                score_response::Event::Summary(ScoreSummary {
                    rows: 72,
                    ..Default::default()
                }),
                |request| request.use_case.clone()
            ),
        )
        .route(
            "/foretide.governance.v1.GovernanceService/Evaluate",
            step!(
                script,
                "audit",
                EvaluateRequest,
                EvaluateResponse,
                evaluate_response::Event,
                evaluate_response::Event::Summary(EvaluateSummary::default()),
                |request| request.use_case.clone()
            ),
        )
        .route(
            "/foretide.actions.v1.ActionsService/ProposeFromForecast",
            step!(
                script,
                "act",
                ProposeFromForecastRequest,
                ProposeFromForecastResponse,
                propose_from_forecast_response::Event,
                propose_from_forecast_response::Event::Summary(ProposeSummary::default()),
                |request| request.use_case.clone()
            ),
        )
        .route(
            "/foretide.training.v1.TrainingService/GetChampion",
            post(move |request: axum::extract::Request| async move {
                let respond = tower::service_fn(move |_: Request<GetChampionRequest>| {
                    let trained_at = *champion.champion_since.lock().unwrap();
                    async move {
                        let trained_at =
                            trained_at.ok_or_else(|| Status::not_found("no champion yet"))?;
                        let version = ModelVersion {
                            version: 3,
                            trained_at: timestamp(trained_at),
                            ..Default::default()
                        };
                        Ok(Response::new(GetChampionResponse {
                            model_version: Some(version),
                        }))
                    }
                });
                let codec = ProstCodec::<GetChampionResponse, GetChampionRequest>::default();
                Grpc::new(codec).unary(respond, request).await
            }),
        )
}

impl Script {
    fn note(&self, asked: Asked) -> Option<Answer> {
        let answer = self
            .answers
            .lock()
            .unwrap()
            .get_mut(asked.step)
            .and_then(VecDeque::pop_front);
        self.asked.lock().unwrap().push(asked);
        answer
    }
}

fn answer_with<T: Send + 'static>(
    answer: Option<&Answer>,
    told: T,
    done: T,
) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status> {
    let messages = match answer {
        None => stream::iter([Ok(told), Ok(done)]).boxed(),
        Some(Answer::Refuse(code, words)) => return Err(Status::new(*code, *words)),
        Some(Answer::CutOff) => stream::iter([Ok(told)]).boxed(),
        Some(Answer::Hang) => stream::iter([Ok(told)]).chain(stream::pending()).boxed(),
    };
    Ok(Response::new(messages))
}
