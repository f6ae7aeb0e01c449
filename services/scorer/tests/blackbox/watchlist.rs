//! The watchlist of what carries the next high-risk period.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use foretide_api::timestamp;
use foretide_domain::{Phase, RunId, RunningClock};
use foretide_emulator::{ArmConfig, Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultAction};
use foretide_entra::IdentityConfig;
use foretide_scorer::config::WatchlistConfig;
use foretide_sentinel_arm::{PUBLIC_CLOUD_AUDIENCE, WorkspaceConfig};
use serde_json::Value;

use crate::risk::surge_in;
use crate::world::{Setting, World, eventually, now, request};

const ITEMS: &str = "Microsoft.SecurityInsights/watchlists/watchlistItems";
const LISTS: &str = "Microsoft.SecurityInsights/watchlists";
const ARM: &str = "/subscriptions/";

async fn azure() -> EmulatorHandle {
    Emulator::start(
        EmulatorConfig::default(),
        RunningClock::starting_at(now()).shared(),
    )
    .await
    .unwrap()
}

fn config(azure: &EmulatorHandle) -> WatchlistConfig {
    let address: url::Url = azure.base_url().parse().unwrap();
    let arm = ArmConfig::default();
    WatchlistConfig {
        workspace: WorkspaceConfig {
            endpoint: address.clone(),
            audience: PUBLIC_CLOUD_AUDIENCE.to_owned(),
            subscription_id: arm.subscription_id,
            resource_group: arm.resource_group,
            workspace: arm.workspace,
        },
        identity: IdentityConfig::client_secret(EmulatorConfig::TENANT, "scorer", "any".into())
            .at(address),
        alias: "ForetideHighRisk".to_owned(),
        use_case: "risk_period".parse().unwrap(),
        most_items: 50,
        monthly_changes: 10_000,
        every_seconds: 1,
    }
}

/// A scorer that keeps the watchlist, and has foreseen a surge.
async fn keeping(config: WatchlistConfig, phase: Phase) -> World {
    let world = World::with(Setting {
        watchlist: Some(config),
        ..Setting::default()
    })
    .await;
    *world.auditor.phase.lock().unwrap() = Some(phase);
    surge_in(&world).await;
    world.score(RunId::new(), "risk_period").await.unwrap();
    world
}

fn items(azure: &EmulatorHandle) -> BTreeMap<String, Value> {
    let resources = azure.arm_resources(ITEMS).into_iter();
    let fields = resources.map(|mut item| item["properties"]["itemsKeyValue"].take());
    fields
        .map(|fields| (fields["Scope"].as_str().unwrap().to_owned(), fields))
        .collect()
}

/// Items of a period: the scope, and the one part that is watched.
const PERIOD_ITEMS: u32 = 2;

fn lists_the_period(azure: &EmulatorHandle) -> bool {
    items(azure).len() == PERIOD_ITEMS as usize
}

fn writes(azure: &EmulatorHandle) -> usize {
    let requests = azure.requests(ARM);
    requests.iter().filter(|one| one.method != "GET").count()
}

/// Two further looks begin, so that one has ended.
async fn looked_again(world: &World) {
    let asked = || world.auditor.phases_asked.load(Ordering::SeqCst);
    let before = asked();
    eventually("the phase is asked for again", || asked() > before + 1).await;
}

#[tokio::test]
async fn a3_in_shadow_nothing_is_written() {
    let azure = azure().await;
    let world = keeping(config(&azure), Phase::Shadow).await;
    looked_again(&world).await;
    assert_eq!(writes(&azure), 0);
}

