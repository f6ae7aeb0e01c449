use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{World, card};

async fn post(world: &World, message: &Value) -> StatusCode {
    let request = world
        .http
        .post(world.emulator.teams_webhook_url())
        .json(message);
    request.send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_card_is_accepted_and_its_signature_not_kept() {
    let world = World::new().await;
    assert_eq!(post(&world, &card()).await, StatusCode::ACCEPTED);
    let recorded = &world.emulator.requests("/workflows/")[0];
    assert_eq!(recorded.body, card());
    assert_eq!(recorded.query["sig"], "(secret)");
}

#[tokio::test]
async fn what_teams_could_not_show_is_refused() {
    let world = World::new().await;
    let changed = |pointer: &str, value: Value| {
        let mut message = card();
        *message.pointer_mut(pointer).expect("a place in the card") = value;
        message
    };
    let submit = json!([{ "type": "TextBlock" }]);
    let mut submitting = changed("/attachments/0/content/body", submit);
    submitting["attachments"][0]["content"]["actions"] =
        json!([{ "type": "Action.Submit", "title": "ok" }]);
    let refused = [
        json!([]),
        json!({}),
        changed("/type", json!("MessageCard")),
        changed("/attachments", json!([])),
        changed("/attachments/0/contentType", json!("text/plain")),
        changed("/attachments/0/content/type", json!("Card")),
        changed("/attachments/0/content/version", json!("9.0")),
        changed("/attachments/0/content/body", json!([])),
        changed(
            "/attachments/0/content/body",
            json!([{ "text": "no type" }]),
        ),
        submitting,
    ];
    for message in refused {
        assert_eq!(
            post(&world, &message).await,
            StatusCode::BAD_REQUEST,
            "{message}"
        );
    }
    let huge = changed(
        "/attachments/0/content/body/0/text",
        json!("x".repeat(29 * 1024)),
    );
    assert_eq!(post(&world, &huge).await, StatusCode::PAYLOAD_TOO_LARGE);
    let unsigned = world
        .post("/workflows/x/triggers/manual/paths/invoke")
        .json(&card());
    assert_eq!(
        unsigned.send().await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
}
