//! The wire: parse, call, render.

use std::pin::Pin;

use foretide_api::features::v1 as wire;
use foretide_api::features::v1::feature_store_service_server::FeatureStoreService;
use foretide_api::features::v1::materialize_response::Event;
use foretide_api::{
    FieldError, into_status, moment, progress, series_id, span, span_message, timestamp,
    use_case_id, uuid_field,
};
use foretide_domain::{Role, RunId, SeriesId, TimeSpan, UseCaseId};
use foretide_service_runtime::require;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::error::FeatureStoreError;
use crate::service::{Actuals, FeatureStore, ListedView, ScoringFrame, SeriesCounts};
use crate::storage::{Materialization, OnlineValue, TrainingSet};

/// Longest horizon, hours; as in the declaration of use cases.
const MAX_HORIZON_HOURS: u32 = 336;
/// Longest history of one call, hours: ten years.
const MAX_HISTORY_HOURS: u32 = 10 * 366 * 24;
/// Most series or features named in one call.
const MAX_NAMES: usize = 2001;
/// Progress messages that may wait for a slow caller.
const PROGRESS_BUFFER: usize = 16;

/// The gRPC face of the feature store.
#[derive(Debug, Clone)]
pub(crate) struct FeatureStoreGrpc {
    store: FeatureStore,
}

impl FeatureStoreGrpc {
    pub(crate) fn new(store: FeatureStore) -> Self {
        Self { store }
    }
}

