//! Processes come and go, runs go on.

use foretide_api::orchestration::v1::RunState;
use foretide_db::Database;
use foretide_domain::RunId;
use sea_orm::ConnectionTrait;

use crate::fakes::{Answer, Fakes};
use crate::story::{Orchestrator, by_hand, step, until};

#[tokio::test]
async fn a_run_goes_on_in_the_next_process_at_the_step_where_it_was() {
    let fakes = Fakes::start().await;
    let first = Orchestrator::start(&fakes, by_hand()).await;
    fakes.answer("score", [Answer::Hang]);
    let run = first.start_run("forecast").await;
    until("scoring hangs", async || {
        fakes
            .walked()
            .iter()
            .any(|asked| asked.starts_with("score"))
    })
    .await;
    until("the step tells its progress", async || {
        step(&first.run(&run.run_id).await, "score")
            .progress
            .is_some()
    })
    .await;

    // With no time to drain, the job is left as if the process had been killed.
    let context = Orchestrator::start_beside(&first.context, &fakes, by_hand());
    first.context.ctx.shutdown.cancel();
    let second = context.await;
    first.server.stop().await;
    let ended = second.ended(&run.run_id).await;
    assert_eq!(ended.state(), RunState::Succeeded);
    assert_eq!(step(&ended, "score").attempts, 2);
    let walked = fakes.walked();
    let times = |step: &str| {
        walked
            .iter()
            .filter(|asked| asked.starts_with(step))
            .count()
    };
    assert_eq!(
        (
            times("ingest"),
            times("train"),
            times("score"),
            times("act")
        ),
        (1, 1, 3, 1)
    );
}

#[tokio::test]
async fn a_run_whose_job_was_never_pushed_is_found() {
    let fakes = Fakes::start().await;
    let first = Orchestrator::start(&fakes, by_hand()).await;
    let run_id = store_run_without_job(&first).await;
    let second = Orchestrator::start_beside(&first.context, &fakes, by_hand()).await;
    assert_eq!(second.ended(&run_id).await.state(), RunState::Succeeded);
    assert_eq!(fakes.walked(), ["audit attack_volume", "audit risk_period"]);
}

/// What a process leaves that dies right after storing a run.
async fn store_run_without_job(orchestrator: &Orchestrator) -> String {
    let database = Database::connect(&orchestrator.context.ctx.database, "orchestrator")
        .await
        .unwrap();
    let id = RunId::new();
    let bytes = id.as_uuid().simple().to_string();
    let now = "2026-11-20T05:00:00+00:00";
    let run = format!(
        "INSERT INTO run (id, kind, use_case, as_of, state, started_by, force_training, queued_at) \
         VALUES (x'{bytes}', 'evaluate', '', '{now}', 'queued', 'test', 0, '{now}')"
    );
    let step = format!(
        "INSERT INTO run_step (run_id, position, step, state, attempts, error) \
         VALUES (x'{bytes}', 0, 'audit', 'queued', 0, '')"
    );
    for sql in [run, step] {
        database
            .connection()
            .execute_unprepared(&sql)
            .await
            .unwrap();
    }
    id.to_string()
}
