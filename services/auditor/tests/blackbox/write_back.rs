//! `AI_Governance_CL`.

use std::time::Duration;

use chrono::TimeDelta;
use foretide_auditor::config::{Config, WriteBackConfig};
use foretide_domain::RunningClock;
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultAction};
use foretide_entra::IdentityConfig;
use foretide_logs_ingestion::RuleConfig;
use foretide_outbox::Backoff;
use foretide_write_back::SinkKind;

use crate::soc::{Soc, TOTAL, monday};

const TABLE: &str = "AI_Governance_CL";
const ENDPOINT: &str = "/dataCollectionRules/";

async fn with_write_back() -> (EmulatorHandle, Soc) {
    let emulator = Emulator::start(
        EmulatorConfig::default(),
        RunningClock::starting_at(monday()).shared(),
    )
    .await
    .unwrap();
    let address: url::Url = emulator.base_url().parse().unwrap();
    let rule = RuleConfig {
        endpoint: address.clone(),
        dcr_immutable_id: EmulatorConfig::RULE_ID.to_owned(),
        audience: "https://monitor.azure.com".to_owned(),
    };
    let identity =
        IdentityConfig::client_secret(EmulatorConfig::TENANT, "auditor", "any".into()).at(address);
    let config = Config {
        write_back: Some(WriteBackConfig {
            sink: SinkKind::LogsIngestion,
            rule: Some(rule),
            stream: "Custom-AI_Governance_CL".to_owned(),
            identity: Some(identity),
            data_collector: None,
            read_back: None,
        }),
        outbox: Backoff {
            first_wait_ms: 1,
            longest_wait_ms: 1,
        },
        ..Config::default()
    };
    let soc = Soc::start_with(config).await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(40));
    for day in 0..3 {
        let start = monday() + TimeDelta::days(day);
        soc.world.forecast(
            "attack_volume",
            start,
            &[TOTAL],
            [8.0, 9.0, 11.0, 12.0, 13.0],
        );
    }
    soc.world.settle(monday() + TimeDelta::days(4));
    (emulator, soc)
}

#[tokio::test]
async fn one_row_an_evaluation_is_delivered() {
    let (emulator, soc) = with_write_back().await;
    let as_of = monday() + TimeDelta::days(4);
    soc.context.clock.advance_to(as_of);
    let summary = soc.evaluate(as_of).await;
    assert_eq!((summary.rows_delivered, summary.rows_pending), (3, 0));
    let rows = emulator.rows(TABLE);
    assert_eq!(rows.len(), 3);
    let evaluation = &summary.evaluations[0];
    let row = rows
        .iter()
        .find(|row| row["EvaluationId"] == evaluation.evaluation_id)
        .unwrap();
    assert_eq!(row["IdempotencyKey"], evaluation.evaluation_id);
    assert_eq!(row["RunId"], evaluation.run_id);
    assert_eq!(row["SeriesId"], TOTAL);
    assert_eq!(row["Phase"], "shadow");
    assert_eq!(row["ModelVersion"], "3");
    assert_eq!(row["IssuedAt"], "2026-01-09T06:00:00.0000000Z");
    for column in [
        "UseCase",
        "Mae",
        "Pinball",
        "NaivePinball",
        "Coverage80",
        "Coverage95",
        "ModelName",
    ] {
        assert!(
            row.get(column).is_some_and(|value| !value.is_null()),
            "{column} in {row}"
        );
    }
    let again = soc.evaluate(as_of).await;
    assert_eq!((again.rows_delivered, again.rows_pending), (0, 0));
    assert_eq!(emulator.rows(TABLE).len(), 3);
}

#[tokio::test]
async fn rows_that_are_not_taken_wait_for_the_next_time() {
    let (emulator, soc) = with_write_back().await;
    let as_of = monday() + TimeDelta::days(4);
    soc.context.clock.advance_to(as_of);
    emulator.add_fault(Fault::at(ENDPOINT, u32::MAX, FaultAction::status(403)));
    let summary = soc.evaluate(as_of).await;
    assert_eq!((summary.rows_delivered, summary.rows_pending), (0, 3));
    assert!(emulator.rows(TABLE).is_empty());

    emulator.reset();
    let next = soc.evaluate(as_of).await;
    assert_eq!(next.rows_pending, 0, "they belong to the run before");
    let arrive = async {
        while emulator.rows(TABLE).len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(20), arrive).await;
    arrived.expect("the rows arrive in the background");
    assert_eq!(emulator.rows(TABLE).len(), 3);
}

#[tokio::test]
async fn rows_that_are_refused_for_good_are_not_sent_again() {
    let (emulator, soc) = with_write_back().await;
    let as_of = monday() + TimeDelta::days(4);
    soc.context.clock.advance_to(as_of);
    emulator.add_fault(Fault::at(ENDPOINT, u32::MAX, FaultAction::status(400)));
    let summary = soc.evaluate(as_of).await;
    assert_eq!((summary.rows_delivered, summary.rows_pending), (0, 0));
    let sent = emulator.requests(ENDPOINT).len();
    soc.context.clock.advance_to(as_of + TimeDelta::hours(1));
    soc.evaluate(as_of).await;
    assert_eq!(emulator.requests(ENDPOINT).len(), sent);
    assert!(sent > 0 && emulator.rows(TABLE).is_empty());
}
