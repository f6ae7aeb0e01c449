//! What the queue promises, told on every engine that is at hand.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::collections::HashSet;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use foretide_db::testing::TestDatabase;
use foretide_db::{Database, DatabaseConfig, Engine};
use foretide_domain::{RunId, SystemClock};
use foretide_jobs::{
    Backoff, DeadLetter, Handler, Job, JobContext, Outcome, PushOptions, Queue, QueueError, Worker,
    WorkerOptions,
};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A job that does what the test says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
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
struct Actor(mpsc::UnboundedSender<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
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

struct Running {
    seen: mpsc::UnboundedReceiver<Seen>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn next(&mut self) -> Seen {
        tokio::time::timeout(Duration::from_secs(30), self.seen.recv())
            .await
            .expect("something within 30 s")
            .expect("a worker that runs")
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

fn quick() -> WorkerOptions {
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

fn start(queue: &Queue, options: WorkerOptions) -> Running {
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

async fn open(config: &DatabaseConfig) -> (Database, Queue) {
    let database = Database::connect(config, "orchestrator").await.unwrap();
    let queue = Queue::open(&database, Arc::new(SystemClock)).await.unwrap();
    (database, queue)
}

async fn finished(queue: &Queue) {
    until("all jobs have ended", async || {
        queue.unfinished().await.unwrap() == 0
    })
    .await;
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited 30 s until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn only_letter(queue: &Queue) -> DeadLetter {
    until("there is a dead letter", async || {
        !queue.list_dead_letters(10).await.unwrap().is_empty()
    })
    .await;
    let letters = queue.list_dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters.into_iter().next().unwrap()
}

#[tokio::test]
async fn the_same_key_pushes_once_even_after_the_job_has_ended() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let (_, replica) = open(&test.config).await;
        let pushes = (0..6).map(|i| {
            let queue = if i % 2 == 0 { &queue } else { &replica };
            async move {
                queue
                    .push(&Act::Succeed, PushOptions::once("tick 06:00"))
                    .await
                    .unwrap()
            }
        });
        let pushed = join_all(pushes).await;
        assert_eq!(pushed.iter().filter(|pushed| pushed.was_new).count(), 1);
        let ids: HashSet<_> = pushed.iter().map(|pushed| pushed.job_id).collect();
        assert_eq!(ids.len(), 1);

        let mut worker = start(&queue, quick());
        assert_eq!(worker.next().await, Seen::Attempt(1));
        finished(&queue).await;
        let again = queue
            .push(&Act::Succeed, PushOptions::once("tick 06:00"))
            .await
            .unwrap();
        assert_eq!((again.was_new, again.job_id), (false, pushed[0].job_id));
        assert_eq!(queue.unfinished().await.unwrap(), 0);
        let other = queue
            .push(&Act::Succeed, PushOptions::once("tick 07:00"))
            .await
            .unwrap();
        assert!(other.was_new);
        assert_eq!(worker.next().await, Seen::Attempt(1));
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_flaky_job_is_retried_until_it_succeeds() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        queue
            .push(&Act::FailFirst(2), PushOptions::default())
            .await
            .unwrap();
        for attempt in 1..=3 {
            assert_eq!(worker.next().await, Seen::Attempt(attempt));
        }
        finished(&queue).await;
        assert!(queue.list_dead_letters(10).await.unwrap().is_empty());
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_job_that_cannot_succeed_is_a_dead_letter_at_once() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        let run_id = RunId::new();
        let options = PushOptions {
            run_id: Some(run_id),
            ..PushOptions::once("once")
        };
        let pushed = queue.push(&Act::FailAtOnce, options).await.unwrap();
        assert_eq!(worker.next().await, Seen::Attempt(1));
        assert_eq!(worker.next().await, Seen::Died("never will".to_owned()));
        let letter = only_letter(&queue).await;
        assert_eq!(
            (letter.job_id, letter.run_id),
            (pushed.job_id, Some(run_id))
        );
        assert_eq!(
            (letter.name.as_str(), letter.version, letter.attempts),
            ("act", 2, 1)
        );
        assert_eq!(letter.payload, Some(serde_json::json!("fail_at_once")));
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_panicking_job_dies_after_its_attempts_and_can_be_retried_once() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        let job_id = queue
            .push(&Act::Panic, PushOptions::default())
            .await
            .unwrap()
            .job_id;
        for round in 1..=2 {
            for attempt in 1..=3 {
                assert_eq!(worker.next().await, Seen::Attempt(attempt), "round {round}");
            }
            assert_eq!(
                worker.next().await,
                Seen::Died("panicked: on purpose".to_owned())
            );
            let letter = only_letter(&queue).await;
            assert_eq!((letter.job_id, letter.attempts), (job_id, 3));
            if round == 1 {
                let both = [
                    queue.retry_dead_letter(job_id),
                    queue.retry_dead_letter(job_id),
                ];
                let succeeded = join_all(both)
                    .await
                    .iter()
                    .filter(|retried| retried.is_ok())
                    .count();
                assert_eq!(succeeded, 1, "of two people who retry one succeeds");
            }
        }
        worker.stop().await;
        let unknown = queue.retry_dead_letter(foretide_domain::JobId::new()).await;
        assert!(matches!(unknown, Err(QueueError::NoDeadLetter(_))));
    }
}

#[tokio::test]
async fn a_job_beyond_its_deadline_is_tried_again() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        queue
            .push(&Act::HangFirst(1), PushOptions::default())
            .await
            .unwrap();
        assert_eq!(worker.next().await, Seen::Attempt(1));
        assert_eq!(worker.next().await, Seen::Attempt(2));
        finished(&queue).await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_delayed_job_waits() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        let pushed_at = tokio::time::Instant::now();
        let later = PushOptions {
            delay: Duration::from_secs(2),
            ..PushOptions::default()
        };
        queue.push(&Act::Succeed, later).await.unwrap();
        assert_eq!(worker.next().await, Seen::Attempt(1));
        assert!(
            pushed_at.elapsed() > Duration::from_millis(900),
            "{:?}",
            pushed_at.elapsed()
        );
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_stopping_worker_finishes_what_runs_and_takes_nothing_new() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let options = WorkerOptions {
            concurrency: 1,
            ..quick()
        };
        let mut worker = start(&queue, options);
        // Runs for 200 ms and is then put back for a retry: an ending written while draining.
        queue
            .push(&Act::HangFirst(9), PushOptions::default())
            .await
            .unwrap();
        queue
            .push(&Act::Succeed, PushOptions::default())
            .await
            .unwrap();
        assert_eq!(worker.next().await, Seen::Attempt(1));
        worker.shutdown.cancel();
        worker.task.await.unwrap();
        assert!(worker.seen.try_recv().is_err(), "nothing new is taken");
        assert_eq!(queue.unfinished().await.unwrap(), 2);
        assert_eq!(
            status_counts(&test, &queue).await,
            (2, 0),
            "both wait, none is left running"
        );
    }
}

#[tokio::test]
async fn a_worker_that_cannot_drain_in_time_leaves_the_job_to_another() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let options = WorkerOptions {
            drain: Duration::from_millis(100),
            ..quick()
        };
        let mut first = start(&queue, options);
        queue
            .push(&Act::HangUntilKilled, PushOptions::default())
            .await
            .unwrap();
        assert_eq!(first.next().await, Seen::Attempt(1));
        first.stop().await;
        let mut second = start(
            &queue,
            WorkerOptions {
                drain: Duration::ZERO,
                ..quick()
            },
        );
        assert_eq!(second.next().await, Seen::Attempt(2));
        second.stop().await;
    }
}

