//! A job goes on in the trace of whoever pushed it.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::time::Duration;

use async_trait::async_trait;
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_domain::RunningClock;
use foretide_jobs::{Handler, Job, JobContext, Outcome, PushOptions, Queue, Worker, WorkerOptions};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TellTrace;

impl Job for TellTrace {
    const NAME: &'static str = "tell_trace";
    const VERSION: u32 = 1;
    const MAX_ATTEMPTS: u32 = 1;

    fn deadline(&self) -> Duration {
        Duration::from_secs(10)
    }
}

struct Teller(mpsc::UnboundedSender<String>);

#[async_trait]
impl Handler<TellTrace> for Teller {
    async fn handle(&self, _job: &TellTrace, _context: &JobContext) -> Outcome {
        self.0.send(foretide_telemetry::current_trace_id()).unwrap();
        Outcome::Done
    }

    async fn died(&self, _job: Option<&TellTrace>, _context: &JobContext, reason: &str) {
        self.0.send(reason.to_owned()).unwrap();
    }
}

#[tokio::test]
async fn the_trace_crosses_the_queue() {
    let options = foretide_telemetry::TelemetryOptions {
        service_name: "test".to_owned(),
        json: false,
        filter: "info".to_owned(),
        otlp_endpoint: None,
    };
    let _telemetry = foretide_telemetry::init(&options).unwrap();
    let place = TestDatabase::sqlite();
    let database = Database::connect(&place.config, "orchestrator")
        .await
        .unwrap();
    let queue = Queue::open(
        &database,
        RunningClock::starting_at("2026-11-23T06:00:00Z".parse().unwrap()).shared(),
    )
    .await
    .unwrap();

    let span = tracing::info_span!("whoever pushes");
    let pusher = span.in_scope(foretide_telemetry::current_trace_id);
    let push = queue.push(&TellTrace, PushOptions::default());
    push.instrument(span).await.unwrap();

    let (sender, mut told) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let worker = Worker::new(&queue, WorkerOptions::default()).with::<TellTrace>(Teller(sender));
    let running = tokio::spawn(worker.run(shutdown.clone()));
    let job = tokio::time::timeout(Duration::from_secs(30), told.recv()).await;
    assert!(!pusher.is_empty());
    assert_eq!(job.unwrap().unwrap(), pusher);
    shutdown.cancel();
    running.await.unwrap();
}
