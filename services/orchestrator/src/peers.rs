//! The steps, done by the other services over gRPC.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::actions::v1::{ProposeFromForecastRequest, propose_from_forecast_response};
use foretide_api::features::v1::{MaterializeRequest, materialize_response};
use foretide_api::governance::v1::{EvaluateRequest, evaluate_response};
use foretide_api::ingestion::v1::{IngestRequest, ingest_response};
use foretide_api::scoring::v1::{ScoreRequest, score_response};
use foretide_api::training::v1::{GetChampionRequest, ModelVersion, TrainRequest, train_response};
use foretide_api::{timestamp, types};
use foretide_domain::{Step, UseCase};
use foretide_service_runtime::Peers;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tonic::{Code, Response, Status, Streaming};

use crate::model::{Run, RunKind, StepProgress};
use crate::pipeline::{StepFailure, StepServices};

/// The other services as the doers of steps.
pub(crate) struct PeerSteps {
    peers: Peers,
    retrain_after: TimeDelta,
}

/// What one message of a step's stream says.
enum Told {
    Progress(types::v1::Progress),
    Summary(Value),
    /// A message without content: a service newer than we are.
    Nothing,
}

impl PeerSteps {
    pub(crate) fn new(peers: Peers, retrain_after_days: u32) -> Self {
        Self {
            peers,
            retrain_after: TimeDelta::days(i64::from(retrain_after_days)),
        }
    }

    async fn ingest(&self, run: &Run, progress: &Listener<'_>) -> Result<Value, StepFailure> {
        let request = IngestRequest {
            run_id: run.id.to_string(),
            as_of: timestamp(run.as_of),
            tables: vec![],
        };
        let stream = self.peers.ingestion().ingest(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(ingest_response::Event::Progress(progress)) => Told::Progress(progress),
                Some(ingest_response::Event::Summary(summary)) => told(&summary),
                None => Told::Nothing,
            })
            .await
    }

    async fn features(
        &self,
        run: &Run,
        use_case: &UseCase,
        progress: &Listener<'_>,
    ) -> Result<Value, StepFailure> {
        let request = MaterializeRequest {
            run_id: run.id.to_string(),
            use_case: use_case.id.to_string(),
            as_of: timestamp(run.as_of),
        };
        let stream = self.peers.feature_store().materialize(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(materialize_response::Event::Progress(progress)) => Told::Progress(progress),
                Some(materialize_response::Event::Summary(summary)) => told(&summary),
                None => Told::Nothing,
            })
            .await
    }

    async fn train(
        &self,
        run: &Run,
        use_case: &UseCase,
        progress: &Listener<'_>,
    ) -> Result<Value, StepFailure> {
        if let Some(of) = &use_case.of {
            return Ok(json!({ "skipped": format!("it watches the forecast of {of}") }));
        }
        if let Some(reason) = self.reason_not_to_train(run, use_case).await? {
            return Ok(json!({ "skipped": reason }));
        }
        let request = TrainRequest {
            run_id: run.id.to_string(),
            use_case: use_case.id.to_string(),
            as_of: timestamp(run.as_of),
        };
        let stream = self.peers.trainer().train(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(train_response::Event::Progress(progress)) => Told::Progress(progress),
                Some(train_response::Event::ModelVersion(version)) => told(&version),
                None => Told::Nothing,
            })
            .await
    }

    async fn reason_not_to_train(
        &self,
        run: &Run,
        use_case: &UseCase,
    ) -> Result<Option<String>, StepFailure> {
        if run.force_training || run.kind == RunKind::Train {
            return Ok(None);
        }
        let request = GetChampionRequest {
            use_case: use_case.id.to_string(),
        };
        let champion = match self.peers.trainer().get_champion(request).await {
            Ok(answer) => answer.into_inner().model_version,
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => return Err(failure(&status)),
        };
        Ok(champion.and_then(|champion| still_good(&champion, run.as_of, self.retrain_after)))
    }

    async fn score(
        &self,
        run: &Run,
        use_case: &UseCase,
        progress: &Listener<'_>,
    ) -> Result<Value, StepFailure> {
        let request = ScoreRequest {
            run_id: run.id.to_string(),
            use_case: use_case.id.to_string(),
            as_of: timestamp(run.as_of),
            horizon_hours: 0,
        };
        let stream = self.peers.scorer().score(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(score_response::Event::Progress(progress)) => Told::Progress(progress),
                Some(score_response::Event::Summary(summary)) => told(&summary),
                None => Told::Nothing,
            })
            .await
    }

    async fn audit(
        &self,
        run: &Run,
        use_case: &UseCase,
        progress: &Listener<'_>,
    ) -> Result<Value, StepFailure> {
        let request = EvaluateRequest {
            run_id: run.id.to_string(),
            use_case: use_case.id.to_string(),
            as_of: timestamp(run.as_of),
        };
        let stream = self.peers.auditor().evaluate(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(evaluate_response::Event::Progress(progress)) => Told::Progress(progress),
                Some(evaluate_response::Event::Summary(summary)) => told(&summary),
                None => Told::Nothing,
            })
            .await
    }

    async fn act(
        &self,
        run: &Run,
        use_case: &UseCase,
        progress: &Listener<'_>,
    ) -> Result<Value, StepFailure> {
        if use_case.actions.is_empty() {
            return Ok(json!({ "skipped": "the use case declares no actions" }));
        }
        let request = ProposeFromForecastRequest {
            run_id: run.id.to_string(),
            use_case: use_case.id.to_string(),
            as_of: timestamp(run.as_of),
        };
        let stream = self.peers.broker().propose_from_forecast(request).await;
        progress
            .follow(stream, |message| match message.event {
                Some(propose_from_forecast_response::Event::Progress(progress)) => {
                    Told::Progress(progress)
                }
                Some(propose_from_forecast_response::Event::Summary(summary)) => told(&summary),
                None => Told::Nothing,
            })
            .await
    }
}

