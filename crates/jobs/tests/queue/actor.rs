//! A job that does what a test says, the worker that runs it, and looks behind the queue.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use foretide_db::testing::TestDatabase;
use foretide_db::{Database, DatabaseConfig, Engine};
use foretide_domain::{RunningClock, SharedClock};
use foretide_jobs::{
    Backoff, DeadLetter, Handler, Job, JobContext, Outcome, Queue, Worker, WorkerOptions,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A job that does what the test says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    Succeed,
    FailFirst(u32),
    FailAtOnce,
    Panic,
    HangFirst(u32),
    HangUntilKilled,
    Abort,
}

impl Job for Act {
    const NAME: &'static str = "act";
    const VERSION: u32 = 2;
    const MAX_ATTEMPTS: u32 = 3;

    fn deadline(&self) -> Duration {
        match self {
            Self::HangFirst(_) => Duration::from_millis(200),
            _ => Duration::from_secs(60),
        }
    }
}

/// Tells the test what happens.
pub(crate) struct Actor(mpsc::UnboundedSender<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Attempt(u32),
    Died(String),
}

impl Actor {
    fn tell(&self, seen: Seen) {
        // Nobody listens any more once the test has what it wants.
        drop(self.0.send(seen));
    }
}

#[async_trait]
impl Handler<Act> for Actor {
    async fn handle(&self, job: &Act, context: &JobContext) -> Outcome {
        self.tell(Seen::Attempt(context.attempt));
        match job {
            Act::Succeed => Outcome::Done,
            Act::FailFirst(times) if context.attempt <= *times => Outcome::retry("not yet"),
            Act::HangFirst(times) if context.attempt <= *times => std::future::pending().await,
            Act::FailFirst(_) | Act::HangFirst(_) => Outcome::Done,
            Act::FailAtOnce => Outcome::fail("never will"),
            Act::Panic => panic!("on purpose"),
            Act::HangUntilKilled => std::future::pending().await,
            Act::Abort => std::process::abort(),
        }
    }

    async fn died(&self, _job: Option<&Act>, _context: &JobContext, reason: &str) {
        self.tell(Seen::Died(reason.to_owned()));
    }
}

pub(crate) struct Running {
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn next(&mut self) -> Seen {
        tokio::time::timeout(Duration::from_secs(30), self.seen.recv())
            .await
            .expect("something within 30 s")
            .expect("a worker that runs")
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

pub(crate) fn quick() -> WorkerOptions {
    let backoff = Backoff {
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };
    WorkerOptions {
        concurrency: 4,
        drain: Duration::from_secs(10),
        backoff,
    }
}

pub(crate) fn start(queue: &Queue, options: WorkerOptions) -> Running {
    let (sender, seen) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let worker = Worker::new(queue, options).with::<Act>(Actor(sender));
    let task = tokio::spawn(worker.run(shutdown.clone()));
    Running {
        seen,
        shutdown,
        task,
    }
}

pub(crate) fn clock() -> SharedClock {
    RunningClock::starting_at("2026-11-23T06:00:00Z".parse().unwrap()).shared()
}

pub(crate) async fn open(config: &DatabaseConfig) -> (Database, Queue) {
    let database = Database::connect(config, "orchestrator").await.unwrap();
    let queue = Queue::open(&database, clock()).await.unwrap();
    (database, queue)
}

pub(crate) async fn finished(queue: &Queue) {
    until("all jobs have ended", async || {
        queue.unfinished().await.unwrap() == 0
    })
    .await;
}

pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited 30 s until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn only_letter(queue: &Queue) -> DeadLetter {
    until("there is a dead letter", async || {
        !queue.list_dead_letters(10).await.unwrap().is_empty()
    })
    .await;
    let letters = queue.list_dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters.into_iter().next().unwrap()
}

pub(crate) fn jobs_table(engine: Engine) -> (&'static str, DbBackend) {
    match engine {
        Engine::Sqlite => ("Jobs", DbBackend::Sqlite),
        Engine::Postgres => ("apalis.jobs", DbBackend::Postgres),
    }
}

/// How many jobs wait and how many run.
pub(crate) async fn status_counts(test: &TestDatabase, _queue: &Queue) -> (i64, i64) {
    let (database, _) = open(&test.config).await;
    let (table, backend) = jobs_table(test.engine);
    let sql = format!(
        "SELECT COALESCE(SUM(CASE WHEN status = 'Pending' THEN 1 ELSE 0 END), 0) AS waiting, \
         COALESCE(SUM(CASE WHEN status = 'Running' THEN 1 ELSE 0 END), 0) AS running FROM {table}"
    );
    let row = database
        .connection()
        .query_one_raw(Statement::from_string(backend, sql))
        .await;
    let row = row.unwrap().unwrap();
    (
        row.try_get("", "waiting").unwrap(),
        row.try_get("", "running").unwrap(),
    )
}

/// Puts bytes on the queue that no Foretide has written.
pub(crate) async fn store_raw(database: &Database, engine: Engine, bytes: &[u8]) {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let (table, backend) = jobs_table(engine);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let id = format!("01ARZ3NDEKTSV4RRFFQ69G{serial:04}");
    let sql = format!(
        "INSERT INTO {table} (id, job_type, job, max_attempts) VALUES ($1, 'foretide', $2, 25)"
    );
    let values = [id.into(), bytes.to_vec().into()];
    database
        .connection()
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
        .unwrap();
}

pub(crate) async fn dismiss(database: &Database) {
    database
        .connection()
        .execute_unprepared("DELETE FROM dead_letter")
        .await
        .unwrap();
}
