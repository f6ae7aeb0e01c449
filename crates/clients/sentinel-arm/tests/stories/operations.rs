use foretide_emulator::ArmConfig;
use foretide_sentinel_arm::{ArmError, ContentBody, ContentKind};
use serde_json::json;

use crate::fixture::{Teller, World};

fn table() -> ContentBody {
    let columns = json!([{ "name": "TimeGenerated", "type": "datetime" }]);
    let body = json!({ "properties": { "schema": { "name": "X_CL", "columns": columns } } });
    ContentBody::new(body).unwrap()
}

#[tokio::test]
async fn a_slow_write_is_followed_to_its_end() {
    let world = World::with(ArmConfig {
        operation_looks: 3,
        ..ArmConfig::default()
    })
    .await;
    let made = world
        .client
        .put_content(ContentKind::Table, "X_CL", &table())
        .await
        .unwrap();
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        made["properties"]["schema"]["columns"][0]["type"],
        "dateTime"
    );
    let looks = world.emulator.requests("/subscriptions/");
    let looks = looks
        .iter()
        .filter(|one| one.path.contains("operationStatuses"));
    assert_eq!(looks.count(), 4);
    assert!(
        world
            .client
            .delete_content(ContentKind::Table, "X_CL")
            .await
            .unwrap()
    );
    assert!(
        !world
            .client
            .delete_content(ContentKind::Table, "X_CL")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_write_that_never_ends_is_given_up_for_now() {
    let world = World::with(ArmConfig {
        operation_looks: 1_000_000,
        ..ArmConfig::default()
    })
    .await;
    let table = table();
    let put = world.client.put_content(ContentKind::Table, "X_CL", &table);
    let error = put.await.unwrap_err();
    assert!(
        matches!(error, ArmError::OperationSlow { .. }) && error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn an_operation_that_fails_says_why_and_a_place_is_followed_too() {
    let (teller, client, base) = Teller::start().await;
    let operation = ("azure-asyncoperation", format!("{base}/operations/1"));
    teller
        .will_say_with(202, &[operation], "")
        .will_say(200, r#"{"status":"Running"}"#)
        .will_say(
            200,
            r#"{"status":"Failed","error":{"code":"QuotaExceeded","message":"too many tables"}}"#,
        );
    let error = client
        .put_content(ContentKind::Table, "X_CL", &table())
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::OperationFailed { .. }), "{error}");
    assert!(
        error.to_string().contains("QuotaExceeded: too many tables"),
        "{error}"
    );

    let (teller, client, base) = Teller::start().await;
    teller
        .will_say_with(202, &[("location", format!("{base}/results/1"))], "")
        .will_say(202, "")
        .will_say(200, r#"{"name":"X_CL"}"#);
    let made = client
        .put_content(ContentKind::Table, "X_CL", &table())
        .await
        .unwrap();
    assert_eq!(made["name"], "X_CL");
}

#[tokio::test]
async fn the_token_goes_nowhere_but_to_azure() {
    let (teller, client, _) = Teller::start().await;
    let elsewhere = ("azure-asyncoperation", "https://evil.example/1".to_owned());
    teller.will_say_with(202, &[elsewhere], "");
    let error = client
        .put_content(ContentKind::Table, "X_CL", &table())
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::ForeignLink { .. }), "{error}");

    let (teller, client, _) = Teller::start().await;
    teller.will_say(200, r#"{"value":[],"nextLink":"https://evil.example/2"}"#);
    let error = client.alert_rules().await.unwrap_err();
    assert!(matches!(error, ArmError::ForeignLink { .. }), "{error}");
    assert_eq!(teller.seen().len(), 1);
}

#[tokio::test]
async fn pages_that_go_in_a_circle_end() {
    let (teller, client, base) = Teller::start().await;
    teller.will_say(200, &format!(r#"{{"value":[],"nextLink":"{base}/again"}}"#));
    let error = client.alert_rules().await.unwrap_err();
    assert!(matches!(error, ArmError::ForeignLink { .. }), "{error}");
    assert_eq!(teller.seen().len(), 2);
}
