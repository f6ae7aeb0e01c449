//! What is not understood, and what is not allowed now.

use foretide_api::ingestion::v1::ingestion_service_client::IngestionServiceClient;
use foretide_api::ingestion::v1::{BackfillState, ListBackfillsRequest, PlanBackfillRequest};
use foretide_api::timestamp;
use foretide_api::types::v1::TimeSpan;
use foretide_domain::{Principal, Role, RunId};
use tonic::Code;

use super::request;
use crate::world::{Incident, World, at};

async fn world_with_a_file() -> World {
    let world = World::new().await;
    world.write(
        "SecurityIncident.ndjson",
        Incident::new(1, 5, "High").line(),
    );
    world
}

#[tokio::test]
async fn plans_that_cannot_be_are_refused_and_the_field_is_named() {
    let world = world_with_a_file().await;
    let fine = request("2026-11-01", "2026-11-23");
    let span = |start: &str, end: &str| {
        Some(TimeSpan {
            start: timestamp(at(start)),
            end: timestamp(at(end)),
        })
    };
    let spans = [
        None,
        span("2026-11-23T00:00:00Z", "2026-11-01T00:00:00Z"),
        span("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        span("2026-11-01T00:00:01Z", "2026-11-02T00:00:00Z"),
        span("2020-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
    ];
    for span in spans {
        let refused = world
            .plan(PlanBackfillRequest {
                span,
                ..fine.clone()
            })
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{span:?}");
        assert!(refused.message().contains("field span"), "{refused}");
    }
    let long = "A".repeat(100_000);
    for table in [
        "Nope",
        "",
        "SigninLogs; drop table backfill",
        "../etc/passwd",
        "' or 1=1 --",
        &long,
    ] {
        let tables = vec![table.to_owned()];
        let refused = world
            .plan(PlanBackfillRequest {
                tables,
                ..fine.clone()
            })
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("field tables"), "{refused}");
        assert!(refused.message().len() < 600, "{}", refused.message().len());
    }
    let source = "tape".to_owned();
    let refused = world
        .plan(PlanBackfillRequest {
            source,
            ..fine.clone()
        })
        .await;
    assert!(refused.unwrap_err().message().contains("field source"));
    // a table named twice is one table
    let tables = vec!["SecurityIncident".to_owned(); 2];
    let quote = world
        .plan(PlanBackfillRequest {
            tables,
            ..fine.clone()
        })
        .await
        .unwrap();
    assert_eq!(quote.quote.unwrap().parts, 1);
    let tables = vec!["SigninLogs".to_owned()];
    let refused = world
        .plan(PlanBackfillRequest { tables, ..fine })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn what_is_unknown_is_not_found_and_what_is_no_id_is_refused() {
    let world = world_with_a_file().await;
    let unknown = RunId::new().to_string();
    for (id, code) in [
        (unknown.as_str(), Code::NotFound),
        ("'; --", Code::InvalidArgument),
        ("", Code::InvalidArgument),
    ] {
        let refusals = [
            world.begin(id, None).await,
            world.backfill(id).await,
            world.pause(id).await,
            world.resume(id, None).await,
            world.retry(id).await,
            world.cancel(id).await,
        ];
        for refused in refusals {
            assert_eq!(refused.unwrap_err().code(), code, "{id}");
        }
    }
    for accepted in [f64::NAN, f64::INFINITY, -1.0] {
        let refused = world.begin(&unknown, Some(accepted)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{accepted}");
    }
}

#[tokio::test]
async fn each_change_has_its_time() {
    let world = world_with_a_file().await;
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let id = quote.backfill_id.as_str();
    for refused in [
        world.pause(id).await,
        world.resume(id, None).await,
        world.retry(id).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    }
    world.begin(id, None).await.unwrap();
    let twice = world.begin(id, None).await.unwrap_err();
    assert_eq!(twice.code(), Code::FailedPrecondition);
    assert!(twice.message().contains("cannot be started"), "{twice}");
    let done = world.at_rest(id).await;
    assert_eq!(done.state(), BackfillState::Done);
    for refused in [
        world.begin(id, None).await,
        world.pause(id).await,
        world.cancel(id).await,
        world.retry(id).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    }
    assert_eq!(done.progress.unwrap().rows, 1);
}

#[tokio::test]
async fn a_second_one_waits_for_the_first_and_a_cancelled_one_stays_so() {
    let world = World::new().await;
    for number in 0..30 {
        let path = format!("SecurityIncident/{number}.ndjson");
        world.write(&path, Incident::new(number, 5, "High").line());
    }
    let plan = || world.plan(request("2026-11-01", "2026-11-23"));
    let first = plan().await.unwrap().backfill_id;
    let second = plan().await.unwrap().backfill_id;
    world.begin(&first, None).await.unwrap();
    // it may have ended by itself on a fast machine: then there is nothing to be refused
    if let Err(refused) = world.begin(&second, None).await {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains(&first), "{refused}");
    } else {
        assert_eq!(
            world.backfill(&first).await.unwrap().state(),
            BackfillState::Done
        );
    }
    world.at_rest(&first).await;
    let third = world.plan(request("2026-11-01", "2026-11-23")).await;
    assert!(third.unwrap_err().message().contains("nothing to read"));
    let cancelled = world.cancel(&second).await;
    if let Ok(cancelled) = cancelled {
        assert_eq!(cancelled.state(), BackfillState::Cancelled);
        assert_eq!(
            world.begin(&second, None).await.unwrap_err().code(),
            Code::FailedPrecondition
        );
    }
}

#[tokio::test]
async fn an_old_quote_is_not_started() {
    let world = world_with_a_file().await;
    let quote = world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    world.context.clock.advance_to(at("2026-11-24T00:00:01Z"));
    let refused = world.begin(&quote.backfill_id, None).await.unwrap_err();
    assert!(refused.message().contains("plan again"), "{refused}");
    // the next quote forgets it
    world
        .plan(request("2026-11-01", "2026-11-23"))
        .await
        .unwrap();
    let forgotten = world.backfill(&quote.backfill_id).await.unwrap_err();
    assert_eq!(forgotten.code(), Code::NotFound);
}

#[tokio::test]
async fn who_may_only_look_may_not_plan_or_start() {
    let world = world_with_a_file().await;
    let viewer = Principal {
        name: "ada".to_owned(),
        roles: vec![Role::Viewer],
    };
    let mut client = IngestionServiceClient::new(world.server().channel_as(viewer));
    let refused = client
        .plan_backfill(request("2026-11-01", "2026-11-23"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let listed = client
        .list_backfills(ListBackfillsRequest { limit: 5 })
        .await;
    assert!(listed.unwrap().into_inner().backfills.is_empty());
}