#[tokio::test]
async fn jobs_of_another_version_or_kind_die_with_a_clear_reason() {
    for test in TestDatabase::every_engine().await {
        let (database, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        let envelope = |name: &str, version: u32| {
            serde_json::json!({
                "envelope": 1, "job_id": foretide_domain::JobId::new(), "name": name,
                "version": version, "payload": "succeed",
            })
        };
        for (stored, expected) in [
            (envelope("act", 99), "version 99 is unknown"),
            (
                envelope("dance", 1),
                "nobody here handles jobs named \"dance\"",
            ),
            (
                serde_json::json!({"envelope": 7}),
                "envelope version 7 is unknown",
            ),
        ] {
            store_raw(&database, test.engine, stored.to_string().as_bytes()).await;
            let letter = only_letter(&queue).await;
            assert!(letter.reason.contains(expected), "{letter:?}");
            dismiss(&database).await;
        }
        assert!(matches!(worker.next().await, Seen::Died(reason) if reason.contains("99")));
        worker.stop().await;
    }
}

#[tokio::test]
async fn corrupt_payloads_die_without_stopping_the_worker() {
    for test in TestDatabase::every_engine().await {
        let (database, queue) = open(&test.config).await;
        let mut worker = start(&queue, quick());
        let wrong_type = serde_json::json!({
            "envelope": 1, "job_id": foretide_domain::JobId::new(), "name": "act", "version": 2,
            "payload": {"fail_first": "many"},
        })
        .to_string();
        let oversized = vec![b'['; 1 << 20];
        let hostile: [&[u8]; 4] = [
            b"\xff\xfe\x00garbage",
            b"",
            &oversized,
            wrong_type.as_bytes(),
        ];
        for bytes in hostile {
            store_raw(&database, test.engine, bytes).await;
            let letter = only_letter(&queue).await;
            assert!(!letter.reason.is_empty());
            dismiss(&database).await;
        }
        queue
            .push(&Act::Succeed, PushOptions::default())
            .await
            .unwrap();
        until("the good job was tried", async || {
            queue.unfinished().await.unwrap() == 0
        })
        .await;
        while worker.next().await != Seen::Attempt(1) {}
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_job_whose_process_is_killed_is_picked_up_by_another() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        queue
            .push(&Act::HangUntilKilled, PushOptions::default())
            .await
            .unwrap();
        let mut child = spawn_child(&test.config);
        until("the child runs the job", async || {
            status_counts(&test, &queue).await == (0, 1)
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();

        let mut worker = start(
            &queue,
            WorkerOptions {
                drain: Duration::ZERO,
                ..quick()
            },
        );
        assert_eq!(worker.next().await, Seen::Attempt(2));
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_job_that_kills_its_process_becomes_a_dead_letter() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        queue
            .push(&Act::Abort, PushOptions::default())
            .await
            .unwrap();
        for _ in 0..Act::MAX_ATTEMPTS {
            let mut child = spawn_child(&test.config);
            assert!(
                !child.wait().unwrap().success(),
                "the job kills its process"
            );
        }
        let mut worker = start(&queue, quick());
        let reason = "the process died in the last of 3 attempts".to_owned();
        assert_eq!(
            worker.next().await,
            Seen::Died(reason),
            "this process does not even try"
        );
        assert_eq!(only_letter(&queue).await.attempts, 3);
        worker.stop().await;
    }
}

#[tokio::test]
async fn each_of_many_jobs_is_done_once_by_two_workers() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let (_, replica) = open(&test.config).await;
        for _ in 0..40 {
            queue
                .push(&Act::Succeed, PushOptions::default())
                .await
                .unwrap();
        }
        let mut workers = [start(&queue, quick()), start(&replica, quick())];
        finished(&queue).await;
        let done = AtomicU32::new(0);
        for worker in &mut workers {
            while let Ok(seen) = worker.seen.try_recv() {
                assert_eq!(seen, Seen::Attempt(1));
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_eq!(done.into_inner(), 40);
        for worker in workers {
            worker.stop().await;
        }
    }
}

const CHILD: &str = "FORETIDE_JOBS_CHILD_DATABASE";

/// Not a test of its own: the process that the tests above kill.
#[tokio::test]
async fn child_process() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let (_, queue) = open(&DatabaseConfig::new(url)).await;
    start(&queue, quick()).task.await.unwrap();
}

fn spawn_child(config: &DatabaseConfig) -> Child {
    let url = secrecy::ExposeSecret::expose_secret(&config.url);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(CHILD, url)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

fn jobs_table(engine: Engine) -> (&'static str, DbBackend) {
    match engine {
        Engine::Sqlite => ("Jobs", DbBackend::Sqlite),
        Engine::Postgres => ("apalis.jobs", DbBackend::Postgres),
    }
}

/// How many jobs wait and how many run.
async fn status_counts(test: &TestDatabase, _queue: &Queue) -> (i64, i64) {
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
async fn store_raw(database: &Database, engine: Engine, bytes: &[u8]) {
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

async fn dismiss(database: &Database) {
    database
        .connection()
        .execute_unprepared("DELETE FROM dead_letter")
        .await
        .unwrap();
}
