//! Processes that die, and jobs that many processes want.

use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use foretide_db::DatabaseConfig;
use foretide_db::testing::TestDatabase;
use foretide_jobs::{Job, PushOptions, WorkerOptions};

use crate::actor::{Act, Seen, finished, only_letter, open, quick, start, status_counts, until};

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
        .args(["--exact", "crashes::child_process", "--nocapture"])
        .env(CHILD, url)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}
