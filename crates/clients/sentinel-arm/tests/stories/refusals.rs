use std::time::Duration;

use foretide_emulator::{Fault, FaultAction};
use foretide_sentinel_arm::{ArmError, ContentKind, IncidentDraft, Severity};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Teller, World, client_at};

async fn error_for(status: u16, body: &str) -> ArmError {
    let (teller, client, _) = Teller::start().await;
    teller.will_say(status, body);
    let draft = IncidentDraft::new("t", Severity::Low);
    client
        .put_incident(Uuid::from_u128(1), &draft, None)
        .await
        .unwrap_err()
}

fn body(code: &str) -> String {
    json!({ "error": { "code": code, "message": "synthetic" } }).to_string()
}

#[tokio::test]
async fn every_status_of_the_contract_has_a_meaning() {
    let says = |error: &ArmError, words: &str| {
        let text = error.to_string();
        assert!(text.contains(words), "no {words:?} in {text:?}");
    };
    let error = error_for(400, &body("BadRequest")).await;
    assert!(matches!(error, ArmError::BadRequest { .. }));
    says(&error, "BadRequest: synthetic");
    let error = error_for(401, &body("InvalidAuthenticationToken")).await;
    assert!(matches!(error, ArmError::Unauthorized { .. }));
    says(&error, "check the tenant and the audience");
    let error = error_for(403, &body("AuthorizationFailed")).await;
    assert!(matches!(error, ArmError::Forbidden { .. }));
    says(&error, "Microsoft Sentinel Responder");
    let error = error_for(404, &body("ResourceGroupNotFound")).await;
    assert!(matches!(error, ArmError::UnknownWorkspace { .. }));
    says(
        &error,
        "check subscription_id, resource_group and workspace",
    );
    assert!(matches!(
        error_for(404, &body("NotFound")).await,
        ArmError::NotFound { .. }
    ));
    for status in [409, 412] {
        assert!(matches!(
            error_for(status, &body("Conflict")).await,
            ArmError::Conflict { .. }
        ));
    }
    for status in [500, 502, 503, 504, 408] {
        let error = error_for(status, &body("InternalServerError")).await;
        assert!(
            matches!(error, ArmError::Unavailable { .. }) && error.is_transient(),
            "{error}"
        );
    }
    assert!(matches!(
        error_for(418, "teapot").await,
        ArmError::Unexpected { status: 418, .. }
    ));
    assert!(matches!(
        error_for(301, "").await,
        ArmError::Unexpected { status: 301, .. }
    ));
}

#[tokio::test]
async fn throttling_is_waited_for_or_handed_on() {
    let (teller, client, _) = Teller::start().await;
    let left = (
        "x-ms-ratelimit-remaining-subscription-reads",
        "249".to_owned(),
    );
    teller
        .will_say_with(
            429,
            &[("retry-after", "1".to_owned())],
            &body("TooManyRequests"),
        )
        .will_say_with(200, &[left], r#"{"value":[]}"#);
    client.alert_rules().await.unwrap();
    assert_eq!(client.allowance().reads, Some(249));
    let ids: Vec<_> = teller
        .seen()
        .iter()
        .map(|(_, _, headers)| headers["x-ms-client-request-id"].clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "a repeated call bears the same id");

    let (teller, client, _) = Teller::start().await;
    teller.will_say_with(
        429,
        &[("retry-after", "17".to_owned())],
        &body("TooManyRequests"),
    );
    let error = client.alert_rules().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    assert_eq!(teller.seen().len(), 1);
}

#[tokio::test]
async fn answers_that_are_none_are_said_so_and_not_believed() {
    let huge = format!("{{\"value\":\"{}\"}}", "x".repeat(33 * 1024 * 1024));
    for answer in [
        "not json",
        "{",
        "[]",
        "{}",
        r#"{"value":{}}"#,
        r#"{"value":[1]}"#,
        r#"{"value":[{"name":7}]}"#,
        r#"{"value":[{"name":"n","properties":{}}]}"#,
        &huge,
    ] {
        let (teller, client, _) = Teller::start().await;
        teller.will_say(200, answer);
        let error = client.alert_rules().await.unwrap_err();
        let shown = &answer[..answer.len().min(60)];
        assert!(
            matches!(error, ArmError::Unreadable { .. }),
            "{shown}: {error}"
        );
    }
}

#[tokio::test]
async fn no_error_shows_the_token_and_none_carries_control_characters() {
    let error = error_for(400, &body("Bad\u{1b}[31mRequest")).await;
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("secret-token") && !error.to_string().contains('\u{1b}'),
        "{shown}"
    );
    let error = error_for(
        400,
        &json!({"error": {"code": "c", "message": "x".repeat(100_000)}}).to_string(),
    )
    .await;
    assert!(error.to_string().len() < 1_000);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let error = client_at("http://127.0.0.1:9", "t")
        .alert_rules()
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn names_stay_in_their_place() {
    let (teller, client, _) = Teller::start().await;
    teller.will_say(404, &body("ResourceNotFound"));
    let name = "../../incidents?api-version=1#x";
    assert_eq!(
        client.content(ContentKind::AlertRule, name).await.unwrap(),
        None
    );
    let (_, path, _) = teller.seen().remove(0);
    assert!(
        path.contains("/alertRules/..%2F..%2Fincidents%3Fapi-version=1%23x?api-version=2025-09-01"),
        "{path}"
    );
}

#[tokio::test]
async fn the_emulator_refuses_a_token_for_another_audience() {
    let world = World::new().await;
    world.client.alert_rules().await.unwrap();
    let other = client_at(&world.emulator.base_url(), "no token of this tenant");
    let error = other.alert_rules().await.unwrap_err();
    assert!(matches!(error, ArmError::Unauthorized { .. }), "{error}");
    // one failing answer is ridden out
    world
        .emulator
        .add_fault(Fault::at("/subscriptions/", 1, FaultAction::status(503)));
    world.client.alert_rules().await.unwrap();
}
