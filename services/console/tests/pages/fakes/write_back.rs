//! What the workspace has, and what waits.

use foretide_api::writeback::v1::write_back_service_server::{
    WriteBackService, WriteBackServiceServer,
};
use foretide_api::writeback::v1::{Batch, ListBatchesRequest, ListBatchesResponse, WaitingRows};
use tonic::{Request, Response, async_trait};

use super::{Answer, Fakes, HOSTILE, RUN_ID};

pub(super) fn server(fakes: Fakes) -> WriteBackServiceServer<Fakes> {
    WriteBackServiceServer::new(fakes)
}

#[async_trait]
impl WriteBackService for Fakes {
    async fn list_batches(
        &self,
        request: Request<ListBatchesRequest>,
    ) -> Answer<ListBatchesResponse> {
        let asked = self.take(request)?;
        let batch = Batch {
            run_id: RUN_ID.to_owned(),
            table: "PredictiveAlerting_CL".to_owned(),
            rows: 72,
            state: "visible".to_owned(),
            ..Batch::default()
        };
        let waiting = WaitingRows {
            table: "AI_Governance_CL".to_owned(),
            rows: 5,
            problem: HOSTILE.to_owned(),
            refused: false,
        };
        let batches = (asked.run_id == RUN_ID).then_some(batch);
        Ok(Response::new(ListBatchesResponse {
            batches: batches.into_iter().collect(),
            waiting: vec![waiting],
        }))
    }
}
