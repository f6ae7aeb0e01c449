use std::sync::Arc;
use std::time::{Duration, Instant};

use foretide_emulator::{
    ConfigError, Emulator, EmulatorConfig, Fault, FaultAction, RecordedRequest, RuleConfig,
    StartError,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{World, card, clock};

async fn add_fault(world: &World, fault: &Value) -> StatusCode {
    world
        .post("/_emulator/faults")
        .json(fault)
        .send()
        .await
        .expect("an answer")
        .status()
}

#[tokio::test]
async fn a_fault_befalls_as_many_requests_as_it_says() {
    let world = World::new().await;
    let fault = json!({
        "match": { "method": "POST", "path_prefix": "/workflows/" },
        "times": 2,
        "action": { "status": 429, "body": { "error": "slow down" }, "headers": { "Retry-After": "7" } },
    });
    assert_eq!(add_fault(&world, &fault).await, StatusCode::CREATED);
    assert_eq!(
        world
            .get("/nowhere")
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::NOT_FOUND
    );
    for _ in 0..2 {
        let answer = world
            .http
            .post(world.emulator.teams_webhook_url())
            .json(&card())
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(
            answer.json::<Value>().await.expect("JSON"),
            json!({ "error": "slow down" })
        );
    }
    let answer = world
        .http
        .post(world.emulator.teams_webhook_url())
        .json(&card())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_lost_answer_is_lost_but_its_effect_is_there() {
    let world = World::new().await;
    let token = world.token_for("https://monitor.azure.com").await;
    world.emulator.add_fault(Fault::at(
        "/dataCollectionRules/",
        1,
        FaultAction::drop_response(),
    ));
    let path = crate::fixture::upload_path("Custom-PredictiveAlerting_CL");
    let lost = world
        .post(&path)
        .bearer_auth(&token)
        .json(&json!([{ "a": 1 }]))
        .send()
        .await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(world.emulator.rows("PredictiveAlerting_CL").len(), 1);
    assert_eq!(
        world.upload(&token, &json!([{ "a": 2 }])).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_delay_delays() {
    let world = World::new().await;
    world
        .emulator
        .add_fault(Fault::at("/workflows/", 1, FaultAction::delay_ms(150)));
    let began = Instant::now();
    let answer = world
        .http
        .post(world.emulator.teams_webhook_url())
        .json(&card())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn faults_that_cannot_be_are_refused() {
    let world = World::new().await;
    let refused = [
        json!([]),
        json!({ "action": {} }),
        json!({ "action": { "status": 99 } }),
        json!({ "times": 0, "action": { "status": 500 } }),
        json!({ "action": { "delay_ms": 999_999_999 } }),
        json!({ "action": { "drop_response": false } }),
        json!({ "match": { "host": "x" }, "action": { "status": 500 } }),
    ];
    for fault in refused {
        assert_eq!(
            add_fault(&world, &fault).await,
            StatusCode::BAD_REQUEST,
            "{fault}"
        );
    }
    assert_eq!(
        add_fault(&world, &json!({ "action": { "status": 500 } })).await,
        StatusCode::CREATED
    );
    let cleared = world
        .http
        .delete(format!("{}/_emulator/faults", world.emulator.base_url()));
    assert_eq!(
        cleared.send().await.expect("an answer").status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        world
            .get("/nowhere")
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn requests_can_be_listed_and_forgotten() {
    let world = World::new().await;
    world.token_for("https://monitor.azure.com").await;
    world
        .http
        .post(world.emulator.teams_webhook_url())
        .json(&card())
        .send()
        .await
        .expect("an answer");
    let list = |path: &'static str| {
        let request = world.get(path);
        async move {
            request
                .send()
                .await
                .expect("an answer")
                .json::<Vec<RecordedRequest>>()
                .await
                .expect("a list")
        }
    };
    assert_eq!(list("/_emulator/requests").await.len(), 2);
    let token_request = &list("/_emulator/requests?path_prefix=/0000").await[0];
    assert_eq!(token_request.body["client_secret"], "(secret)");
    assert_eq!(token_request.body["client_id"], "foretide");
    let answer = world
        .post("/_emulator/reset")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(list("/_emulator/requests").await.is_empty());
}

#[tokio::test]
async fn it_serves_loopback_only_and_stops_when_told() {
    let open = EmulatorConfig {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..EmulatorConfig::default()
    };
    let refused = Emulator::start(open, Arc::new(clock()))
        .await
        .expect_err("refused");
    assert!(
        matches!(refused, StartError::Config(ConfigError::NotLoopback(_))),
        "{refused}"
    );
    let bad_rule = RuleConfig {
        id: "rule".to_owned(),
        streams: Vec::new(),
    };
    let refused = Emulator::start(
        EmulatorConfig {
            rules: vec![bad_rule],
            ..EmulatorConfig::default()
        },
        Arc::new(clock()),
    )
    .await;
    assert!(matches!(
        refused,
        Err(StartError::Config(ConfigError::RuleId(_)))
    ));
    let parsed: Result<EmulatorConfig, _> =
        serde_json::from_value(json!({ "listen_on": "127.0.0.1:0" }));
    assert!(parsed.is_err_and(|error| error.to_string().contains("listen_on")));

    let world = World::new().await;
    let url = format!("{}/healthz", world.emulator.base_url());
    assert_eq!(
        world
            .http
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::OK
    );
    let World { emulator, http, .. } = world;
    let another =
        foretide_http::client(&foretide_http::ClientOptions::default()).expect("a client");
    drop(http);
    emulator.shutdown().await;
    assert!(another.get(&url).send().await.is_err());
}
