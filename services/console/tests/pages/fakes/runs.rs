//! Runs and the calendar.

use foretide_api::orchestration::v1 as orchestration;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, async_trait};

use super::{Answer, Fakes, RUN_ID, at};

#[async_trait]
impl orchestration::orchestration_service_server::OrchestrationService for Fakes {
    type WatchRunStream = BoxStream<orchestration::WatchRunResponse>;

    async fn list_runs(
        &self,
        request: Request<orchestration::ListRunsRequest>,
    ) -> Answer<orchestration::ListRunsResponse> {
        self.take(request)?;
        let runs = if self.story().empty {
            vec![]
        } else {
            vec![self.run()]
        };
        Ok(Response::new(orchestration::ListRunsResponse { runs }))
    }

    async fn get_run(
        &self,
        request: Request<orchestration::GetRunRequest>,
    ) -> Answer<orchestration::GetRunResponse> {
        let asked = self.take(request)?;
        if asked.run_id != RUN_ID {
            return Err(Status::not_found(format!(
                "run {} does not exist",
                asked.run_id
            )));
        }
        Ok(Response::new(orchestration::GetRunResponse {
            run: Some(self.run()),
        }))
    }

    async fn get_calendar(
        &self,
        request: Request<orchestration::GetCalendarRequest>,
    ) -> Answer<orchestration::GetCalendarResponse> {
        self.take(request)?;
        let entry = orchestration::CalendarEntry {
            name: "daily forecast".to_owned(),
            kind: "forecast".to_owned(),
            schedule: "0 6 * * *".to_owned(),
            next: at(24),
        };
        Ok(Response::new(orchestration::GetCalendarResponse {
            entries: vec![entry],
        }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<orchestration::ListDeadLettersRequest>,
    ) -> Answer<orchestration::ListDeadLettersResponse> {
        self.take(request)?;
        Ok(Response::new(orchestration::ListDeadLettersResponse {
            dead_letters: vec![],
        }))
    }

    async fn start_run(
        &self,
        _: Request<orchestration::StartRunRequest>,
    ) -> Answer<orchestration::StartRunResponse> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn watch_run(
        &self,
        _: Request<orchestration::WatchRunRequest>,
    ) -> Answer<Self::WatchRunStream> {
        Err(Status::unimplemented("not in this story"))
    }

    async fn retry_dead_letter(
        &self,
        _: Request<orchestration::RetryDeadLetterRequest>,
    ) -> Answer<orchestration::RetryDeadLetterResponse> {
        Err(Status::unimplemented("not in this story"))
    }
}
