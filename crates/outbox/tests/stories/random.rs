//! Whatever the receiver answers: what an outbox does beside a plain model of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use foretide_db::testing::TestDatabase;
use foretide_outbox::{Outcome, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::desk::{Desk, Receiver, courier, patient};

/// An item: its order key, how often it fails, and whether it is refused in the end.
type Plan = (Option<u8>, usize, bool);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (proptest::option::of(0..3_u8), 0..3_usize, any::<bool>());
    proptest::collection::vec(plan, 1..12)
}

fn answers(failures: usize, is_refused: bool) -> Vec<Outcome> {
    let failure = Outcome::Later {
        reason: "away".to_owned(),
        after: Some(Duration::from_secs(1)),
    };
    let mut answers = vec![failure; failures];
    if is_refused {
        answers.push(Outcome::Refused("no".to_owned()));
    } else {
        answers.push(Outcome::Delivered(None));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_those_of_a_plain_queue_for_each_order_key() {
    for kept in TestDatabase::every_engine().await {
        let desk = Desk::open(kept).await;
        let handle = tokio::runtime::Handle::current();
        let cases = AtomicU32::new(0);
        tokio::task::block_in_place(|| {
            let mut runner = TestRunner::new(Config {
                cases: 16,
                failure_persistence: None,
                ..Config::default()
            });
            let strategy = (plans(), 1..4_u64);
            runner
                .run(&strategy, |(plans, batch)| {
                    let case = cases.fetch_add(1, Ordering::Relaxed);
                    handle.block_on(check(&desk, case, &plans, batch))
                })
                .unwrap();
        });
    }
}

async fn check(desk: &Desk, case: u32, plans: &[Plan], batch: u64) -> Result<(), TestCaseError> {
    let name = |n: usize| format!("{case}/{n}");
    let order = |key: &Option<u8>| key.map(|key| format!("{case}/order {key}"));
    let receiver = Arc::new(Receiver::default());
    // the model: behind one order key, every item is tried to its end before the next
    let mut expected: HashMap<String, Vec<(String, Outcome)>> = HashMap::new();
    for (n, (key, failures, is_refused)) in plans.iter().enumerate() {
        let answers = answers(*failures, *is_refused);
        receiver.answers(&name(n), &answers);
        let queue = order(key).unwrap_or_else(|| name(n));
        let tries = answers.into_iter().map(|answer| (name(n), answer));
        expected.entry(queue).or_default().extend(tries);
        desk.keep(&[(&name(n), order(key).as_deref())]).await;
    }
    let couriers = [desk.outbox.clone(), desk.outbox.clone()].map(|outbox| {
        courier(outbox, Arc::clone(&receiver) as _)
            .with_batch(batch)
            .with_backoff(patient())
    });
    let tries: usize = expected.values().map(Vec::len).sum();
    for _ in 0..=tries {
        if desk.outbox.counts(None).await.unwrap().waiting == 0 {
            break;
        }
        desk.time_passes().await;
        let [one, other] = &couriers;
        let (one, other) = tokio::join!(one.deliver_now(), other.deliver_now());
        prop_assert!(one.is_ok() && other.is_ok());
    }
    let mut seen: HashMap<String, Vec<(String, Outcome)>> = HashMap::new();
    for (key, outcome) in receiver.tried.lock().unwrap().iter() {
        let n: usize = key.rsplit('/').next().unwrap().parse().unwrap();
        let queue = order(&plans[n].0).unwrap_or_else(|| name(n));
        seen.entry(queue)
            .or_default()
            .push((key.clone(), outcome.clone()));
    }
    prop_assert_eq!(seen, expected);
    let refused = desk.outbox.list(State::Refused, 10_000).await.unwrap();
    let of_case = refused
        .iter()
        .filter(|item| item.key.starts_with(&format!("{case}/")));
    let mut refused: Vec<_> = of_case.map(|item| item.key.clone()).collect();
    refused.sort();
    let mut expected: Vec<_> = (0..plans.len()).filter(|n| plans[*n].2).map(name).collect();
    expected.sort();
    prop_assert_eq!(refused, expected);
    prop_assert_eq!(desk.outbox.counts(None).await.unwrap().waiting, 0);
    Ok(())
}
