//! What was accepted, told over gRPC.

use std::sync::Arc;

use foretide_api::writeback::v1 as wire;
use foretide_api::writeback::v1::write_back_service_server::WriteBackService;
use foretide_api::{ErrorCode, FieldError, ServiceError, into_status, timestamp, uuid_field};
use foretide_db::DbError;
use foretide_domain::{Role, RunId};
use foretide_service_runtime::require;
use tonic::{Request, Response, Status};

use crate::{Batch, Batches, Waiting, WaitingRows};

const MOST: u32 = 1_000;
const USUAL: u32 = 100;

/// The gRPC face of a service's accepted batches and waiting rows.
pub struct WriteBackGrpc {
    batches: Batches,
    waiting: Arc<dyn WaitingRows>,
}

impl WriteBackGrpc {
    /// Tells of these.
    #[must_use]
    pub fn new(batches: Batches, waiting: Arc<dyn WaitingRows>) -> Self {
        Self { batches, waiting }
    }
}

#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("{0}")]
    Database(#[from] DbError),
}

impl ServiceError for ListError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field(_) => ErrorCode::InvalidArgument,
            Self::Database(error) if error.is_transient() => ErrorCode::Unavailable,
            Self::Database(_) => ErrorCode::Internal,
        }
    }
}

#[tonic::async_trait]
impl WriteBackService for WriteBackGrpc {
    async fn list_batches(
        &self,
        request: Request<wire::ListBatchesRequest>,
    ) -> Result<Response<wire::ListBatchesResponse>, Status> {
        require(&request, Role::Viewer)?;
        let batches = self.list(request.into_inner()).await.map_err(into_status)?;
        let waiting = self.waiting.waiting().await;
        let waiting = waiting.map_err(|error| into_status(ListError::Database(error)))?;
        Ok(Response::new(wire::ListBatchesResponse {
            batches: batches.into_iter().map(message).collect(),
            waiting: waiting.into_iter().map(waiting_message).collect(),
        }))
    }
}

impl WriteBackGrpc {
    async fn list(&self, request: wire::ListBatchesRequest) -> Result<Vec<Batch>, ListError> {
        let wire::ListBatchesRequest { run_id, limit } = request;
        let run_id: Option<RunId> = if run_id.is_empty() {
            None
        } else {
            Some(uuid_field("run_id", &run_id)?)
        };
        let limit = match limit {
            0 => USUAL,
            1..=MOST => limit,
            _ => return Err(FieldError::new("limit", format!("must be at most {MOST}")).into()),
        };
        Ok(self.batches.list(run_id, u64::from(limit)).await?)
    }
}

fn message(batch: Batch) -> wire::Batch {
    wire::Batch {
        run_id: batch.run_id.to_string(),
        table: batch.table,
        rows: batch.rows,
        accepted_at: timestamp(batch.accepted_at),
        state: batch.state.name().to_owned(),
        rows_seen: batch.rows_seen,
        visible_after_seconds: batch.visible_after.map(chrono::TimeDelta::as_seconds_f64),
        looks: batch.looks,
        problem: batch.problem.unwrap_or_default(),
    }
}

fn waiting_message(waiting: Waiting) -> wire::WaitingRows {
    let Waiting {
        table,
        rows,
        problem,
        refused,
    } = waiting;
    wire::WaitingRows {
        table,
        rows,
        problem,
        refused,
    }
}
