//! Runs that go well.

use foretide_api::orchestration::v1::{RunState, StartRunRequest};
use foretide_api::timestamp;
use serde_json::Value;

use crate::fakes::Fakes;
use crate::story::{NOW, Orchestrator, at, by_hand, states, step};

const WHOLE_WAY: [&str; 9] = [
    "ingest",
    "features attack_volume",
    "features risk_period",
    "train attack_volume",
    "score attack_volume",
    "score risk_period",
    "audit attack_volume",
    "audit risk_period",
    "act risk_period",
];

#[tokio::test]
async fn a_forecast_walks_the_six_steps_in_order_for_every_use_case() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    let run = orchestrator.start_run("forecast").await;
    assert_eq!(run.state(), RunState::Queued);

    let shown = orchestrator.watch(&run.run_id).await;
    let ended = shown.last().unwrap();
    assert_eq!(ended.state(), RunState::Succeeded);
    assert!(
        states(ended)
            .iter()
            .all(|(_, state)| *state == RunState::Succeeded)
    );
    assert_eq!(fakes.walked(), WHOLE_WAY);
    assert!(fakes.asked().iter().all(|asked| asked.run_id == run.run_id));
    assert!(
        fakes
            .asked()
            .iter()
            .all(|asked| asked.as_of == timestamp(at(NOW)))
    );

    let summary: Value = serde_json::from_str(&step(ended, "features").summary_json).unwrap();
    assert_eq!(summary["risk_period"]["rows"], 24);
    let trained: Value = serde_json::from_str(&step(ended, "train").summary_json).unwrap();
    assert_eq!(
        trained["risk_period"]["skipped"],
        "it watches the forecast of attack_volume"
    );
    let acted: Value = serde_json::from_str(&step(ended, "act").summary_json).unwrap();
    assert_eq!(
        acted["attack_volume"]["skipped"],
        "the use case declares no actions"
    );
    assert!(
        ended
            .steps
            .iter()
            .all(|step| step.attempts == 1 && step.started_at.is_some())
    );
    assert_eq!(
        step(ended, "score").progress.as_ref().unwrap().stage,
        "risk_period: working"
    );
    assert!(ended.finished_at.is_some() && ended.started_by == "olga");

    // What was shown on the way only ever moved forward.
    let finished = |run: &foretide_api::orchestration::v1::Run| {
        run.steps
            .iter()
            .filter(|step| step.state() == RunState::Succeeded)
            .count()
    };
    assert!(shown.is_sorted_by_key(finished));
    assert_eq!(
        orchestrator.watch(&run.run_id).await.len(),
        1,
        "a run that has ended is shown once"
    );
}

#[tokio::test]
async fn each_kind_walks_its_own_part() {
    let fakes = Fakes::start().await;
    fakes.champion_since(at(NOW));
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    for (kind, expected) in [
        (
            "refresh",
            vec!["ingest", "features attack_volume", "features risk_period"],
        ),
        // A run of kind train trains even when the champion is fresh.
        (
            "train",
            vec![
                "ingest",
                "features attack_volume",
                "features risk_period",
                "train attack_volume",
            ],
        ),
        ("evaluate", vec!["audit risk_period"]),
    ] {
        let before = fakes.walked().len();
        let request = StartRunRequest {
            kind: kind.to_owned(),
            use_case: "risk_period".to_owned(),
            ..Default::default()
        };
        let run = orchestrator.start_run_with(request).await;
        assert_eq!(
            orchestrator.ended(&run.run_id).await.state(),
            RunState::Succeeded
        );
        assert_eq!(fakes.walked()[before..], expected, "{kind}");
    }
}

#[tokio::test]
async fn a_forecast_trains_only_when_it_is_due_or_forced() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    for (trained_at, force_training, trains) in [
        ("2026-11-13T05:59:30Z", false, false),
        ("2026-11-13T05:59:29Z", false, true),
        ("2026-11-20T05:00:00Z", true, true),
    ] {
        fakes.champion_since(at(trained_at));
        let before = fakes.walked().len();
        let request = StartRunRequest {
            kind: "forecast".to_owned(),
            use_case: "attack_volume".to_owned(),
            force_training,
            ..Default::default()
        };
        let run = orchestrator.start_run_with(request).await;
        let ended = orchestrator.ended(&run.run_id).await;
        assert_eq!(ended.state(), RunState::Succeeded);
        let trained = fakes.walked()[before..]
            .iter()
            .any(|step| step.starts_with("train"));
        assert_eq!(trained, trains, "{trained_at}");
        let says_why = step(&ended, "train")
            .summary_json
            .contains("champion version 3 is 7 days old");
        assert_eq!(says_why, !trains);
    }
}

#[tokio::test]
async fn the_same_key_starts_one_run() {
    let fakes = Fakes::start().await;
    let first = Orchestrator::start(&fakes, by_hand()).await;
    let second = Orchestrator::start_beside(&first.context, &fakes, by_hand()).await;
    let request = StartRunRequest {
        kind: "evaluate".to_owned(),
        dedup_key: "nightly 2026-11-20".to_owned(),
        as_of: timestamp(at("2026-11-19T00:00:00Z")),
        started_by: "demo".to_owned(),
        ..Default::default()
    };
    let starts = (0..8).map(|i| {
        let replica = if i % 2 == 0 { &first } else { &second };
        replica.start_run_with(request.clone())
    });
    let runs = futures::future::join_all(starts).await;
    assert!(runs.iter().all(|run| run.run_id == runs[0].run_id));
    let ended = first.ended(&runs[0].run_id).await;
    assert_eq!(
        (ended.as_of, ended.started_by.as_str()),
        (request.as_of, "demo (olga)")
    );
    assert_eq!(
        first.start_run_with(request).await.run_id,
        ended.run_id,
        "also after its end"
    );
    assert_eq!(fakes.walked(), ["audit attack_volume", "audit risk_period"]);
    assert_eq!(second.runs().await.len(), 1);
}
