use std::sync::Arc;

use foretide_domain::Phase;
use foretide_emulator::{Fault, FaultAction};
use foretide_entra::StaticToken;
use foretide_http::ClientOptions;
use foretide_logs_ingestion::{LogsIngestionClient, RuleConfig, tombstone};
use foretide_sentinel_arm::{AlertRule, ContentBody, ContentKind};
use foretide_sentinel_content::{Change, ContentError, Delivery, PackOptions, Plan, way_in};
use serde_json::{Value, json};

use crate::fixture::{World, token_for};

async fn lay_out(world: &World, options: &PackOptions) -> usize {
    let plan = Plan::make(&world.client, options).await.unwrap();
    plan.apply(&world.client, |_| {}).await.unwrap()
}

async fn plan(world: &World) -> Plan {
    Plan::make(&world.client, &world.options()).await.unwrap()
}

async fn first_rule(world: &World) -> AlertRule {
    world.client.alert_rules().await.unwrap().remove(0)
}

#[tokio::test]
async fn a_second_plan_is_empty_and_writes_nothing() {
    let world = World::new().await;
    let first = plan(&world).await;
    assert_eq!(world.writes(), 0, "a plan writes nothing");
    assert!(first.steps.iter().all(|step| step.change == Change::Add));
    assert_eq!(first.next_phase(), Some(Phase::Assisted));
    let done = first.apply(&world.client, |_| {}).await.unwrap();
    assert_eq!(done, first.steps.len());
    let writes = world.writes();
    let second = plan(&world).await;
    assert!(second.is_empty(), "{second:?}");
    assert_eq!(second.apply(&world.client, |_| {}).await.unwrap(), 0);
    assert_eq!(world.writes(), writes);
    let way = way_in(&world.client).await.unwrap().unwrap();
    assert!(way.rule.starts_with("dcr-"), "{way:?}");
}