#[async_trait]
impl StepServices for PeerSteps {
    async fn perform(
        &self,
        run: &Run,
        step: Step,
        use_case: Option<&UseCase>,
        progress: &mpsc::Sender<StepProgress>,
    ) -> Result<Value, StepFailure> {
        let progress = Listener {
            step,
            sender: progress,
        };
        match (step, use_case) {
            (Step::Ingest, _) => self.ingest(run, &progress).await,
            (Step::Features, Some(use_case)) => self.features(run, use_case, &progress).await,
            (Step::Train, Some(use_case)) => self.train(run, use_case, &progress).await,
            (Step::Score, Some(use_case)) => self.score(run, use_case, &progress).await,
            (Step::Audit, Some(use_case)) => self.audit(run, use_case, &progress).await,
            (Step::Act, Some(use_case)) => self.act(run, use_case, &progress).await,
            (step, None) => Err(StepFailure::Never {
                reason: format!("{step} needs a use case"),
            }),
        }
    }
}

/// Follows the stream of a step.
struct Listener<'a> {
    step: Step,
    sender: &'a mpsc::Sender<StepProgress>,
}

impl Listener<'_> {
    /// Passes progress on until the summary comes.
    async fn follow<T>(
        &self,
        answer: Result<Response<Streaming<T>>, Status>,
        read: impl Fn(T) -> Told,
    ) -> Result<Value, StepFailure> {
        let mut stream = answer.map_err(|status| failure(&status))?.into_inner();
        let mut summary = None;
        while let Some(message) = stream.message().await.map_err(|status| failure(&status))? {
            match read(message) {
                Told::Progress(types::v1::Progress { stage, done, total }) => {
                    let progress = StepProgress { stage, done, total };
                    if self.sender.send(progress).await.is_err() {
                        tracing::debug!(step = %self.step, "nobody listens to the progress");
                    }
                }
                Told::Summary(value) => summary = Some(value),
                Told::Nothing => {}
            }
        }
        // A stream that is cut off looks like one that ended: without summary the step is not done.
        summary.ok_or_else(|| StepFailure::Later {
            reason: format!(
                "the service of step {} ended its answer without a summary",
                self.step
            ),
            after: None,
        })
    }
}

fn told(summary: &impl Serialize) -> Told {
    Told::Summary(
        serde_json::to_value(summary)
            .unwrap_or_else(|error| json!({ "unreadable": error.to_string() })),
    )
}

fn still_good(champion: &ModelVersion, as_of: DateTime<Utc>, limit: TimeDelta) -> Option<String> {
    let trained_at = champion.trained_at?.to_moment()?;
    let age = as_of - trained_at;
    (age <= limit).then(|| {
        format!(
            "champion version {} is {} days old",
            champion.version,
            age.num_days().max(0)
        )
    })
}

/// What an answer means for the step.
fn failure(status: &Status) -> StepFailure {
    let reason = format!("{}: {}", words(status.code()), status.message());
    match status.code() {
        Code::InvalidArgument
        | Code::OutOfRange
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::DataLoss => StepFailure::Never { reason },
        // Too much at once is over in a while.
        Code::ResourceExhausted => StepFailure::Later {
            reason,
            after: Some(Duration::from_secs(60)),
        },
        // Internal and unknown may be a passing fault; the attempts are limited.
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => StepFailure::Later {
            reason,
            after: None,
        },
    }
}

fn words(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown error",
        Code::InvalidArgument => "invalid argument",
        Code::DeadlineExceeded => "deadline exceeded",
        Code::NotFound => "not found",
        Code::AlreadyExists => "already exists",
        Code::PermissionDenied => "permission denied",
        Code::ResourceExhausted => "resource exhausted",
        Code::FailedPrecondition => "failed precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out of range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal error",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn champion(trained_at: &str) -> ModelVersion {
        let trained_at: DateTime<Utc> = trained_at.parse().unwrap();
        ModelVersion {
            version: 3,
            trained_at: timestamp(trained_at),
            ..ModelVersion::default()
        }
    }

    #[test]
    fn a_champion_is_good_for_seven_days() {
        let as_of: DateTime<Utc> = "2026-11-20T06:00:00Z".parse().unwrap();
        let week = TimeDelta::days(7);
        let reason = still_good(&champion("2026-11-13T06:00:00Z"), as_of, week);
        assert_eq!(reason.as_deref(), Some("champion version 3 is 7 days old"));
        assert_eq!(
            still_good(&champion("2026-11-13T05:59:59Z"), as_of, week),
            None
        );
        assert_eq!(still_good(&ModelVersion::default(), as_of, week), None);
    }

    #[test]
    fn what_is_wrong_with_us_is_final_and_what_is_wrong_with_the_moment_is_not() {
        for code in [
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::PermissionDenied,
        ] {
            let failure = failure(&Status::new(code, "no data"));
            assert!(
                matches!(&failure, StepFailure::Never { reason } if reason.ends_with("no data")),
                "{failure:?}"
            );
        }
        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::Cancelled,
        ] {
            assert!(
                matches!(failure(&Status::new(code, "")), StepFailure::Later { .. }),
                "{code:?}"
            );
        }
    }
}
