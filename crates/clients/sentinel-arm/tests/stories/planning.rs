use foretide_emulator::{ArmConfig, Fault, FaultAction};
use foretide_sentinel_arm::{
    IncidentFilter, PlanningIncident, PlanningIncidents, PlanningOutcome, PlanningRoute, Severity,
};
use serde_json::{Value, json};

use crate::fixture::World;

fn expected(hour: u32, text: &str) -> PlanningIncident {
    let at = |hour: u32| format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap();
    PlanningIncident {
        scope: "risk_period/total".to_owned(),
        title: "Surge predicted".to_owned(),
        description: text.to_owned(),
        severity: Severity::Medium,
        starts: at(hour),
        ends: at(hour + 8),
        details: Vec::new(),
        reference: text.to_owned(),
    }
}

/// What a person does in the portal.
async fn edit_by_hand(world: &World, name: &str, change: impl FnOnce(&mut Value)) {
    let incidents = world
        .emulator
        .arm_resources("Microsoft.SecurityInsights/incidents");
    let incident = incidents.iter().find(|one| one["name"] == name).unwrap();
    let mut body = json!({ "properties": incident["properties"] });
    change(&mut body["properties"]);
    let http = foretide_http::client(&foretide_http::ClientOptions::default()).unwrap();
    let address = format!(
        "{}{}?api-version=2025-09-01",
        world.emulator.base_url(),
        incident["id"].as_str().unwrap()
    );
    let answer = http
        .put(address)
        .bearer_auth(&world.token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
}

#[tokio::test]
async fn a7_one_open_incident_a_scope_updated_and_not_repeated() {
    let world = World::new().await;
    let planning = PlanningIncidents::new(world.client.clone());
    let PlanningOutcome::Created(first) = planning.raise(&expected(8, "128")).await.unwrap() else {
        panic!("there was none");
    };
    edit_by_hand(&world, &first.name, |properties| {
        properties["severity"] = json!("Low");
        properties["status"] = json!("Active");
        properties["labels"]
            .as_array_mut()
            .unwrap()
            .push(json!({"labelName": "roster"}));
    })
    .await;
    // a later run sees another window of the same scope
    let PlanningOutcome::Updated(second) = planning.raise(&expected(10, "140")).await.unwrap()
    else {
        panic!("it was open");
    };
    assert_eq!(second.name, first.name);
    assert_eq!(second.description, "140");
    assert_eq!(
        second.severity,
        Some(Severity::Low),
        "what people set stays"
    );
    assert!(second.labels.contains(&"roster".to_owned()));
    let again = planning.raise(&expected(10, "140")).await.unwrap();
    assert!(matches!(again, PlanningOutcome::Unchanged(_)));
    let open = world
        .client
        .incidents(&IncidentFilter::open())
        .await
        .unwrap();
    assert_eq!(open.len(), 1);
}

#[tokio::test]
async fn what_a_person_closed_stays_closed() {
    let world = World::new().await;
    let planning = PlanningIncidents::new(world.client.clone());
    let PlanningOutcome::Created(incident) = planning.raise(&expected(8, "128")).await.unwrap()
    else {
        panic!("there was none");
    };
    edit_by_hand(&world, &incident.name, |properties| {
        properties["status"] = json!("Closed");
        properties["classification"] = json!("Undetermined");
    })
    .await;
    let writes = world.writes();
    let outcome = planning.raise(&expected(8, "150")).await.unwrap();
    assert!(
        matches!(outcome, PlanningOutcome::LeftClosed(_)),
        "{outcome:?}"
    );
    assert_eq!(world.writes(), writes);
    // another window is another matter
    let other = planning.raise(&expected(12, "90")).await.unwrap();
    assert!(matches!(other, PlanningOutcome::Created(_)));
}

#[tokio::test]
async fn a_lost_answer_raises_nothing_twice() {
    let world = World::new().await;
    let planning = PlanningIncidents::new(world.client.clone());
    let mut lost = Fault::at("/subscriptions/", 3, FaultAction::drop_response());
    lost.matching.method = Some("PUT".to_owned());
    world.emulator.add_fault(lost);
    // every try takes effect, none is answered
    planning.raise(&expected(8, "128")).await.unwrap_err();
    let outcome = planning.raise(&expected(8, "128")).await.unwrap();
    assert!(
        matches!(outcome, PlanningOutcome::Unchanged(_)),
        "{outcome:?}"
    );
    let all = world
        .client
        .incidents(&IncidentFilter::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_workspace_on_defender_is_left_to_the_analytics_rule() {
    let world = World::with(ArmConfig {
        defender_onboarded: true,
        ..ArmConfig::default()
    })
    .await;
    let planning = PlanningIncidents::new(world.client.clone());
    assert_eq!(
        planning.route().await.unwrap(),
        PlanningRoute::Direct,
        "nothing says otherwise yet"
    );
    let draft = foretide_sentinel_arm::IncidentDraft::new("by Defender", Severity::Low);
    let id = uuid::Uuid::from_u128(9);
    world.client.put_incident(id, &draft, None).await.unwrap();
    let writes = world.writes();
    let outcome = planning.raise(&expected(8, "128")).await.unwrap();
    assert_eq!(outcome, PlanningOutcome::LeftToRule);
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn what_it_rests_on_is_a_comment_each_within_the_limits() {
    let world = World::new().await;
    let planning = PlanningIncidents::new(world.client.clone());
    let mut first = expected(8, "128");
    first.details = vec![
        ("Probability".to_owned(), "82%".to_owned()),
        ("Drivers".to_owned(), "x".repeat(5_000)),
    ];
    let PlanningOutcome::Created(made) = planning.raise(&first).await.unwrap() else {
        panic!("there was none");
    };
    assert!(made.description.contains("Probability: 82%"));
    assert!(made.description.len() < 2_300, "{}", made.description.len());
    planning.raise(&first).await.unwrap();
    planning.raise(&expected(9, "forecast 2")).await.unwrap();
    let comments = world.client.comments(&made.name).await.unwrap();
    let messages: Vec<&str> = comments.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages
            .iter()
            .any(|text| text.contains("Rests on forecast 2"))
    );
    assert!(messages.iter().all(|text| text.len() < 2_400));
}
