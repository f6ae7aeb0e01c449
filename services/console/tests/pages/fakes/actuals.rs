//! What really came.

use foretide_api::features::v1 as features;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, Fakes, at};

#[async_trait]
impl features::feature_store_service_server::FeatureStoreService for Fakes {
    type MaterializeStream = BoxStream<features::MaterializeResponse>;

    async fn get_actuals(
        &self,
        request: Request<features::GetActualsRequest>,
    ) -> Answer<features::GetActualsResponse> {
        let asked = self.take(request)?;
        let span = asked.span.unwrap_or_default();
        let series = asked
            .series_ids
            .into_iter()
            .map(|series_id| features::SeriesHistory {
                series_id,
                start: span.start,
                values: (0..72).map(f64::from).collect(),
            });
        Ok(Response::new(features::GetActualsResponse {
            series: series.collect(),
            settled_until: at(-3),
        }))
    }

    async fn materialize(
        &self,
        _: Request<features::MaterializeRequest>,
    ) -> Answer<Self::MaterializeStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn build_training_set(
        &self,
        _: Request<features::BuildTrainingSetRequest>,
    ) -> Answer<features::BuildTrainingSetResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_scoring_frame(
        &self,
        _: Request<features::GetScoringFrameRequest>,
    ) -> Answer<features::GetScoringFrameResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn get_online_values(
        &self,
        _: Request<features::GetOnlineValuesRequest>,
    ) -> Answer<features::GetOnlineValuesResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn list_feature_views(
        &self,
        _: Request<features::ListFeatureViewsRequest>,
    ) -> Answer<features::ListFeatureViewsResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
