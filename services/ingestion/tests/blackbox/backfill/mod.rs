//! A span of the past: quoted, read in parts, paused, resumed, retried.

mod exports;
mod jobs;
mod queries;
mod refusals;

use std::time::Duration;

use foretide_api::ingestion::v1::{
    Backfill, BackfillState, CancelBackfillRequest, GetBackfillRequest, PauseBackfillRequest,
    PlanBackfillRequest, ResumeBackfillRequest, RetryBackfillRequest, StartBackfillRequest,
};
use foretide_api::timestamp;
use foretide_api::types::v1::TimeSpan;
use foretide_test_support::wait_until;
use tonic::Status;

use crate::world::{World, at};

const LONGEST: Duration = Duration::from_secs(60);

/// The clock of these worlds.
pub(crate) const NOW: &str = "2026-11-23T00:00:00Z";

pub(crate) fn request(from: &str, to: &str) -> PlanBackfillRequest {
    PlanBackfillRequest {
        span: Some(TimeSpan {
            start: timestamp(at(&format!("{from}T00:00:00Z"))),
            end: timestamp(at(&format!("{to}T00:00:00Z"))),
        }),
        tables: Vec::new(),
        source: String::new(),
    }
}

impl World {
    pub(crate) async fn plan(&self, request: PlanBackfillRequest) -> Result<Backfill, Status> {
        let answer = self.client().plan_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn begin(&self, id: &str, accepted: Option<f64>) -> Result<Backfill, Status> {
        let request = StartBackfillRequest {
            backfill_id: id.to_owned(),
            accepted_gigabytes: accepted,
        };
        let answer = self.client().start_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn backfill(&self, id: &str) -> Result<Backfill, Status> {
        let request = GetBackfillRequest {
            backfill_id: id.to_owned(),
        };
        let answer = self.client().get_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn pause(&self, id: &str) -> Result<Backfill, Status> {
        let request = PauseBackfillRequest {
            backfill_id: id.to_owned(),
        };
        let answer = self.client().pause_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn resume(&self, id: &str, accepted: Option<f64>) -> Result<Backfill, Status> {
        let request = ResumeBackfillRequest {
            backfill_id: id.to_owned(),
            accepted_gigabytes: accepted,
        };
        let answer = self.client().resume_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn retry(&self, id: &str) -> Result<Backfill, Status> {
        let request = RetryBackfillRequest {
            backfill_id: id.to_owned(),
        };
        let answer = self.client().retry_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<Backfill, Status> {
        let request = CancelBackfillRequest {
            backfill_id: id.to_owned(),
        };
        let answer = self.client().cancel_backfill(request).await?;
        Ok(answer.into_inner().backfill.unwrap())
    }

    /// The backfill as it is when nothing of it runs any more.
    pub(crate) async fn at_rest(&self, id: &str) -> Backfill {
        wait_until(LONGEST, "the backfill rests", || async {
            let backfill = self.backfill(id).await?;
            Ok((backfill.state() != BackfillState::Running).then_some(backfill))
        })
        .await
        .unwrap()
    }

    /// Plans, starts and waits for the end.
    pub(crate) async fn filled(&self, request: PlanBackfillRequest) -> Backfill {
        let quote = self.plan(request).await.unwrap();
        self.begin(&quote.backfill_id, None).await.unwrap();
        self.at_rest(&quote.backfill_id).await
    }
}
