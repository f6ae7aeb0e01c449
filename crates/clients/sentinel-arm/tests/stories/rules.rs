use foretide_sentinel_arm::{ArmError, Bookmark, ContentBody, ContentKind, RuleChange, Severity};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::World;

const RULE: &str = "7c1b2b7e-0000-5000-8000-000000000001";

async fn world_with_a_rule() -> World {
    let world = World::new().await;
    let body = json!({ "kind": "Scheduled", "properties": {
        "displayName": "Many failed logins",
        "severity": "Low",
        "enabled": true,
        "query": "SigninLogs | take 1",
        "queryFrequency": "PT1H",
        "queryPeriod": "PT2H",
        "triggerOperator": "GreaterThan",
        "triggerThreshold": 10,
        "suppressionDuration": "PT5H",
        "suppressionEnabled": false,
        "aPropertyOfTomorrow": { "kept": true },
    }});
    let body = ContentBody::new(body).unwrap();
    world
        .client
        .put_content(ContentKind::AlertRule, RULE, &body)
        .await
        .unwrap();
    world
}

fn sensitive() -> RuleChange {
    RuleChange {
        trigger_threshold: Some(3),
        severity: Some(Severity::High),
        ..RuleChange::default()
    }
}

#[tokio::test]
async fn a_change_keeps_everything_else_and_can_be_taken_back() {
    let world = world_with_a_rule().await;
    let snapshot = world
        .client
        .change_alert_rule(RULE, &sensitive())
        .await
        .unwrap();
    let now = world.client.alert_rule(RULE).await.unwrap().unwrap();
    assert_eq!(now.properties["triggerThreshold"], 3);
    assert_eq!(now.properties["aPropertyOfTomorrow"]["kept"], true);
    assert_eq!(snapshot.before.properties["triggerThreshold"], 10);

    assert!(world.client.restore_alert_rule(&snapshot).await.unwrap());
    let then = world.client.alert_rule(RULE).await.unwrap().unwrap();
    assert_eq!(then.properties["triggerThreshold"], 10);
    assert_eq!(then.properties["severity"], "Low");
    assert!(
        !world.client.restore_alert_rule(&snapshot).await.unwrap(),
        "once is enough"
    );
}

#[tokio::test]
async fn a_rule_that_a_person_edited_since_is_left_alone() {
    let world = world_with_a_rule().await;
    let snapshot = world
        .client
        .change_alert_rule(RULE, &sensitive())
        .await
        .unwrap();
    let by_hand = RuleChange {
        trigger_threshold: Some(7),
        ..RuleChange::default()
    };
    world
        .client
        .change_alert_rule(RULE, &by_hand)
        .await
        .unwrap();
    let error = world
        .client
        .restore_alert_rule(&snapshot)
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::Conflict { .. }), "{error}");
    let now = world.client.alert_rule(RULE).await.unwrap().unwrap();
    assert_eq!(now.properties["triggerThreshold"], 7);
}

#[tokio::test]
async fn a_rule_that_sentinel_switched_off_is_for_a_person_to_mend() {
    let world = world_with_a_rule().await;
    let mut rule = world.client.alert_rule(RULE).await.unwrap().unwrap();
    rule.properties["enabled"] = json!(false);
    rule.properties["displayName"] = json!("AUTO DISABLED Many failed logins");
    world.client.put_alert_rule(&rule).await.unwrap();
    let error = world
        .client
        .change_alert_rule(RULE, &sensitive())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("mend it first"), "{error}");
}

#[tokio::test]
async fn a_change_that_azure_refuses_says_why() {
    let world = world_with_a_rule().await;
    let change = RuleChange {
        query_frequency: Some("P20D".to_owned()),
        ..RuleChange::default()
    };
    let error = world
        .client
        .change_alert_rule(RULE, &change)
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::BadRequest { .. }), "{error}");
    assert!(error.to_string().contains("14 days"), "{error}");
}

#[tokio::test]
async fn rules_are_listed_along_their_pages_and_bookmarks_kept() {
    let world = world_with_a_rule().await;
    let rule = world.client.alert_rule(RULE).await.unwrap().unwrap();
    for number in 0..60_u128 {
        let mut one = rule.clone();
        one.name = Uuid::from_u128(number).to_string();
        one.etag = None;
        world.client.put_alert_rule(&one).await.unwrap();
    }
    assert_eq!(world.client.alert_rules().await.unwrap().len(), 61);

    let bookmark = Bookmark {
        display_name: "surge".to_owned(),
        query: "SecurityAlert | take 1".to_owned(),
        query_result: Some("{\"n\":1}".to_owned()),
        notes: None,
        labels: vec!["foretide".to_owned()],
        query_start: "2026-11-23T10:00:00Z".parse().ok(),
        query_end: None,
    };
    world
        .client
        .put_bookmark(Uuid::from_u128(1), &bookmark)
        .await
        .unwrap();
    assert_eq!(world.client.bookmarks().await.unwrap(), [bookmark]);
}