type MaterializeStream =
    Pin<Box<dyn Stream<Item = Result<wire::MaterializeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl FeatureStoreService for FeatureStoreGrpc {
    type MaterializeStream = MaterializeStream;

    async fn materialize(
        &self,
        request: Request<wire::MaterializeRequest>,
    ) -> Result<Response<Self::MaterializeStream>, Status> {
        require(&request, Role::Operator)?;
        let wire::MaterializeRequest {
            run_id,
            use_case,
            as_of,
        } = request.into_inner();
        let run_id: RunId = uuid_field("run_id", &run_id).map_err(into_status)?;
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let as_of = moment("as_of", as_of).map_err(into_status)?;

        let (sender, receiver) = mpsc::channel(PROGRESS_BUFFER);
        let store = self.store.clone();
        // A caller that hangs up does not stop the work: the same run finds it done.
        let work = async move {
            let events = sender.clone();
            let report = move |stage: &str, done: usize, total: usize| {
                let event = Event::Progress(progress(stage, done, total));
                if events.try_send(Ok(materialize_event(event))).is_err() {
                    tracing::trace!(stage, "nobody takes the progress");
                }
            };
            let outcome = store.materialize(run_id, &use_case, as_of, &report).await;
            let last = outcome
                .map(|done| materialize_event(Event::Summary(summary(done))))
                .map_err(into_status);
            if sender.send(last).await.is_err() {
                tracing::debug!(%run_id, "the caller hung up before the work was done");
            }
        };
        tokio::spawn(work.instrument(tracing::Span::current()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn build_training_set(
        &self,
        request: Request<wire::BuildTrainingSetRequest>,
    ) -> Result<Response<wire::BuildTrainingSetResponse>, Status> {
        require(&request, Role::Operator)?;
        let wire::BuildTrainingSetRequest {
            run_id,
            use_case,
            known_at,
        } = request.into_inner();
        let run_id: RunId = uuid_field("run_id", &run_id).map_err(into_status)?;
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let known_at = moment("known_at", known_at).map_err(into_status)?;
        let built = self
            .store
            .training_set(run_id, &use_case, known_at)
            .await
            .map_err(into_status)?;
        let training_set = Some(training_set_message(built));
        Ok(Response::new(wire::BuildTrainingSetResponse {
            training_set,
        }))
    }

    async fn get_scoring_frame(
        &self,
        request: Request<wire::GetScoringFrameRequest>,
    ) -> Result<Response<wire::GetScoringFrameResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetScoringFrameRequest {
            use_case,
            as_of,
            horizon_hours,
            history_hours,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let as_of = moment("as_of", as_of).map_err(into_status)?;
        let horizon =
            hours("horizon_hours", horizon_hours, MAX_HORIZON_HOURS).map_err(into_status)?;
        let history =
            hours("history_hours", history_hours, MAX_HISTORY_HOURS).map_err(into_status)?;
        let frame = self
            .store
            .scoring_frame(&use_case, as_of, horizon, history)
            .await
            .map_err(into_status)?;
        Ok(Response::new(scoring_frame_message(frame, horizon_hours)))
    }

    async fn get_actuals(
        &self,
        request: Request<wire::GetActualsRequest>,
    ) -> Result<Response<wire::GetActualsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let (use_case, series, span, known_at) =
            parse_actuals(request.into_inner()).map_err(into_status)?;
        let actuals = self
            .store
            .actuals(&use_case, series, span, known_at)
            .await
            .map_err(into_status)?;
        let Actuals {
            series,
            settled_until,
        } = actuals;
        Ok(Response::new(wire::GetActualsResponse {
            series: series.into_iter().map(series_message).collect(),
            settled_until: timestamp(settled_until),
        }))
    }

    async fn get_online_values(
        &self,
        request: Request<wire::GetOnlineValuesRequest>,
    ) -> Result<Response<wire::GetOnlineValuesResponse>, Status> {
        require(&request, Role::Viewer)?;
        let wire::GetOnlineValuesRequest {
            use_case,
            series_ids,
            features,
        } = request.into_inner();
        let use_case = use_case_id("use_case", &use_case).map_err(into_status)?;
        let series = parse_series(&series_ids).map_err(into_status)?;
        check_number("features", features.len()).map_err(into_status)?;
        let values = self
            .store
            .online_values(&use_case, &series, &features)
            .await
            .map_err(into_status)?;
        let values = values.into_iter().map(online_value_message).collect();
        Ok(Response::new(wire::GetOnlineValuesResponse { values }))
    }

    async fn list_feature_views(
        &self,
        request: Request<wire::ListFeatureViewsRequest>,
    ) -> Result<Response<wire::ListFeatureViewsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let views = self
            .store
            .views()
            .await
            .map_err(into_status::<FeatureStoreError>)?;
        let views = views.into_iter().map(view_message).collect();
        Ok(Response::new(wire::ListFeatureViewsResponse { views }))
    }
}

fn parse_actuals(
    request: wire::GetActualsRequest,
) -> Result<
    (
        UseCaseId,
        Vec<SeriesId>,
        TimeSpan,
        chrono::DateTime<chrono::Utc>,
    ),
    FieldError,
> {
    let wire::GetActualsRequest {
        use_case,
        series_ids,
        span: asked,
        known_at,
    } = request;
    Ok((
        use_case_id("use_case", &use_case)?,
        parse_series(&series_ids)?,
        span("span", asked)?,
        moment("known_at", known_at)?,
    ))
}

fn parse_series(names: &[String]) -> Result<Vec<SeriesId>, FieldError> {
    check_number("series_ids", names.len())?;
    names
        .iter()
        .map(|name| series_id("series_ids", name))
        .collect()
}

fn check_number(field: &'static str, number: usize) -> Result<(), FieldError> {
    if number > MAX_NAMES {
        return Err(FieldError::new(
            field,
            format!("has {number} names, at most {MAX_NAMES}"),
        ));
    }
    Ok(())
}

fn hours(field: &'static str, value: u32, most: u32) -> Result<usize, FieldError> {
    usize::try_from(value)
        .ok()
        .filter(|_| (1..=most).contains(&value))
        .ok_or_else(|| FieldError::new(field, format!("must be from 1 to {most}, got {value}")))
}

fn materialize_event(event: Event) -> wire::MaterializeResponse {
    wire::MaterializeResponse { event: Some(event) }
}

fn summary(done: Materialization) -> wire::MaterializeSummary {
    wire::MaterializeSummary {
        view: done.view,
        spec_hash: done.spec_hash,
        rows: done.rows as u64,
        features: small(done.features),
        series: small(done.series),
    }
}

fn training_set_message(built: TrainingSet) -> wire::TrainingSet {
    wire::TrainingSet {
        use_case: built.use_case.into(),
        view: built.view,
        spec_hash: built.spec_hash,
        known_at: timestamp(built.known_at),
        path: built.path,
        sha256: built.sha256,
        rows: built.rows as u64,
        series: small(built.series),
        span: span_message(built.span),
        regressors: built.regressors,
    }
}

fn scoring_frame_message(frame: ScoringFrame, horizon_hours: u32) -> wire::GetScoringFrameResponse {
    let column = |(name, values): (&str, Vec<f64>)| wire::RegressorColumn {
        name: name.to_owned(),
        values,
    };
    wire::GetScoringFrameResponse {
        start: timestamp(frame.start),
        horizon_hours,
        regressors: frame.regressors.into_iter().map(column).collect(),
        series: frame.series.into_iter().map(series_message).collect(),
        hour_of_week: frame.hour_of_week.into_iter().map(u32::from).collect(),
        history_hour_of_week: frame
            .history_hour_of_week
            .into_iter()
            .map(u32::from)
            .collect(),
        completeness: frame.completeness,
    }
}

fn series_message(counts: SeriesCounts) -> wire::SeriesHistory {
    wire::SeriesHistory {
        series_id: counts.series.into(),
        start: timestamp(counts.start),
        values: counts.values,
    }
}

fn online_value_message(value: OnlineValue) -> wire::OnlineValue {
    wire::OnlineValue {
        series_id: value.series.into(),
        feature: value.feature,
        value: value.value,
        event_time: timestamp(value.event_time),
        known_at: timestamp(value.known_at),
    }
}

fn view_message(view: ListedView) -> wire::FeatureView {
    wire::FeatureView {
        name: view.name.to_owned(),
        spec_hash: view.spec_hash.to_string(),
        use_case: view.use_case.into(),
        features: view
            .features
            .into_iter()
            .map(|feature| wire::Feature {
                name: feature.name.to_owned(),
                description: feature.description.to_owned(),
                kind: feature.kind().name().to_owned(),
                unit: feature.unit.to_owned(),
            })
            .collect(),
        materialized_at: view.materialized_at.and_then(timestamp),
    }
}

/// Numbers of features and series are small by configuration.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
