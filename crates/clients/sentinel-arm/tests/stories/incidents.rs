use foretide_emulator::{Fault, FaultAction};
use foretide_sentinel_arm::{
    ArmError, IncidentDraft, IncidentFilter, IncidentStatus, OpenStatus, Severity,
};
use uuid::Uuid;

use crate::fixture::World;

fn draft(title: &str, severity: Severity) -> IncidentDraft {
    IncidentDraft {
        description: "expected: 128 in 6 h".to_owned(),
        labels: vec!["predictive".to_owned()],
        ..IncidentDraft::new(title, severity)
    }
}

#[tokio::test]
async fn an_incident_is_created_read_changed_commented_and_related() {
    let world = World::new().await;
    let id = Uuid::from_u128(1);
    let created = world
        .client
        .put_incident(id, &draft("Planning", Severity::Low), None)
        .await
        .unwrap();
    assert_eq!(created.status, IncidentStatus::Open(OpenStatus::New));
    assert!(
        created.etag.as_deref().unwrap().starts_with('"'),
        "an etag brings its quotes"
    );
    assert_eq!(created.labels, ["predictive"]);

    let mut change = IncidentDraft::of(&created).unwrap();
    change.severity = Severity::High;
    let changed = world
        .client
        .put_incident(id, &change, created.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(changed.severity, Some(Severity::High));
    assert_eq!(changed.number, created.number);
    assert_eq!(
        changed.description, "expected: 128 in 6 h",
        "nothing was cleared"
    );

    let comment = Uuid::from_u128(2);
    world
        .client
        .put_comment(&created.name, comment, &"x".repeat(40_000))
        .await
        .unwrap();
    let comments = world.client.comments(&created.name).await.unwrap();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].message.ends_with(" [...]"));

    let bookmark = format!("{}/bookmarks/x", created.id);
    world
        .client
        .relate(&created.name, "r1", &bookmark)
        .await
        .unwrap();
    let relations = world.client.relations(&created.name).await.unwrap();
    assert_eq!(relations[0].resource_id, bookmark);
}

#[tokio::test]
async fn lists_come_along_their_pages_filtered_and_newest_first() {
    let world = World::new().await;
    for number in 0..120_u128 {
        let severity = if number % 3 == 0 {
            Severity::High
        } else {
            Severity::Low
        };
        let id = Uuid::from_u128(100 + number);
        let one = draft(&format!("incident {number}"), severity);
        world.client.put_incident(id, &one, None).await.unwrap();
    }
    let high = IncidentFilter {
        severities: vec![Severity::High],
        ..IncidentFilter::open()
    };
    assert_eq!(world.client.incidents(&high).await.unwrap().len(), 40);
    let newest = IncidentFilter {
        newest: Some(1),
        ..IncidentFilter::default()
    };
    let newest = world.client.incidents(&newest).await.unwrap();
    assert_eq!(newest.len(), 1);
    assert_eq!(newest[0].title, "incident 119");
    assert!(world.client.allowance().writes.unwrap() < 200);
}

#[tokio::test]
async fn a_stale_etag_is_a_conflict_and_nothing_is_saved() {
    let world = World::new().await;
    let id = Uuid::from_u128(1);
    let first = world
        .client
        .put_incident(id, &draft("t", Severity::Low), None)
        .await
        .unwrap();
    let etag = first.etag.as_deref();
    let ours = draft("ours", Severity::Low);
    world.client.put_incident(id, &ours, etag).await.unwrap();
    let error = world
        .client
        .put_incident(id, &draft("theirs", Severity::Low), etag)
        .await
        .unwrap_err();
    assert!(matches!(error, ArmError::Conflict { .. }), "{error}");
    assert!(!error.is_transient());
    let now = world
        .client
        .incident(&id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.title, "ours");
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_incident_and_no_conflict() {
    let world = World::new().await;
    let id = Uuid::from_u128(1);
    let lose = || {
        world.emulator.add_fault(Fault::at(
            "/subscriptions/",
            1,
            FaultAction::drop_response(),
        ));
    };
    lose();
    let created = world
        .client
        .put_incident(id, &draft("t", Severity::Low), None)
        .await
        .unwrap();
    let mut change = IncidentDraft::of(&created).unwrap();
    change.title = "changed".to_owned();
    lose();
    // the write takes effect, its answer is lost, and the second try meets the version it made itself
    let changed = world
        .client
        .put_incident(id, &change, created.etag.as_deref())
        .await
        .unwrap();
    assert_eq!(changed.title, "changed");
    let all = world
        .client
        .incidents(&IncidentFilter::default())
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
}
