//! Faults beside plain answers: throttling, late rows, duplicates, lost races.

use chrono::Duration;
use foretide_domain::Clock;
use foretide_emulator::{Fault, FaultAction};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::World;

const MONITOR: &str = "https://monitor.azure.com";
const UPLOADS: &str = "/dataCollectionRules/";
const TABLE: &str = "PredictiveAlerting_CL";

#[tokio::test]
async fn throttling_names_the_wait_and_has_no_effect() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    world
        .emulator
        .add_fault(Fault::at(UPLOADS, 1, FaultAction::throttle(7)));
    let refused = world.upload(&token, &json!([{ "a": 1 }])).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "7");
    assert!(world.emulator.rows(TABLE).is_empty());
    assert_eq!(
        world.upload(&token, &json!([{ "a": 1 }])).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn some_requests_may_pass_before_a_fault() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    world.emulator.add_fault(Fault {
        skip: 2,
        ..Fault::at(UPLOADS, 1, FaultAction::status(503))
    });
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(
            world
                .upload(&token, &json!([{ "a": 1 }]))
                .await
                .status()
                .as_u16(),
        );
    }
    assert_eq!(seen, [204, 204, 503, 204]);
}

#[tokio::test]
async fn late_rows_show_later_than_others() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    world
        .emulator
        .add_fault(Fault::at(UPLOADS, 1, FaultAction::late_rows_ms(3_600_000)));
    world.upload(&token, &json!([{ "n": "late" }])).await;
    world.upload(&token, &json!([{ "n": "usual" }])).await;
    let shown = || -> Vec<Value> {
        let rows = world.emulator.rows(TABLE);
        rows.iter().map(|row| row["n"].clone()).collect()
    };
    assert_eq!(shown(), ["usual"]);
    world
        .clock
        .advance_to(world.clock.now() + Duration::hours(1));
    assert_eq!(shown(), ["late", "usual"]);
}

#[tokio::test]
async fn rows_can_be_stored_more_than_once() {
    let world = World::new().await;
    let token = world.token_for(MONITOR).await;
    world
        .emulator
        .add_fault(Fault::at(UPLOADS, 1, FaultAction::duplicate_rows(2)));
    world.upload(&token, &json!([{ "n": 1 }, { "n": 2 }])).await;
    assert_eq!(world.emulator.rows(TABLE).len(), 6);
}

#[tokio::test]
async fn a_lost_race_is_a_conflict_in_azures_words() {
    let world = World::new().await;
    let path = "/subscriptions/s/resourceGroups/g/providers/x/incidents/the-incident";
    world.emulator.add_fault(Fault::at(
        "/subscriptions/",
        1,
        FaultAction::etag_conflict(),
    ));
    let answer = world
        .http
        .put(format!("{}{path}", world.emulator.base_url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        body["error"]["message"],
        "Newer version of resource 'the-incident' exists. Data was not saved"
    );
}

#[tokio::test]
async fn faults_are_written_as_json() {
    let world = World::new().await;
    for action in [
        json!({ "throttle_seconds": 5 }),
        json!({ "partial_rows": 3 }),
        json!({ "late_rows_ms": 1000 }),
        json!({ "duplicate_rows": 1 }),
        json!({ "etag_conflict": true }),
    ] {
        let fault = json!({ "skip": 1, "times": 2, "action": action });
        let added = world
            .post("/_emulator/faults")
            .json(&fault)
            .send()
            .await
            .expect("an answer");
        assert_eq!(added.status(), StatusCode::CREATED, "{fault}");
    }
    let listed: Value = world
        .get("/_emulator/faults")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(listed[1]["action"], json!({ "partial_rows": 3 }));
    for action in [
        json!({ "throttle_seconds": -5 }),
        json!({ "duplicate_rows": 0 }),
        json!({ "duplicate_rows": 999 }),
        json!({ "etag_conflict": false }),
        json!({ "late_rows_ms": "soon" }),
    ] {
        let fault = json!({ "action": action });
        let added = world
            .post("/_emulator/faults")
            .json(&fault)
            .send()
            .await
            .expect("an answer");
        assert_eq!(added.status(), StatusCode::BAD_REQUEST, "{fault}");
    }
}
