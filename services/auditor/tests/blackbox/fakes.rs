//! A scorer and a feature store that say what they are told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::features::v1 as features;
use foretide_api::features::v1::feature_store_service_server::{
    FeatureStoreService, FeatureStoreServiceServer,
};
use foretide_api::scoring::v1 as scoring;
use foretide_api::scoring::v1::scoring_service_server::{ScoringService, ScoringServiceServer};
use foretide_api::{moment, span, timestamp, types::v1 as types};
use foretide_domain::{ForecastId, RunId};
use foretide_service_runtime::testing::TestServer;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Quantiles of every hour of every series of a forecast.
type Quantiles = [f64; 5];

#[derive(Clone, Default)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    forecasts: Vec<(scoring::Forecast, Quantiles)>,
    counts: BTreeMap<String, f64>,
    counts_from: Option<DateTime<Utc>>,
    settled_until: Option<DateTime<Utc>>,
    scorer_is_down: bool,
    judged: BTreeMap<String, Vec<scoring::JudgedWindow>>,
}

pub(crate) struct Fakes {
    pub(crate) scorer: TestServer,
    pub(crate) feature_store: TestServer,
}

impl Fakes {
    pub(crate) fn addresses(&self) -> [(&'static str, SocketAddr); 2] {
        [
            ("scorer", self.scorer.address),
            ("feature_store", self.feature_store.address),
        ]
    }
}

impl World {
    pub(crate) async fn serve(&self) -> Fakes {
        let scorer = ScoringServiceServer::new(self.clone());
        let feature_store = FeatureStoreServiceServer::new(self.clone());
        Fakes {
            scorer: TestServer::fake(Routes::new(scorer)).await,
            feature_store: TestServer::fake(Routes::new(feature_store)).await,
        }
    }

    /// A forecast of the series for the 24 hours from `start` on, with the same quantiles each hour.
    pub(crate) fn forecast(
        &self,
        use_case: &str,
        start: DateTime<Utc>,
        series: &[&str],
        quantiles: Quantiles,
    ) -> ForecastId {
        let id = ForecastId::new();
        let forecast = scoring::Forecast {
            forecast_id: id.to_string(),
            run_id: RunId::new().to_string(),
            use_case: use_case.to_owned(),
            issued_at: timestamp(start),
            start: timestamp(start),
            horizon_hours: 24,
            model_name: "panel".to_owned(),
            model_version: 3,
            completeness: 1.0,
            validity: "valid".to_owned(),
            valid_until: timestamp(start + TimeDelta::hours(24)),
            series_ids: series.iter().map(|id| (*id).to_owned()).collect(),
        };
        self.state
            .lock()
            .unwrap()
            .forecasts
            .push((forecast, quantiles));
        id
    }

    /// The forecast's windows were judged like this.
    pub(crate) fn judged(&self, forecast: ForecastId, windows: Vec<scoring::JudgedWindow>) {
        let mut state = self.state.lock().unwrap();
        state.judged.insert(forecast.to_string(), windows);
    }

    /// Every hour of the series has this count, from `from` on.
    pub(crate) fn counts(&self, series: &str, count: f64, from: DateTime<Utc>) {
        let mut state = self.state.lock().unwrap();
        state.counts.insert(series.to_owned(), count);
        state.counts_from = Some(from);
    }

    pub(crate) fn settle(&self, until: DateTime<Utc>) {
        self.state.lock().unwrap().settled_until = Some(until);
    }

    pub(crate) fn scorer_is_down(&self, down: bool) {
        self.state.lock().unwrap().scorer_is_down = down;
    }
}

type ScoreStream = ReceiverStream<Result<scoring::ScoreResponse, Status>>;

#[tonic::async_trait]
impl ScoringService for World {
    type ScoreStream = ScoreStream;

