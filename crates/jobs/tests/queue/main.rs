//! What the queue promises, told on every engine that is at hand.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod actor;
mod crashes;

use std::collections::HashSet;
use std::time::Duration;

use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_domain::RunId;
use foretide_jobs::{PushOptions, Queue, QueueError, WorkerOptions};
use futures::future::join_all;

use crate::actor::{
    Act, Seen, clock, dismiss, finished, only_letter, open, quick, start, status_counts, store_raw,
    until,
};

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
                // Nobody may work it off before the second has asked.
                worker.stop().await;
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
                worker = start(&queue, quick());
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
async fn services_that_share_a_database_leave_each_other_their_jobs() {
    for test in TestDatabase::every_engine().await {
        let (_, queue) = open(&test.config).await;
        let of_another = Database::connect(&test.config, "ingestion").await.unwrap();
        let other = Queue::open(&of_another, clock()).await.unwrap();
        queue
            .push(&Act::Succeed, PushOptions::default())
            .await
            .unwrap();
        assert_eq!(other.unfinished().await.unwrap(), 0);

        let mut elsewhere = start(&other, quick());
        other
            .push(&Act::Succeed, PushOptions::default())
            .await
            .unwrap();
        assert_eq!(elsewhere.next().await, Seen::Attempt(1));
        finished(&other).await;
        assert_eq!(queue.unfinished().await.unwrap(), 1, "it still waits");
        let mut worker = start(&queue, quick());
        assert_eq!(worker.next().await, Seen::Attempt(1));
        worker.stop().await;
        elsewhere.stop().await;
    }
}
