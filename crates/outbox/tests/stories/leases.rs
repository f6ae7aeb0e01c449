//! Replicas over one database: nothing is sent by two at once, and nothing stays with one that died.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foretide_db::testing::TestDatabase;
use foretide_outbox::{Courier, Outbox, State};
use futures::future::join_all;
use tokio::sync::{Semaphore, mpsc};

use crate::desk::{Desk, Receiver, Slow, courier};

struct Replica {
    asked: mpsc::UnboundedReceiver<Vec<String>>,
    may_answer: Arc<Semaphore>,
    settled: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Replica {
    /// Begins to deliver; its receiver answers when it may.
    fn delivers(outbox: Outbox, name: &'static str) -> Self {
        Self::delivers_as(outbox, name, |courier| courier)
    }

    fn delivers_as(
        outbox: Outbox,
        name: &'static str,
        set_up: impl Fn(Courier) -> Courier,
    ) -> Self {
        let (told, asked) = mpsc::unbounded_channel();
        let (may_answer, settled) = (Arc::new(Semaphore::new(0)), Arc::default());
        let slow = Slow {
            name,
            asked: told,
            may_answer: Arc::clone(&may_answer),
            settled: Arc::clone(&settled),
        };
        let courier = set_up(courier(outbox, Arc::new(slow)));
        let task = tokio::spawn(async move { courier.deliver_now().await.unwrap() });
        Self {
            asked,
            may_answer,
            settled,
            task,
        }
    }
}

#[tokio::test]
async fn an_item_under_way_is_not_taken_by_another_replica() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a")), ("a2", Some("a")), ("b", None)])
            .await;
        let mut first = Replica::delivers(desk.outbox.clone(), "first");
        assert_eq!(first.asked.recv().await.unwrap(), ["a1", "b"]);
        let second = Arc::new(Receiver::default());
        let other = courier(desk.replica().await, Arc::clone(&second) as _);
        other.deliver_now().await.unwrap();
        assert!(
            second.keys().is_empty(),
            "all is under way or waits behind it"
        );
        first.may_answer.add_permits(2);
        first.task.await.unwrap();
        assert_eq!(desk.has_receipts("a").await, ["first", "first"]);
    }
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_the_call_takes() {
    let lease = Duration::from_secs(3);
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a"))]).await;
        let mut first = Replica::delivers_as(desk.outbox.clone(), "first", |courier| {
            courier.with_lease(lease)
        });
        first.asked.recv().await.unwrap();
        let first_end = desk.lease_end().await;
        // a renewal counts from when it is made: this one was made after the first lease had ended
        let renewed = async {
            while desk.lease_end().await <= first_end + lease {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let looked = tokio::time::timeout(Duration::from_secs(60), renewed).await;
        looked.expect("the lease is renewed");
        let second = Arc::new(Receiver::default());
        let other = courier(desk.replica().await, Arc::clone(&second) as _);
        other.deliver_now().await.unwrap();
        assert!(second.keys().is_empty(), "it is still under way");
        first.may_answer.add_permits(1);
        first.task.await.unwrap();
        assert_eq!(desk.has_receipts("a").await, ["first"]);
    }
}

#[tokio::test]
async fn what_a_dead_courier_had_is_delivered_by_another_after_the_lease() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a")), ("a2", Some("a"))]).await;
        let mut dead = Replica::delivers(desk.outbox.clone(), "dead");
        dead.asked.recv().await.unwrap();
        dead.task.abort();
        dead.task.await.unwrap_err();
        let receiver = Arc::new(Receiver::default());
        let other = courier(desk.replica().await, Arc::clone(&receiver) as _);
        other.deliver_now().await.unwrap();
        assert!(receiver.keys().is_empty(), "the lease has not ended");
        desk.time_passes().await;
        other.deliver_now().await.unwrap();
        assert_eq!(receiver.keys(), ["a1", "a2"]);
    }
}

#[tokio::test]
async fn a_courier_that_lost_its_lease_settles_nothing() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        desk.keep(&[("a1", Some("a"))]).await;
        let mut stale = Replica::delivers(desk.outbox.clone(), "stale");
        stale.asked.recv().await.unwrap();
        desk.time_passes().await;
        let mut holder = Replica::delivers(desk.replica().await, "holder");
        holder.asked.recv().await.unwrap();

        stale.may_answer.add_permits(1);
        stale.task.await.unwrap();
        assert!(stale.settled.lock().unwrap().is_empty());
        let waiting = desk.outbox.list(State::Waiting, 10).await.unwrap();
        assert_eq!((waiting.len(), waiting[0].attempts), (1, 2));

        holder.may_answer.add_permits(1);
        holder.task.await.unwrap();
        assert_eq!(*holder.settled.lock().unwrap(), ["a1"]);
        assert_eq!(desk.has_receipts("a").await, ["holder"]);
    }
}

#[tokio::test]
async fn replicas_that_deliver_together_send_each_item_once_and_in_order() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        let keys: Vec<(String, String)> = (0..60)
            .map(|n| (format!("{n}"), format!("order {}", n % 7)))
            .collect();
        let items: Vec<_> = keys
            .iter()
            .map(|(key, order)| (key.as_str(), Some(order.as_str())))
            .collect();
        desk.keep(&items).await;
        let receiver = Arc::new(Receiver::default());
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let outbox = desk.replica().await;
            replicas.push(courier(outbox, Arc::clone(&receiver) as _).with_batch(3));
        }
        // one whose look finds everything under way goes home: the others finish
        join_all(
            replicas
                .iter()
                .map(|replica| async { replica.deliver_now().await.unwrap() }),
        )
        .await;
        let tried = receiver.keys();
        assert_eq!(tried.len(), 60);
        assert_eq!(tried.iter().collect::<HashSet<_>>().len(), 60);
        for order in 0..7 {
            let of_order: Vec<usize> = tried
                .iter()
                .map(|key| key.parse().unwrap())
                .filter(|n: &usize| n % 7 == order)
                .collect();
            assert!(of_order.is_sorted(), "{of_order:?}");
        }
    }
}
