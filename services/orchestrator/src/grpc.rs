//! The wire: parse, call, render.

use std::pin::Pin;
use std::time::Duration;

use foretide_api::orchestration::v1 as api;
use foretide_api::orchestration::v1::orchestration_service_server::OrchestrationService;
use foretide_api::types::v1::Progress;
use foretide_api::{
    FieldError, into_status, optional_moment, text, timestamp, use_case_id, uuid_field,
};
use foretide_domain::{Role, RunId};
use foretide_jobs::DeadLetter;
use foretide_service_runtime::require;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::calendar::{DEDUP_PREFIX, Entry};
use crate::model::{NewRun, Run, RunState, RunStep};
use crate::service::Orchestrator;

/// Changes made by other replicas are seen at the latest after this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 1000;

/// The gRPC face of the orchestrator.
pub(crate) struct OrchestrationGrpc {
    orchestrator: Orchestrator,
    shutdown: CancellationToken,
}

impl OrchestrationGrpc {
    pub(crate) fn new(orchestrator: Orchestrator, shutdown: CancellationToken) -> Self {
        Self {
            orchestrator,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl OrchestrationService for OrchestrationGrpc {
    async fn start_run(
        &self,
        request: Request<api::StartRunRequest>,
    ) -> Result<Response<api::StartRunResponse>, Status> {
        let caller = require(&request, Role::Operator)?;
        let new = new_run(request.into_inner(), &caller.name).map_err(into_status)?;
        let run = self
            .orchestrator
            .start_run(new)
            .await
            .map_err(into_status)?;
        Ok(Response::new(api::StartRunResponse {
            run: Some(run_message(&run)),
        }))
    }

    async fn get_run(
        &self,
        request: Request<api::GetRunRequest>,
    ) -> Result<Response<api::GetRunResponse>, Status> {
        require(&request, Role::Viewer)?;
        let id = run_id(&request.into_inner().run_id).map_err(into_status)?;
        let run = self.orchestrator.get_run(id).await.map_err(into_status)?;
        Ok(Response::new(api::GetRunResponse {
            run: Some(run_message(&run)),
        }))
    }

    async fn list_runs(
        &self,
        request: Request<api::ListRunsRequest>,
    ) -> Result<Response<api::ListRunsResponse>, Status> {
        require(&request, Role::Viewer)?;
        let limit = limit(request.into_inner().limit).map_err(into_status)?;
        let runs = self
            .orchestrator
            .list_runs(limit)
            .await
            .map_err(into_status)?;
        Ok(Response::new(api::ListRunsResponse {
            runs: runs.iter().map(run_message).collect(),
        }))
    }

    type WatchRunStream =
        Pin<Box<dyn Stream<Item = Result<api::WatchRunResponse, Status>> + Send + 'static>>;

    async fn watch_run(
        &self,
        request: Request<api::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        require(&request, Role::Viewer)?;
        let id = run_id(&request.into_inner().run_id).map_err(into_status)?;
        self.orchestrator.get_run(id).await.map_err(into_status)?;
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(watch(
            self.orchestrator.clone(),
            id,
            sender,
            self.shutdown.clone(),
        ));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_calendar(
        &self,
        request: Request<api::GetCalendarRequest>,
    ) -> Result<Response<api::GetCalendarResponse>, Status> {
        require(&request, Role::Viewer)?;
        let now = self.orchestrator.now();
        let entry = |entry: &Entry| api::CalendarEntry {
            name: entry.kind.name().to_owned(),
            kind: entry.kind.name().to_owned(),
            schedule: entry.expression.clone(),
            next: entry.next_after(now).and_then(timestamp),
        };
        let entries = self
            .orchestrator
            .calendar()
            .entries
            .iter()
            .map(entry)
            .collect();
        Ok(Response::new(api::GetCalendarResponse { entries }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<api::ListDeadLettersRequest>,
    ) -> Result<Response<api::ListDeadLettersResponse>, Status> {
        require(&request, Role::Viewer)?;
        let limit = limit(request.into_inner().limit).map_err(into_status)?;
        let letters = self
            .orchestrator
            .list_dead_letters(limit)
            .await
            .map_err(into_status)?;
        let dead_letters = letters.into_iter().map(letter_message).collect();
        Ok(Response::new(api::ListDeadLettersResponse { dead_letters }))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<api::RetryDeadLetterRequest>,
    ) -> Result<Response<api::RetryDeadLetterResponse>, Status> {
        require(&request, Role::Operator)?;
        let job_id = uuid_field("job_id", &request.into_inner().job_id).map_err(into_status)?;
        let run = self
            .orchestrator
            .retry_dead_letter(job_id)
            .await
            .map_err(into_status)?;
        Ok(Response::new(api::RetryDeadLetterResponse {
            run: Some(run_message(&run)),
        }))
    }
}

/// Sends the run whenever it differs from what was sent last, until it has ended, the caller has
/// gone or the process stops.
async fn watch(
    orchestrator: Orchestrator,
    id: RunId,
    sender: mpsc::Sender<Result<api::WatchRunResponse, Status>>,
    shutdown: CancellationToken,
) {
    let mut changes = orchestrator.changes();
    let mut sent: Option<Run> = None;
    loop {
        // Marked before reading, so that a change in between is looked at again.
        changes.mark_unchanged();
        let run = match orchestrator.get_run(id).await {
            Ok(run) => run,
            Err(error) => {
                if sender.send(Err(into_status(error))).await.is_err() {
                    tracing::debug!(run_id = %id, "the watcher has gone");
                }
                return;
            }
        };
        if sent.as_ref() != Some(&run) {
            let message = api::WatchRunResponse {
                run: Some(run_message(&run)),
            };
            if sender.send(Ok(message)).await.is_err() || run.state.has_ended() {
                return;
            }
            sent = Some(run);
        }
        tokio::select! {
            () = shutdown.cancelled() => {
                let stopping = Status::unavailable("the orchestrator is stopping: watch the run again");
                if sender.send(Err(stopping)).await.is_err() {
                    tracing::debug!(run_id = %id, "the watcher has gone");
                }
                return;
            }
            () = sender.closed() => return,
            // The sender lives as long as the orchestrator does.
            _ = changes.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn new_run(request: api::StartRunRequest, caller: &str) -> Result<NewRun, FieldError> {
    let api::StartRunRequest {
        kind,
        use_case,
        as_of,
        dedup_key,
        started_by,
        force_training,
    } = request;
    let use_case = match use_case.as_str() {
        "" => None,
        name => Some(use_case_id("use_case", name)?),
    };
    let dedup_key = match dedup_key.as_str() {
        "" => None,
        key if key.starts_with(DEDUP_PREFIX) => {
            let problem =
                format!("must not begin with {DEDUP_PREFIX}, which is the calendar's own");
            return Err(FieldError::new("dedup_key", problem));
        }
        key => Some(text("dedup_key", key, 200)?),
    };
    let started_by = match started_by.as_str() {
        "" => caller.to_owned(),
        by => format!("{} ({caller})", text("started_by", by, 64)?),
    };
    Ok(NewRun {
        kind: kind
            .parse()
            .map_err(|problem: String| FieldError::new("kind", problem))?,
        use_case,
        as_of: optional_moment("as_of", as_of)?,
        dedup_key,
        started_by,
        force_training,
    })
}

fn run_id(value: &str) -> Result<RunId, FieldError> {
    uuid_field("run_id", value)
}

fn limit(asked: u32) -> Result<u64, FieldError> {
    match asked {
        0 => Ok(DEFAULT_LIMIT.into()),
        1..=MOST => Ok(asked.into()),
        _ => Err(FieldError::new("limit", format!("must be at most {MOST}"))),
    }
}

fn run_message(run: &Run) -> api::Run {
    api::Run {
        run_id: run.id.to_string(),
        kind: run.kind.name().to_owned(),
        use_case: run
            .use_case
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        as_of: timestamp(run.as_of),
        state: state_message(run.state),
        steps: run.steps.iter().map(step_message).collect(),
        queued_at: timestamp(run.queued_at),
        finished_at: run.finished_at.and_then(timestamp),
        started_by: run.started_by.clone(),
    }
}

fn step_message(step: &RunStep) -> api::RunStep {
    let summary_json = if step.summary.is_empty() {
        String::new()
    } else {
        serde_json::to_string(&step.summary).expect("a JSON value can be written")
    };
    api::RunStep {
        step: step.step.name().to_owned(),
        state: state_message(step.state),
        started_at: step.started_at.and_then(timestamp),
        finished_at: step.finished_at.and_then(timestamp),
        attempts: step.attempts,
        progress: step.progress.as_ref().map(|progress| Progress {
            stage: progress.stage.clone(),
            done: progress.done,
            total: progress.total,
        }),
        summary_json,
        error: step.error.clone(),
        report: step.report(),
        shortfalls: step.shortfalls(),
    }
}

fn state_message(state: RunState) -> i32 {
    let state = match state {
        RunState::Queued => api::RunState::Queued,
        RunState::Running => api::RunState::Running,
        RunState::Succeeded => api::RunState::Succeeded,
        RunState::Failed => api::RunState::Failed,
        RunState::Incomplete => api::RunState::Incomplete,
    };
    state.into()
}

fn letter_message(letter: DeadLetter) -> api::DeadLetter {
    let step = letter
        .payload
        .as_ref()
        .and_then(|payload| payload.get("step")?.as_str());
    api::DeadLetter {
        job_id: letter.job_id.to_string(),
        step: step.unwrap_or_default().to_owned(),
        job: letter.name,
        run_id: letter.run_id.map(|id| id.to_string()).unwrap_or_default(),
        error: letter.reason,
        attempts: letter.attempts,
        died_at: timestamp(letter.died_at),
    }
}
