//! An orchestrator to tell stories about.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use foretide_api::orchestration::v1::orchestration_service_client::OrchestrationServiceClient;
use foretide_api::orchestration::v1::{
    DeadLetter, GetRunRequest, ListDeadLettersRequest, ListRunsRequest, RetryDeadLetterRequest,
    Run, RunState, RunStep, StartRunRequest, WatchRunRequest,
};
use foretide_domain::Role;
use foretide_orchestrator::config::{BackoffConfig, CalendarConfig, Config};
use foretide_service_runtime::AuthedChannel;
use foretide_service_runtime::testing::{TestContext, TestServer};

use crate::fakes::Fakes;

/// A Friday.
pub(crate) const NOW: &str = "2026-11-20T05:59:30Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// No calendar, no patience.
pub(crate) fn by_hand() -> Config {
    Config {
        calendar: CalendarConfig {
            enabled: false,
            ..CalendarConfig::default()
        },
        backoff: BackoffConfig {
            first_seconds: 0,
            longest_seconds: 0,
        },
        drain_seconds: 0,
        ..Config::default()
    }
}

pub(crate) struct Orchestrator {
    pub(crate) context: TestContext,
    pub(crate) server: TestServer,
    pub(crate) client: OrchestrationServiceClient<AuthedChannel>,
}

impl Orchestrator {
    pub(crate) async fn start(fakes: &Fakes, config: Config) -> Self {
        Self::start_in(
            TestContext::new("orchestrator", at(NOW), &fakes.peers()),
            config,
        )
        .await
    }

    /// Another process on the same database: a replica, or the next one after a restart.
    pub(crate) async fn start_beside(other: &TestContext, fakes: &Fakes, config: Config) -> Self {
        let folder = Arc::clone(&other.folder);
        let now = other.ctx.clock.now();
        Self::start_in(
            TestContext::reopen("orchestrator", now, &fakes.peers(), folder),
            config,
        )
        .await
    }

    pub(crate) async fn start_in(context: TestContext, config: Config) -> Self {
        let built = foretide_orchestrator::build(&context.ctx, config)
            .await
            .unwrap();
        let server = TestServer::start(&context.ctx, built).await;
        let client = OrchestrationServiceClient::new(
            server.channel_of("olga", &[Role::Operator, Role::Viewer]),
        );
        Self {
            context,
            server,
            client,
        }
    }

    pub(crate) async fn start_run(&self, kind: &str) -> Run {
        self.start_run_with(StartRunRequest {
            kind: kind.to_owned(),
            ..Default::default()
        })
        .await
    }

    pub(crate) async fn start_run_with(&self, request: StartRunRequest) -> Run {
        self.client
            .clone()
            .start_run(request)
            .await
            .unwrap()
            .into_inner()
            .run
            .unwrap()
    }

    pub(crate) async fn run(&self, run_id: &str) -> Run {
        let request = GetRunRequest {
            run_id: run_id.to_owned(),
        };
        self.client
            .clone()
            .get_run(request)
            .await
            .unwrap()
            .into_inner()
            .run
            .unwrap()
    }

    pub(crate) async fn runs(&self) -> Vec<Run> {
        let request = ListRunsRequest { limit: 100 };
        self.client
            .clone()
            .list_runs(request)
            .await
            .unwrap()
            .into_inner()
            .runs
    }

    /// Watches a run to its end and returns everything that was shown.
    pub(crate) async fn watch(&self, run_id: &str) -> Vec<Run> {
        let request = WatchRunRequest {
            run_id: run_id.to_owned(),
        };
        let mut changes = self
            .client
            .clone()
            .watch_run(request)
            .await
            .unwrap()
            .into_inner();
        let mut shown = vec![];
        let to_the_end = async {
            while let Some(change) = changes.message().await.unwrap() {
                shown.push(change.run.unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(60), to_the_end)
            .await
            .expect("an end of the run");
        shown
    }

    /// The run once it has ended.
    pub(crate) async fn ended(&self, run_id: &str) -> Run {
        self.watch(run_id)
            .await
            .pop()
            .expect("at least the ended run is shown")
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let request = ListDeadLettersRequest { limit: 10 };
        self.client
            .clone()
            .list_dead_letters(request)
            .await
            .unwrap()
            .into_inner()
            .dead_letters
    }

    /// The one dead letter, written a moment after its run has failed.
    pub(crate) async fn dead_letter(&self) -> DeadLetter {
        until("there is a dead letter", async || {
            !self.dead_letters().await.is_empty()
        })
        .await;
        self.dead_letters().await.remove(0)
    }

    pub(crate) async fn retry(&self, job_id: &str) -> Run {
        let request = RetryDeadLetterRequest {
            job_id: job_id.to_owned(),
        };
        self.client
            .clone()
            .retry_dead_letter(request)
            .await
            .unwrap()
            .into_inner()
            .run
            .unwrap()
    }
}

pub(crate) fn states(run: &Run) -> Vec<(String, RunState)> {
    run.steps
        .iter()
        .map(|step| (step.step.clone(), step.state()))
        .collect()
}

pub(crate) fn step<'a>(run: &'a Run, name: &str) -> &'a RunStep {
    run.steps
        .iter()
        .find(|step| step.step == name)
        .expect("a step of that name")
}

pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited 60 s until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
