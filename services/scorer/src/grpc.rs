//! The wire: parse the request fully, call, render.

use std::sync::Arc;

use foretide_api::scoring::v1::scoring_service_server::ScoringService;
use foretide_api::scoring::v1::{
    self as wire, GetForecastRequest, GetForecastResponse, ListForecastsRequest,
    ListForecastsResponse, ListJudgedWindowsRequest, ListJudgedWindowsResponse,
    ListRiskWindowsRequest, ListRiskWindowsResponse, ScoreRequest, ScoreResponse,
    score_response::Event,
};
use foretide_api::types::v1::Driver;
use foretide_api::{
    FieldError, capacity_kind_message, into_status, moment, optional_moment, quantiles_message,
    series_id, span, span_message, timestamp, use_case_id, uuid_field,
};
use foretide_domain::{ForecastId, Role, SeriesId, UseCaseId};
use foretide_service_runtime::require;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::model::{Forecast, JudgedWindow, RiskWindow, SeriesForecast, Summary};
use crate::service::{ForecastQuery, Progress, ScoreCommand, Scorer};
use crate::storage::WindowQuery;

/// Longest horizon anybody may ask for, hours.
const MAX_HORIZON: u32 = 336;
/// Rows listed when the request does not say how many, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1_000;
/// Progress messages that may wait for a slow reader; further ones are left out.
const PROGRESS_BUFFER: usize = 64;

pub(crate) struct ScoringGrpc {
    scorer: Arc<Scorer>,
}

impl ScoringGrpc {
    pub(crate) fn new(scorer: Arc<Scorer>) -> Self {
        Self { scorer }
    }
}

fn score_command(request: ScoreRequest) -> Result<ScoreCommand, FieldError> {
    let ScoreRequest {
        run_id,
        use_case,
        as_of,
        horizon_hours,
    } = request;
    if horizon_hours > MAX_HORIZON {
        let problem = format!("must be at most {MAX_HORIZON}, got {horizon_hours}");
        return Err(FieldError::new("horizon_hours", problem));
    }
    Ok(ScoreCommand {
        run_id: uuid_field("run_id", &run_id)?,
        use_case: use_case_id("use_case", &use_case)?,
        as_of: moment("as_of", as_of)?,
        horizon_hours: (horizon_hours > 0).then_some(horizon_hours),
    })
}

fn forecast_query(request: GetForecastRequest) -> Result<ForecastQuery, FieldError> {
    let GetForecastRequest {
        use_case,
        series_id: series,
        forecast_id,
        issued_before,
    } = request;
    let use_case = use_case_id("use_case", &use_case)?;
    Ok(ForecastQuery {
        series: series_or_total(&series, &use_case)?,
        forecast_id: optional_forecast_id(&forecast_id)?,
        issued_before: optional_moment("issued_before", issued_before)?,
        use_case,
    })
}

fn series_or_total(text: &str, use_case: &UseCaseId) -> Result<SeriesId, FieldError> {
    if text.is_empty() {
        return Ok(SeriesId::total(use_case.clone()));
    }
    let series = series_id("series_id", text)?;
    if series.use_case() != use_case {
        return Err(FieldError::new(
            "series_id",
            format!("belongs to another use case than {use_case}"),
        ));
    }
    Ok(series)
}

fn optional_forecast_id(text: &str) -> Result<Option<ForecastId>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    uuid_field("forecast_id", text).map(Some)
}