#[tokio::test]
async fn from_assisted_on_the_list_follows_the_forecast_by_difference() {
    let azure = azure().await;
    let world = keeping(config(&azure), Phase::Assisted).await;
    eventually("the scope is listed", || {
        items(&azure).contains_key("risk_period/total")
    })
    .await;
    let scope = items(&azure).remove("risk_period/total").unwrap();
    for column in [
        "UseCase",
        "WindowStart",
        "WindowEnd",
        "ProbabilityPercent",
        "RunId",
    ] {
        assert!(scope[column].is_string(), "{column} in {scope}");
    }
    looked_again(&world).await;
    let after_the_first = writes(&azure);
    // a new run that says the same
    world.score(RunId::new(), "risk_period").await.unwrap();
    looked_again(&world).await;
    assert_eq!(writes(&azure), after_the_first, "no news, no write");
    assert_eq!(
        items(&azure)["risk_period/total"],
        scope,
        "the first run said it"
    );
    // and one that foresees nothing
    world.has_features(1.0);
    let mut calm = request(RunId::new(), "risk_period");
    calm.as_of = timestamp(now() + TimeDelta::hours(1));
    world.score_request(calm).await.unwrap();
    eventually("the list is empty", || items(&azure).is_empty()).await;
    assert_eq!(azure.arm_resources(LISTS).len(), 1, "the list stays");
}

#[tokio::test]
async fn an_incomplete_forecast_changes_nothing() {
    let azure = azure().await;
    let world = World::with(Setting {
        watchlist: Some(config(&azure)),
        ..Setting::default()
    })
    .await;
    *world.auditor.phase.lock().unwrap() = Some(Phase::Assisted);
    world.is_ready("risk_period").await;
    world.has_features(0.4);
    world.score(RunId::new(), "risk_period").await.unwrap();
    looked_again(&world).await;
    assert_eq!(writes(&azure), 0);
}

#[tokio::test]
async fn without_a_phase_nothing_is_written() {
    let azure = azure().await;
    let world = keeping(config(&azure), Phase::Assisted).await;
    eventually("the scope is listed", || !items(&azure).is_empty()).await;
    *world.auditor.is_down.lock().unwrap() = true;
    looked_again(&world).await;
    let before = writes(&azure);
    world.has_features(1.0);
    world.score(RunId::new(), "risk_period").await.unwrap();
    looked_again(&world).await;
    assert_eq!(writes(&azure), before);
}

#[tokio::test]
async fn a9_beyond_its_share_of_the_month_nothing_is_touched() {
    let azure = azure().await;
    let few = WatchlistConfig {
        monthly_changes: PERIOD_ITEMS,
        ..config(&azure)
    };
    let world = keeping(few, Phase::Assisted).await;
    eventually("the changes are made", || lists_the_period(&azure)).await;
    world.has_features(1.0);
    let mut calm = request(RunId::new(), "risk_period");
    calm.as_of = timestamp(now() + TimeDelta::hours(1));
    world.score_request(calm).await.unwrap();
    looked_again(&world).await;
    assert!(
        lists_the_period(&azure),
        "removing an item would be one change more"
    );
    // over a restart the month's changes are remembered
    let folder = Arc::clone(&world.context.folder);
    world.server.stop().await;
    let again = World::with(Setting {
        watchlist: Some(WatchlistConfig {
            monthly_changes: PERIOD_ITEMS,
            ..config(&azure)
        }),
        folder: Some(folder),
        ..Setting::default()
    })
    .await;
    *again.auditor.phase.lock().unwrap() = Some(Phase::Assisted);
    looked_again(&again).await;
    assert!(lists_the_period(&azure));
}

#[tokio::test]
async fn what_sentinel_refused_or_did_not_answer_is_done_at_the_next_look() {
    let faults = [
        FaultAction::status(403),
        FaultAction::throttle(3_600),
        FaultAction::drop_response(),
    ];
    for action in faults {
        let azure = azure().await;
        let mut fault = Fault::at(ARM, 1, action.clone());
        fault.matching.method = Some("PUT".to_owned());
        // the list is made, its item is not
        fault.skip = 1;
        azure.add_fault(fault);
        let world = keeping(config(&azure), Phase::Assisted).await;
        eventually(&format!("the item is there after {action:?}"), || {
            lists_the_period(&azure)
        })
        .await;
        drop(world);
    }
}
