//! Runs that do not go well.

use foretide_api::ingestion::v1::TableSummary;
use foretide_api::orchestration::v1::RunState;
use tonic::Code;

use crate::fakes::{Answer, Fakes};
use crate::story::{Orchestrator, by_hand, states, step};

#[tokio::test]
async fn a_flaky_service_is_asked_again_and_use_cases_that_are_done_are_not() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    fakes.answer(
        "ingest",
        [
            Answer::Refuse(Code::Unavailable, "starting"),
            Answer::CutOff,
        ],
    );
    let run = orchestrator.start_run("refresh").await;
    let ended = orchestrator.ended(&run.run_id).await;
    assert_eq!(ended.state(), RunState::Succeeded);
    assert_eq!(step(&ended, "ingest").attempts, 3);
    assert_eq!(
        step(&ended, "ingest").error,
        "",
        "what was made up for is not shown as an error"
    );
    let expected = [
        "ingest",
        "ingest",
        "ingest",
        "features attack_volume",
        "features risk_period",
    ];
    assert_eq!(fakes.walked(), expected);

    // The second use case of a step fails: only that one is asked for again.
    let before = fakes.walked().len();
    fakes.champion_since(crate::story::at(crate::story::NOW));
    fakes.answer("audit", []);
    let run = orchestrator.start_run("evaluate").await;
    orchestrator.ended(&run.run_id).await;
    fakes.answer("score", [Answer::Refuse(Code::DeadlineExceeded, "slow")]);
    let run = orchestrator.start_run("forecast").await;
    assert_eq!(
        orchestrator.ended(&run.run_id).await.state(),
        RunState::Succeeded
    );
    let scored: Vec<_> = fakes
        .walked()
        .split_off(before)
        .into_iter()
        .filter(|asked| asked.starts_with("score"))
        .collect();
    assert_eq!(
        scored,
        [
            "score attack_volume",
            "score attack_volume",
            "score risk_period"
        ]
    );
}

#[tokio::test]
async fn a_run_that_could_not_read_a_table_is_incomplete_and_says_why() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    fakes.ingests(vec![
        TableSummary {
            table: "SecurityIncident".to_owned(),
            objects_read: 1,
            rows_read: 40,
            ..TableSummary::default()
        },
        TableSummary {
            table: "SecurityAlert".to_owned(),
            error: "the lake failed: a page is damaged".to_owned(),
            ..TableSummary::default()
        },
    ]);
    let run = orchestrator.start_run("forecast").await;
    let ended = orchestrator.ended(&run.run_id).await;
    assert_eq!(ended.state(), RunState::Incomplete);
    let ingest = step(&ended, "ingest");
    assert_eq!(ingest.state(), RunState::Succeeded);
    assert_eq!(ingest.report, ["read: 40 rows of 1 object, 40 of them new"]);
    assert_eq!(
        ingest.shortfalls,
        ["not read: SecurityAlert: the lake failed: a page is damaged"]
    );
    assert!(ended.finished_at.is_some());

    fakes.ingests(Vec::new());
    let next = orchestrator.start_run("refresh").await;
    let next = orchestrator.ended(&next.run_id).await;
    assert_eq!(next.state(), RunState::Succeeded);
}

#[tokio::test]
async fn a_refusal_ends_the_run_with_the_services_words_and_can_be_taken_up_again() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let words = "nothing of measure incidents is known: ingest has read no row that it counts";
    fakes.answer(
        "features",
        [Answer::Refuse(Code::FailedPrecondition, words)],
    );
    let run = orchestrator.start_run("forecast").await;
    let ended = orchestrator.ended(&run.run_id).await;

    assert_eq!(ended.state(), RunState::Failed);
    assert_eq!(
        step(&ended, "features").error,
        format!("failed precondition: {words}")
    );
    let expected = [
        ("ingest", RunState::Succeeded),
        ("features", RunState::Failed),
        ("train", RunState::Queued),
        ("score", RunState::Queued),
        ("audit", RunState::Queued),
        ("act", RunState::Queued),
    ];
    assert_eq!(
        states(&ended),
        expected.map(|(step, state)| (step.to_owned(), state))
    );
    assert_eq!(fakes.walked(), ["ingest", "features attack_volume"]);

    let letter = orchestrator.dead_letter().await;
    assert_eq!(
        (letter.job.as_str(), letter.step.as_str()),
        ("run_step", "features")
    );
    assert_eq!(
        (letter.run_id.as_str(), letter.attempts),
        (run.run_id.as_str(), 1)
    );
    assert!(letter.error.contains(words) && letter.died_at.is_some());

    let reopened = orchestrator.retry(&letter.job_id).await;
    assert_eq!(reopened.state(), RunState::Running);
    let ended = orchestrator.ended(&run.run_id).await;
    assert_eq!(ended.state(), RunState::Succeeded);
    assert_eq!(step(&ended, "features").error, "");
    assert_eq!(
        fakes
            .walked()
            .iter()
            .filter(|asked| *asked == "ingest")
            .count(),
        1
    );
    assert!(orchestrator.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_service_that_never_recovers_fails_the_run_after_all_attempts() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let down = std::iter::repeat_n(Answer::Refuse(Code::Unavailable, "down"), 8);
    fakes.answer("audit", down);
    let run = orchestrator.start_run("evaluate").await;
    let ended = orchestrator.ended(&run.run_id).await;
    assert_eq!(ended.state(), RunState::Failed);
    assert_eq!(step(&ended, "audit").error, "unavailable: down");
    assert_eq!(step(&ended, "audit").attempts, 8);
    assert_eq!(fakes.walked().len(), 8);
    assert_eq!(orchestrator.dead_letter().await.attempts, 8);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_waited_for() {
    let fakes = Fakes::start().await;
    let context = foretide_service_runtime::testing::TestContext::new(
        "orchestrator",
        crate::story::at(crate::story::NOW),
        &[],
    );
    let orchestrator = Orchestrator::start_in(context, by_hand()).await;
    let run = orchestrator.start_run("evaluate").await;
    crate::story::until("the first attempt was made", async || {
        step(&orchestrator.run(&run.run_id).await, "audit")
            .error
            .starts_with("unavailable")
    })
    .await;
    // The next process finds the services.
    orchestrator.context.ctx.shutdown.cancel();
    let next = Orchestrator::start_beside(&orchestrator.context, &fakes, by_hand()).await;
    orchestrator.server.stop().await;
    assert_eq!(next.ended(&run.run_id).await.state(), RunState::Succeeded);
}