fn window_query(
    request: ListRiskWindowsRequest,
) -> Result<(UseCaseId, WindowQuery, u32), FieldError> {
    let ListRiskWindowsRequest {
        use_case,
        forecast_id,
        span: touched,
        limit: asked,
    } = request;
    let use_case = use_case_id("use_case", &use_case)?;
    let query = match (optional_forecast_id(&forecast_id)?, touched) {
        (Some(id), _) => WindowQuery::Of(id),
        (None, Some(touched)) => WindowQuery::Touching(span("span", Some(touched))?),
        (None, None) => WindowQuery::Newest,
    };
    Ok((use_case, query, limit(asked)?))
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
impl ScoringService for ScoringGrpc {
    type ScoreStream = ReceiverStream<Result<ScoreResponse, Status>>;

    async fn score(
        &self,
        request: Request<ScoreRequest>,
    ) -> Result<Response<Self::ScoreStream>, Status> {
        require(&request, Role::Operator)?;
        let command = score_command(request.into_inner()).map_err(into_status)?;
        let (events, stream) = mpsc::channel(PROGRESS_BUFFER);
        let scorer = Arc::clone(&self.scorer);
        // The scoring goes on when the caller goes away: asked again, the same run finds its forecast.
        let work = async move {
            let outcome = scorer.score(&command, progress_into(events.clone())).await;
            let last = outcome
                .map(|summary| ScoreResponse {
                    event: Some(Event::Summary(summary_message(summary))),
                })
                .map_err(into_status);
            if events.send(last).await.is_err() {
                tracing::debug!("the caller of a scoring did not wait for its end");
            }
        };
        tokio::spawn(work.in_current_span());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_forecast(
        &self,
        request: Request<GetForecastRequest>,
    ) -> Result<Response<GetForecastResponse>, Status> {
        require(&request, Role::Viewer)?;
        let query = forecast_query(request.into_inner()).map_err(into_status)?;
        let read = self.scorer.read(&query).await.map_err(into_status)?;
        Ok(Response::new(GetForecastResponse {
            series: Some(series_message(&read.forecast, &read.series)),
            forecast: Some(forecast_message(read.forecast, &read.series_ids)),
        }))
    }

    async fn list_forecasts(
        &self,
        request: Request<ListForecastsRequest>,
    ) -> Result<Response<ListForecastsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let ListForecastsRequest {
            use_case,
            issued,
            limit: asked,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let issued = issued
            .map(|issued| span("issued", Some(issued)))
            .transpose();
        let issued = issued.map_err(into_status)?;
        let limit = limit(asked).map_err(into_status)?;
        let found = self
            .scorer
            .list(&use_case, issued, limit)
            .await
            .map_err(into_status)?;
        let forecasts = found
            .into_iter()
            .map(|(forecast, series)| forecast_message(forecast, &series));
        Ok(Response::new(ListForecastsResponse {
            forecasts: forecasts.collect(),
        }))
    }

    async fn list_risk_windows(
        &self,
        request: Request<ListRiskWindowsRequest>,
    ) -> Result<Response<ListRiskWindowsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let (use_case, query, limit) = window_query(request.into_inner()).map_err(into_status)?;
        let windows = self
            .scorer
            .windows(&use_case, query, limit)
            .await
            .map_err(into_status)?;
        let risk_windows = windows.into_iter().map(window_message).collect();
        Ok(Response::new(ListRiskWindowsResponse { risk_windows }))
    }

    async fn list_judged_windows(
        &self,
        request: Request<ListJudgedWindowsRequest>,
    ) -> Result<Response<ListJudgedWindowsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let ListJudgedWindowsRequest {
            use_case,
            forecast_id,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let forecast_id: Option<ForecastId> = (!forecast_id.is_empty())
            .then(|| uuid_field("forecast_id", &forecast_id))
            .transpose()
            .map_err(into_status)?;
        let windows = self.scorer.judged(&use_case, forecast_id).await;
        let windows = windows.map_err(into_status)?;
        Ok(Response::new(ListJudgedWindowsResponse {
            windows: windows.iter().map(judged_message).collect(),
        }))
    }
}

/// Progress as messages. One that finds the buffer full is dropped: the next one says more.
fn progress_into(events: mpsc::Sender<Result<ScoreResponse, Status>>) -> Progress {
    Arc::new(move |stage, done, total| {
        let progress = foretide_api::progress(stage, done, total);
        let message = ScoreResponse {
            event: Some(Event::Progress(progress)),
        };
        if events.try_send(Ok(message)).is_err() {
            tracing::trace!("a progress message was left out");
        }
    })
}

fn summary_message(summary: Summary) -> wire::ScoreSummary {
    wire::ScoreSummary {
        forecast_id: summary.forecast_id.to_string(),
        model_name: summary.model_name,
        model_version: summary.model_version,
        series: summary.series,
        rows: summary.rows,
        risk_windows: summary.risk_windows,
        rows_delivered: summary.rows_delivered,
        rows_pending: summary.rows_pending,
    }
}

fn forecast_message(forecast: Forecast, series: &[SeriesId]) -> wire::Forecast {
    wire::Forecast {
        forecast_id: forecast.id.to_string(),
        run_id: forecast.run_id.to_string(),
        use_case: forecast.use_case.to_string(),
        issued_at: timestamp(forecast.issued_at),
        start: timestamp(forecast.start),
        horizon_hours: forecast.horizon_hours,
        model_name: forecast.model_name,
        model_version: forecast.model_version,
        completeness: forecast.completeness,
        validity: forecast.validity.name().to_owned(),
        valid_until: timestamp(forecast.valid_until),
        series_ids: series.iter().map(ToString::to_string).collect(),
    }
}

fn series_message(forecast: &Forecast, series: &SeriesForecast) -> wire::SeriesForecast {
    let points = &series.points;
    let point = |ahead: usize| wire::ForecastPoint {
        time: timestamp(forecast.hour(ahead)),
        mean: points.mean[ahead],
        quantiles: quantiles_message(&points.quantiles[ahead]),
        drivers: forecast
            .drivers
            .iter()
            .zip(points.drivers_of(ahead))
            .map(|(name, contribution)| Driver {
                name: name.clone(),
                contribution: *contribution,
            })
            .collect(),
    };
    wire::SeriesForecast {
        series_id: series.series_id.to_string(),
        model_kind: series.model_kind.clone(),
        note: series.note.clone(),
        points: (0..points.hours()).map(point).collect(),
    }
}

fn judged_message(window: &JudgedWindow) -> wire::JudgedWindow {
    wire::JudgedWindow {
        span: span_message(window.span),
        probability: window.probability,
        expected: window.expected,
        capacity: window.capacity,
        capacity_kind: capacity_kind_message(window.capacity_kind),
        raised: window.is_raised,
        baseline_raised: window.baseline_raised,
    }
}

fn window_message(window: RiskWindow) -> wire::RiskWindow {
    let driver = |(name, contribution): (String, f64)| Driver { name, contribution };
    wire::RiskWindow {
        risk_window_id: window.id.to_string(),
        forecast_id: window.forecast_id.to_string(),
        run_id: window.run_id.to_string(),
        use_case: window.use_case.to_string(),
        series_id: window.series_id.to_string(),
        span: span_message(window.span),
        probability: window.probability,
        expected: window.expected,
        capacity: window.capacity,
        capacity_kind: window.capacity_kind.map_or(0, capacity_kind_message),
        trigger: window.rule,
        acts: window.acts,
        drivers: window.drivers.into_iter().map(driver).collect(),
        issued_at: timestamp(window.issued_at),
        validity: window.validity.name().to_owned(),
    }
}
