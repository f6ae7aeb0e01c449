//! Runs that start by themselves.

use foretide_api::orchestration::v1::{GetCalendarRequest, RunState};
use foretide_orchestrator::config::{CalendarConfig, Config};

use crate::fakes::Fakes;
use crate::story::{Orchestrator, at, by_hand, until};

fn by_the_clock() -> Config {
    Config {
        calendar: CalendarConfig::default(),
        ..by_hand()
    }
}

#[tokio::test]
async fn two_replicas_start_one_run_a_tick() {
    let fakes = Fakes::start().await;
    let first = Orchestrator::start(&fakes, by_the_clock()).await;
    let second = Orchestrator::start_beside(&first.context, &fakes, by_the_clock()).await;
    // Both come up at 05:59:30 and make up for the refresh of 05:10.
    until("the missed refresh is made up for", async || {
        first.runs().await.len() == 1
    })
    .await;
    for replica in [&first, &second] {
        replica.context.clock.advance_to(at("2026-11-20T06:00:00Z"));
    }
    until("the forecast has started", async || {
        first.runs().await.len() == 2
    })
    .await;
    for replica in [&first, &second] {
        replica.context.clock.advance_to(at("2026-11-20T09:30:00Z"));
    }
    // Of the refreshes of 06:10 to 09:10 the newest counts; the evaluation was due at 07:00.
    until("the clock's leap is made up for", async || {
        first.runs().await.len() == 4
    })
    .await;
    let mut kinds = vec![];
    for run in first.runs().await {
        assert_eq!(first.ended(&run.run_id).await.state(), RunState::Succeeded);
        assert_eq!(run.started_by, "calendar");
        kinds.push(run.kind);
    }
    kinds.sort();
    assert_eq!(kinds, ["evaluate", "forecast", "refresh", "refresh"]);
    first.server.stop().await;
    second.server.stop().await;
}

#[tokio::test]
async fn the_calendar_says_what_comes_next() {
    let fakes = Fakes::start().await;
    let mut config = by_the_clock();
    config
        .calendar
        .schedules
        .insert("refresh".to_owned(), "0 */20 * * * *".to_owned());
    let orchestrator = Orchestrator::start(&fakes, config).await;
    let answer = orchestrator
        .client
        .clone()
        .get_calendar(GetCalendarRequest {})
        .await
        .unwrap();
    let shown: Vec<_> = answer
        .into_inner()
        .entries
        .into_iter()
        .map(|entry| {
            (
                entry.kind,
                entry.schedule,
                entry.next.unwrap().to_moment().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("refresh", "0 */20 * * * *", "2026-11-20T06:00:00Z"),
        ("forecast", "0 0 6 * * *", "2026-11-20T06:00:00Z"),
        ("train", "0 0 3 * * SUN", "2026-11-22T03:00:00Z"),
        ("evaluate", "0 0 7 * * *", "2026-11-20T07:00:00Z"),
    ];
    let expected =
        expected.map(|(kind, schedule, next)| (kind.to_owned(), schedule.to_owned(), at(next)));
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_disabled_calendar_starts_nothing() {
    let fakes = Fakes::start().await;
    let orchestrator = Orchestrator::start(&fakes, by_hand()).await;
    orchestrator
        .context
        .clock
        .advance_to(at("2026-11-23T12:00:00Z"));
    let run = orchestrator.start_run("refresh").await;
    orchestrator.ended(&run.run_id).await;
    assert_eq!(orchestrator.runs().await.len(), 1);
    let answer = orchestrator
        .client
        .clone()
        .get_calendar(GetCalendarRequest {})
        .await
        .unwrap();
    assert!(answer.into_inner().entries.is_empty());
}
