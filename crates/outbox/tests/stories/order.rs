//! Order, refusals, pauses and what a person does about refusals.

use std::sync::Arc;

use foretide_api::outbox::v1::outbox_service_server::OutboxService;
use foretide_api::outbox::v1::{DropItemRequest, ListItemsRequest, RetryItemRequest};
use foretide_db::DbError;
use foretide_db::testing::TestDatabase;
use foretide_domain::Role;
use foretide_outbox::{AUDIT, Backoff, Counts, Outbox, Outcome, State, insert};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::desk::{CHANNEL, Desk, Receiver, by, courier, eventually, item, patient, start};

#[tokio::test]
async fn an_item_behind_an_undelivered_one_waits_and_others_do_not() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[
            ("a1", Some("a")),
            ("a2", Some("a")),
            ("b1", Some("b")),
            ("c", None),
        ])
        .await;
        let receiver = Arc::new(Receiver::default());
        receiver.answers("a1", &[Outcome::later("away")]);
        let courier =
            courier(desk.outbox.clone(), Arc::clone(&receiver) as _).with_backoff(patient());
        courier.deliver_now().await.unwrap();
        assert_eq!(receiver.keys(), ["a1", "b1", "c"]);
        let waiting = desk.outbox.list(State::Waiting, 10).await.unwrap();
        let waiting: Vec<_> = waiting
            .iter()
            .map(|item| (item.key.as_str(), item.attempts))
            .collect();
        assert_eq!(waiting, [("a1", 1), ("a2", 0)]);
        let failing = desk.outbox.first_failing().await.unwrap().unwrap();
        assert_eq!(
            (failing.key.as_str(), failing.last_error.as_deref()),
            ("a1", Some("away"))
        );

        desk.time_passes().await;
        courier.deliver_now().await.unwrap();
        assert_eq!(receiver.keys()[3..], ["a1", "a2"]);
        assert_eq!(
            desk.has_receipts("a").await,
            ["receipt of a1", "receipt of a2"]
        );
    }
}

#[tokio::test]
async fn a_refused_item_is_shown_and_holds_nobody_up_until_a_person_decides() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a")), ("a2", Some("a")), ("a3", Some("a"))])
            .await;
        let receiver = Arc::new(Receiver::default());
        for key in ["a1", "a2"] {
            receiver.answers(key, &[Outcome::Refused("does not fit".to_owned())]);
        }
        let courier = courier(desk.outbox.clone(), Arc::clone(&receiver) as _);
        courier.deliver_now().await.unwrap();
        assert_eq!(receiver.keys(), ["a1", "a2", "a3"]);
        let refused = desk.outbox.list(State::Refused, 10).await.unwrap();
        let reasons: Vec<_> = refused
            .iter()
            .map(|item| (item.key.as_str(), item.last_error.as_deref()))
            .collect();
        assert_eq!(
            reasons,
            [("a1", Some("does not fit")), ("a2", Some("does not fit"))]
        );
        assert_eq!(refused[0].settled_at, Some(start()));

        let served = desk.served();
        let listed = ListItemsRequest {
            state: "refused".to_owned(),
            limit: 1,
            ..ListItemsRequest::default()
        };
        let listed = served.list_items(by(Role::Operator, listed)).await;
        let listed = listed.unwrap().into_inner();
        assert_eq!((listed.items.len(), listed.counts[0].items), (1, 2));
        assert_eq!(listed.items[0].reason, "does not fit");

        let retry = |key: &str| RetryItemRequest {
            channel: String::new(),
            key: key.to_owned(),
        };
        let viewer = served.retry_item(by(Role::Viewer, retry("a1"))).await;
        assert_eq!(viewer.unwrap_err().code(), Code::PermissionDenied);
        let retried = served.retry_item(by(Role::Operator, retry("a1"))).await;
        let retried = retried.unwrap().into_inner().item.unwrap();
        assert_eq!((retried.state.as_str(), retried.attempts), ("waiting", 0));
        let dropped = DropItemRequest {
            channel: CHANNEL.to_owned(),
            key: "a2".to_owned(),
        };
        served.drop_item(by(Role::Operator, dropped)).await.unwrap();
        let gone = served.retry_item(by(Role::Operator, retry("a2"))).await;
        assert_eq!(gone.unwrap_err().code(), Code::NotFound);
        let audit = Outbox::new(desk.database.clone(), AUDIT);
        let events = audit.list(State::Waiting, 10).await.unwrap();
        let recorded = events.iter().map(|event| {
            let payload: Value = serde_json::from_str(&event.payload).unwrap();
            (payload["actor"].clone(), payload["action"].clone())
        });
        let expected = ["outbox.item_retried", "outbox.item_dropped"];
        assert!(recorded.eq(expected.map(|action| (json!("olga"), json!(action)))));
        courier.deliver_now().await.unwrap();
        let counts = Counts {
            delivered: 2,
            dropped: 1,
            ..Counts::default()
        };
        assert_eq!(desk.outbox.counts(None).await.unwrap(), counts);
        let of_run = desk.outbox.counts(refused[0].run_id).await.unwrap();
        assert_eq!(
            of_run,
            Counts {
                delivered: 1,
                ..Counts::default()
            }
        );
    }
}