    async fn score(
        &self,
        _: Request<scoring::ScoreRequest>,
    ) -> Result<Response<ScoreStream>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_forecast(
        &self,
        request: Request<scoring::GetForecastRequest>,
    ) -> Result<Response<scoring::GetForecastResponse>, Status> {
        let request = request.into_inner();
        let state = self.state.lock().unwrap();
        let known = |(forecast, _): &&(scoring::Forecast, Quantiles)| {
            forecast.forecast_id == request.forecast_id
        };
        let (forecast, quantiles) = state
            .forecasts
            .iter()
            .find(known)
            .ok_or_else(|| Status::not_found("no such forecast"))?;
        let start = moment("start", forecast.start).unwrap();
        let [q025, q100, q500, q900, q975] = *quantiles;
        let points = (0..forecast.horizon_hours).map(|hour| scoring::ForecastPoint {
            time: timestamp(start + TimeDelta::hours(i64::from(hour))),
            mean: q500,
            quantiles: Some(types::Quantiles {
                q025,
                q100,
                q500,
                q900,
                q975,
            }),
            drivers: vec![],
        });
        Ok(Response::new(scoring::GetForecastResponse {
            forecast: Some(forecast.clone()),
            series: Some(scoring::SeriesForecast {
                series_id: request.series_id,
                model_kind: "structural".to_owned(),
                note: String::new(),
                points: points.collect(),
            }),
        }))
    }

    async fn list_forecasts(
        &self,
        request: Request<scoring::ListForecastsRequest>,
    ) -> Result<Response<scoring::ListForecastsResponse>, Status> {
        let request = request.into_inner();
        let issued = span("issued", request.issued).unwrap();
        let state = self.state.lock().unwrap();
        if state.scorer_is_down {
            return Err(Status::unavailable("the scorer is restarting"));
        }
        assert!(request.limit <= 1_000, "the scorer lists at most 1000");
        let mut forecasts: Vec<_> = state
            .forecasts
            .iter()
            .map(|(forecast, _)| forecast.clone())
            .filter(|forecast| forecast.use_case == request.use_case)
            .filter(|forecast| issued.contains(moment("issued_at", forecast.issued_at).unwrap()))
            .collect();
        forecasts
            .sort_by_key(|forecast| std::cmp::Reverse(forecast.issued_at.map(|at| at.seconds)));
        forecasts.truncate(request.limit as usize);
        Ok(Response::new(scoring::ListForecastsResponse { forecasts }))
    }

    async fn list_judged_windows(
        &self,
        request: Request<scoring::ListJudgedWindowsRequest>,
    ) -> Result<Response<scoring::ListJudgedWindowsResponse>, Status> {
        let request = request.into_inner();
        let state = self.state.lock().unwrap();
        let windows = state.judged.get(&request.forecast_id).cloned();
        Ok(Response::new(scoring::ListJudgedWindowsResponse {
            windows: windows.unwrap_or_default(),
        }))
    }

    async fn list_risk_windows(
        &self,
        _: Request<scoring::ListRiskWindowsRequest>,
    ) -> Result<Response<scoring::ListRiskWindowsResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }
}

type MaterializeStream = ReceiverStream<Result<features::MaterializeResponse, Status>>;

#[tonic::async_trait]
impl FeatureStoreService for World {
    type MaterializeStream = MaterializeStream;

    async fn materialize(
        &self,
        _: Request<features::MaterializeRequest>,
    ) -> Result<Response<MaterializeStream>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn build_training_set(
        &self,
        _: Request<features::BuildTrainingSetRequest>,
    ) -> Result<Response<features::BuildTrainingSetResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_scoring_frame(
        &self,
        _: Request<features::GetScoringFrameRequest>,
    ) -> Result<Response<features::GetScoringFrameResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn get_actuals(
        &self,
        request: Request<features::GetActualsRequest>,
    ) -> Result<Response<features::GetActualsResponse>, Status> {
        let request = request.into_inner();
        let asked = span("span", request.span).unwrap();
        let state = self.state.lock().unwrap();
        let start = asked.start.max(state.counts_from.unwrap_or(asked.start));
        let known = moment("known_at", request.known_at).unwrap();
        let hours = (asked.end.min(known) - start).num_hours().max(0);
        let series = request.series_ids.iter().filter_map(|id| {
            let count = state.counts.get(id)?;
            Some(features::SeriesHistory {
                series_id: id.clone(),
                start: timestamp(start),
                values: vec![*count; usize::try_from(hours).unwrap()],
            })
        });
        Ok(Response::new(features::GetActualsResponse {
            series: series.collect(),
            settled_until: state.settled_until.and_then(timestamp),
        }))
    }

    async fn get_online_values(
        &self,
        _: Request<features::GetOnlineValuesRequest>,
    ) -> Result<Response<features::GetOnlineValuesResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }

    async fn list_feature_views(
        &self,
        _: Request<features::ListFeatureViewsRequest>,
    ) -> Result<Response<features::ListFeatureViewsResponse>, Status> {
        Err(Status::unimplemented("not part of the story"))
    }
}