#[tokio::test]
async fn drift_by_hand_shows_as_a_difference_and_is_put_right() {
    let world = World::new().await;
    lay_out(&world, &world.options()).await;
    let mut rule = first_rule(&world).await;
    rule.properties["severity"] = json!("High");
    rule.properties["queryFrequency"] = json!("PT30M");
    world.client.put_alert_rule(&rule).await.unwrap();
    let drift = plan(&world).await;
    let changes: Vec<&Change> = drift
        .steps
        .iter()
        .map(|step| &step.change)
        .filter(|change| **change != Change::Keep)
        .collect();
    let [Change::Update(differences)] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    let mut paths: Vec<&str> = differences.iter().map(|one| one.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["properties.queryFrequency", "properties.severity"]);
    drift.apply(&world.client, |_| {}).await.unwrap();
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn what_was_changed_after_the_plan_is_not_overwritten() {
    let world = World::new().await;
    lay_out(&world, &world.options()).await;
    let mut rule = first_rule(&world).await;
    rule.properties["severity"] = json!("High");
    let rule = world.client.put_alert_rule(&rule).await.unwrap();
    let made = plan(&world).await;
    let mut again = rule;
    again.properties["severity"] = json!("Low");
    world.client.put_alert_rule(&again).await.unwrap();
    let error = made.apply(&world.client, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("changed meanwhile"), "{error}");
}

#[tokio::test]
async fn a_lower_phase_takes_back_what_the_higher_one_laid_out() {
    let world = World::new().await;
    let proactive = PackOptions {
        phase: Phase::Proactive,
        ..world.options()
    };
    lay_out(&world, &proactive).await;
    let automation = || {
        world
            .emulator
            .arm_resources("Microsoft.SecurityInsights/automationRules")
    };
    assert_eq!(automation().len(), 3);
    let back = plan(&world).await;
    let removals = back
        .steps
        .iter()
        .filter(|step| step.change == Change::Remove)
        .count();
    // the five analytics rules are switched off rather than taken away
    assert_eq!((removals, back.changes()), (3, 3 + 5));
    back.apply(&world.client, |_| {}).await.unwrap();
    assert_eq!(automation(), Vec::<Value>::new());
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn a3_in_shadow_nothing_is_laid_out_that_makes_or_changes_an_incident() {
    let world = World::new().await;
    let assisted = PackOptions {
        phase: Phase::Assisted,
        ..world.options()
    };
    let automation = "Microsoft.SecurityInsights/automationRules";
    let makes_no_incident = || async {
        let rules = world.client.alert_rules().await.unwrap();
        assert_eq!(rules.len(), 5, "they can be read in shadow, too");
        for rule in rules {
            let incidents = &rule.properties["incidentConfiguration"]["createIncident"];
            assert!(
                !rule.is_enabled() && *incidents == json!(false),
                "{}",
                rule.display_name()
            );
        }
        assert_eq!(
            world.emulator.arm_resources(automation),
            Vec::<Value>::new()
        );
    };
    lay_out(&world, &world.options()).await;
    makes_no_incident().await;
    // the approved phase brings them to life, and with it they fall silent again
    lay_out(&world, &assisted).await;
    let rules = world.client.alert_rules().await.unwrap();
    assert!(rules.iter().all(AlertRule::is_enabled));
    assert_eq!(world.emulator.arm_resources(automation).len(), 2);
    lay_out(&world, &world.options()).await;
    makes_no_incident().await;
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn a3_a_rule_that_a_person_switched_off_stays_off_through_shadow_and_back() {
    let world = World::new().await;
    let assisted = PackOptions {
        phase: Phase::Assisted,
        ..world.options()
    };
    lay_out(&world, &assisted).await;
    let mut rule = first_rule(&world).await;
    rule.properties["enabled"] = json!(false);
    let off = world.client.put_alert_rule(&rule).await.unwrap();
    for options in [world.options(), assisted] {
        lay_out(&world, &options).await;
        let now = world.client.alert_rule(&off.name).await.unwrap().unwrap();
        assert_eq!(now, off);
    }
}

#[tokio::test]
async fn removal_takes_ours_and_nothing_else_and_tables_only_when_asked() {
    let world = World::new().await;
    lay_out(&world, &world.options()).await;
    let mut theirs = first_rule(&world).await;
    theirs.name = "their-rule".to_owned();
    theirs.etag = None;
    theirs.properties["displayName"] = json!("Foretide: by a person's hand");
    theirs.properties["enabled"] = json!(false);
    world.client.put_alert_rule(&theirs).await.unwrap();

    let removal = Plan::removal(&world.client, &world.options(), false)
        .await
        .unwrap();
    removal.apply(&world.client, |_| {}).await.unwrap();
    assert_eq!(
        world.client.alert_rules().await.unwrap().len(),
        1,
        "theirs stays"
    );
    let tables = || {
        world
            .emulator
            .arm_resources("Microsoft.OperationalInsights/workspaces/tables")
            .len()
    };
    assert_eq!(tables(), 4);
    let with_data = Plan::removal(&world.client, &world.options(), true)
        .await
        .unwrap();
    with_data.apply(&world.client, |_| {}).await.unwrap();
    assert_eq!(tables(), 0);
    assert!(
        Plan::removal(&world.client, &world.options(), true)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn something_foreign_under_our_name_is_refused_before_anything_is_written() {
    let world = World::new().await;
    let theirs = json!({ "properties": {
        "category": "Theirs", "displayName": "theirs", "query": "Usage | take 1",
    }});
    let theirs = ContentBody::new(theirs).unwrap();
    world
        .client
        .put_content(ContentKind::SavedSearch, "foretide-hunt-drivers", &theirs)
        .await
        .unwrap();
    let writes = world.writes();
    let made = plan(&world).await;
    let error = made.apply(&world.client, |_| {}).await.unwrap_err();
    assert!(matches!(error, ContentError::Foreign { .. }), "{error}");
    assert_eq!(world.writes(), writes);
    let removal = Plan::removal(&world.client, &world.options(), true)
        .await
        .unwrap();
    assert!(removal.is_empty(), "{removal:?}");
}

#[tokio::test]
async fn columns_that_people_added_to_a_table_stay() {
    let world = World::new().await;
    lay_out(&world, &world.options()).await;
    let name = "AI_Governance_CL";
    let actual = world
        .client
        .content(ContentKind::Table, name)
        .await
        .unwrap()
        .unwrap();
    let mut columns = actual["properties"]["schema"]["columns"].clone();
    let columns = columns.as_array_mut().unwrap();
    columns.retain(|column| column["name"] != "Withdrawn");
    columns.push(json!({ "name": "TheirNote", "type": "string" }));
    let body = json!({ "properties": { "plan": "Analytics", "totalRetentionInDays": 400, "schema": {
        "name": name, "description": actual["properties"]["schema"]["description"], "columns": columns,
    }}});
    let body = ContentBody::new(body).unwrap();
    world
        .client
        .put_content(ContentKind::Table, name, &body)
        .await
        .unwrap();
    assert_eq!(lay_out(&world, &world.options()).await, 1);
    let now = world
        .client
        .content(ContentKind::Table, name)
        .await
        .unwrap()
        .unwrap();
    let text = now["properties"]["schema"]["columns"].to_string();
    assert!(
        text.contains("TheirNote") && text.contains("Withdrawn"),
        "{text}"
    );
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn an_apply_that_stopped_half_way_goes_on_with_the_next() {
    let world = World::new().await;
    let mut refused = Fault::at("/subscriptions/", 1, FaultAction::status(403));
    refused.matching.method = Some("PUT".to_owned());
    let first = plan(&world).await;
    let mut seen = 0;
    let stopped = first.apply(&world.client, |_| {
        seen += 1;
        if seen == 3 {
            world.emulator.add_fault(refused.clone());
        }
    });
    let error = stopped.await.unwrap_err();
    assert!(
        matches!(error, ContentError::Stopped { done: 3, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("role"),
        "says what to do: {error}"
    );
    let rest = plan(&world).await;
    assert_eq!(rest.changes(), first.changes() - 3);
    rest.apply(&world.client, |_| {}).await.unwrap();
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn lost_answers_change_nothing_about_the_outcome() {
    let world = World::new().await;
    let mut lost = Fault::at("/subscriptions/", 5, FaultAction::drop_response());
    lost.matching.method = Some("PUT".to_owned());
    world.emulator.add_fault(lost);
    // attempts are repeated: each of these writes took effect although nobody heard
    let first = plan(&world).await;
    for _ in 0..3 {
        if first.apply(&world.client, |_| {}).await.is_ok() {
            break;
        }
    }
    let rest = plan(&world).await;
    rest.apply(&world.client, |_| {}).await.unwrap();
    assert!(plan(&world).await.is_empty());
}

#[tokio::test]
async fn rows_go_in_by_the_way_that_was_laid_out_and_can_be_taken_back() {
    for delivery in [Delivery::Direct, Delivery::Endpoint] {
        let world = World::new().await;
        let options = PackOptions {
            delivery,
            ..world.options()
        };
        lay_out(&world, &options).await;
        let way = way_in(&world.client).await.unwrap().unwrap();
        let rule = RuleConfig {
            endpoint: way.endpoint.parse().unwrap(),
            dcr_immutable_id: way.rule,
            audience: "https://monitor.azure.com".to_owned(),
        };
        let token = token_for(&world.emulator, "https://monitor.azure.com").await;
        let http = foretide_http::client(&ClientOptions::default()).unwrap();
        let tokens = Arc::new(StaticToken::new(token));
        let sink = LogsIngestionClient::new(rule, http, tokens).unwrap();
        let row = json!({
            "TimeGenerated": "2026-11-23T10:00:00Z",
            "IdempotencyKey": "k",
            "Predicted": 12.5,
            "NoSuchColumn": 1,
        });
        let stone = tombstone(&row, &[], "2026-11-23T11:00:00Z".parse().unwrap()).unwrap();
        for outcome in sink
            .upload("Custom-PredictiveAlerting_CL", &[row, stone])
            .await
        {
            outcome.result.unwrap();
        }
        let rows = world.emulator.rows("PredictiveAlerting_CL");
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[0]["Predicted"], 12.5);
        assert!(
            rows[0].get("NoSuchColumn").is_none(),
            "the rule drops what is not declared"
        );
        assert_eq!(
            (&rows[1]["Withdrawn"], &rows[1]["IdempotencyKey"]),
            (&json!(true), &json!("k"))
        );
        let refused = sink.upload("Custom-Unknown_CL", &[json!({})]).await;
        refused[0].result.as_ref().unwrap_err();
    }
}