#[tokio::test]
async fn what_is_new_is_sent_at_once_while_something_else_pauses() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a"))]).await;
        let receiver = Arc::new(Receiver::default());
        receiver.answers("a1", &[Outcome::later("away")]);
        let courier =
            courier(desk.outbox.clone(), Arc::clone(&receiver) as _).with_backoff(patient());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(courier.clone().run(shutdown.clone()));
        eventually("the first is tried", || receiver.keys() == ["a1"]).await;
        desk.keep(&[("b1", Some("b"))]).await;
        courier.wake();
        eventually("the new one is sent", || receiver.keys() == ["a1", "b1"]).await;
        shutdown.cancel();
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_pauses_is_tried_again_without_anybody_asking() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a"))]).await;
        let receiver = Arc::new(Receiver::default());
        receiver.answers("a1", &vec![Outcome::later("away"); 4]);
        let backoff = Backoff {
            first_wait_ms: 2,
            longest_wait_ms: 5,
        };
        let courier =
            courier(desk.outbox.clone(), Arc::clone(&receiver) as _).with_backoff(backoff);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(courier.run(shutdown.clone()));
        eventually("the fifth try", || receiver.keys().len() == 5).await;
        shutdown.cancel();
        task.await.unwrap();
        assert_eq!(desk.outbox.counts(None).await.unwrap().delivered, 1);
    }
}

#[tokio::test]
async fn a_receiver_that_is_away_is_not_asked_about_every_item() {
    let desk = Desk::open(TestDatabase::sqlite()).await;
    let keys: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    let items: Vec<_> = keys.iter().map(|key| (key.as_str(), None)).collect();
    desk.keep(&items).await;
    let receiver = Arc::new(Receiver::default());
    for key in &keys {
        receiver.answers(key, &[Outcome::later("away")]);
    }
    let courier = courier(desk.outbox.clone(), Arc::clone(&receiver) as _)
        .with_batch(2)
        .with_backoff(patient());
    courier.deliver_now().await.unwrap();
    assert_eq!(receiver.keys(), ["0", "1"]);
    courier.deliver_now().await.unwrap();
    assert_eq!(
        receiver.keys(),
        ["0", "1", "2", "3"],
        "the others go on first"
    );
}

#[tokio::test]
async fn an_item_is_kept_once_and_only_with_what_it_speaks_of() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", None)]).await;
        let again = insert(
            desk.database.connection(),
            CHANNEL,
            [item("a1", None)],
            start(),
        )
        .await;
        assert!(matches!(again, Err(DbError::Conflict { .. })), "{again:?}");
        let undone: Result<(), DbError> = desk
            .database
            .transaction("keep and fail", |tx| {
                Box::pin(async move {
                    insert(tx, CHANNEL, [item("a2", None)], start()).await?;
                    Err(DbError::not_found("what it speaks of"))
                })
            })
            .await;
        undone.unwrap_err();
        assert_eq!(desk.outbox.counts(None).await.unwrap().waiting, 1);
    }
}
