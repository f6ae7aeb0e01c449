//! What stands in the workspace: windows of the newest forecast and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::scoring::v1::ScoreSummary;
use foretide_api::timestamp;
use foretide_api::writeback::v1::withdrawal_service_client::WithdrawalServiceClient;
use foretide_api::writeback::v1::write_back_service_client::WriteBackServiceClient;
use foretide_api::writeback::v1::{ListBatchesRequest, WithdrawForecastRequest};
use foretide_domain::{Role, RunId, RunningClock, SimulatedClock};
use foretide_emulator::{Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultAction, RuleConfig};
use foretide_logs_ingestion::DataCollectorConfig;
use foretide_scorer::config::WriteBackConfig;
use foretide_write_back::SinkKind;
use serde_json::Value;
use tonic::{Code, Status};
use url::Url;

use crate::risk::surge_in;
use crate::world::{Setting, World, eventually, now, request, write_back};

const SURGES: &str = "Predicted_Attack_Surge_CL";
const FORECASTS: &str = "PredictiveAlerting_CL";
const ENDPOINT: &str = "/dataCollectionRules/";

/// A workspace with both streams.
async fn azure() -> Arc<EmulatorHandle> {
    let streams = [
        "Custom-PredictiveAlerting_CL",
        "Custom-Predicted_Attack_Surge_CL",
    ];
    let config = EmulatorConfig {
        tenant: "contoso.example".to_owned(),
        rules: vec![RuleConfig {
            id: EmulatorConfig::RULE_ID.to_owned(),
            streams: streams.map(Into::into).to_vec(),
        }],
        ..EmulatorConfig::default()
    };
    Arc::new(
        Emulator::start(config, RunningClock::starting_at(now()).shared())
            .await
            .unwrap(),
    )
}

fn address(azure: &EmulatorHandle) -> Url {
    azure.base_url().parse().unwrap()
}

/// A scorer that writes to this workspace and foresees a surge.
async fn foreseeing(azure: &EmulatorHandle) -> World {
    let world = World::writing_to(&address(azure)).await;
    surge_in(&world).await;
    world
}

async fn score_as_of(world: &World, as_of: DateTime<Utc>) -> ScoreSummary {
    let mut request = request(RunId::new(), "risk_period");
    request.as_of = timestamp(as_of);
    world.score_request(request).await.unwrap()
}

/// The newest row of each key, as every query of the content pack reads the table.
fn newest(azure: &EmulatorHandle, table: &str) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    let moment =
        |row: &Value| -> DateTime<Utc> { row["IssuedAt"].as_str().unwrap().parse().unwrap() };
    for row in azure.rows(table) {
        let key = row["IdempotencyKey"].as_str().unwrap().to_owned();
        let is_newer = rows
            .get(&key)
            .is_none_or(|known: &Value| moment(known) < moment(&row));
        if is_newer {
            rows.insert(key, row);
        }
    }
    rows
}

/// Forecasts whose rows are not withdrawn.
fn standing(azure: &EmulatorHandle, table: &str) -> BTreeMap<String, usize> {
    let mut forecasts = BTreeMap::new();
    for row in newest(azure, table).values() {
        if row["Withdrawn"] != true {
            let forecast = row["ForecastId"].as_str().unwrap().to_owned();
            *forecasts.entry(forecast).or_default() += 1;
        }
    }
    forecasts
}

fn tombstones(azure: &EmulatorHandle, table: &str) -> Vec<Value> {
    let mut rows = azure.rows(table);
    rows.retain(|row| row["Withdrawn"] == true);
    rows
}

async fn withdraw(
    world: &World,
    roles: &[Role],
    forecast_id: &str,
    reason: &str,
) -> Result<String, Status> {
    let mut client = WithdrawalServiceClient::new(world.server.channel_of("olga", roles));
    let request = WithdrawForecastRequest {
        use_case: "risk_period".to_owned(),
        forecast_id: forecast_id.to_owned(),
        reason: reason.to_owned(),
    };
    let response = client.withdraw_forecast(request).await?.into_inner();
    Ok(response.reason)
}

#[tokio::test]
async fn a_new_forecast_takes_back_the_windows_of_the_one_before() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let first = score_as_of(&world, now()).await;
    assert_eq!(
        standing(&azure, SURGES).keys().collect::<Vec<_>>(),
        [&first.forecast_id]
    );
    let second = score_as_of(&world, now() + TimeDelta::hours(1)).await;
    assert_eq!(
        standing(&azure, SURGES).keys().collect::<Vec<_>>(),
        [&second.forecast_id]
    );
    let stones = tombstones(&azure, SURGES);
    assert_eq!(stones.len(), first.risk_windows as usize);
    for stone in &stones {
        assert_eq!(stone["ForecastId"], first.forecast_id);
        assert_eq!(stone["IssuedAt"], "2026-11-23T07:00:00.0000000Z");
        assert!(stone["Scope"].is_string(), "found by its scope: {stone}");
        assert!(stone["Probability"].is_null(), "nothing said: {stone}");
    }
    assert!(
        tombstones(&azure, FORECASTS).is_empty(),
        "hours are what was forecast: they stay"
    );
}

#[tokio::test]
async fn a_forecast_that_foresees_nothing_takes_back_what_was_foreseen() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    score_as_of(&world, now()).await;
    world.has_features(1.0);
    let calm = score_as_of(&world, now() + TimeDelta::hours(1)).await;
    let stands = standing(&azure, SURGES);
    assert!(
        stands.keys().all(|id| *id == calm.forecast_id),
        "{stands:?}"
    );
    assert!(!tombstones(&azure, SURGES).is_empty());
}

#[tokio::test]
async fn a_forecast_as_of_an_earlier_moment_announces_nothing() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let newest = score_as_of(&world, now() + TimeDelta::hours(2)).await;
    score_as_of(&world, now()).await;
    assert_eq!(
        standing(&azure, SURGES).keys().collect::<Vec<_>>(),
        [&newest.forecast_id]
    );
    assert!(tombstones(&azure, SURGES).is_empty());
}

#[tokio::test]
async fn what_may_have_arrived_without_an_answer_is_taken_back_too() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    // windows go first: the rows arrive, the answer does not, and then nothing is taken
    azure.add_fault(Fault::at(ENDPOINT, 1, FaultAction::drop_response()));
    azure.add_fault(Fault::at(ENDPOINT, 60, FaultAction::status(503)));
    let first = score_as_of(&world, now()).await;
    let second = score_as_of(&world, now() + TimeDelta::hours(1)).await;
    assert_ne!(first.forecast_id, second.forecast_id);
    eventually("only the second stands", || {
        standing(&azure, SURGES).keys().eq([&second.forecast_id])
    })
    .await;
}

#[tokio::test]
async fn throttled_tombstones_arrive_over_a_restart() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let first = score_as_of(&world, now()).await;
    azure.add_fault(Fault::at(ENDPOINT, u32::MAX, FaultAction::status(403)));
    score_as_of(&world, now() + TimeDelta::hours(1)).await;
    let world = world.restart(Some(address(&azure))).await;
    assert!(tombstones(&azure, SURGES).is_empty());
    // forgets the fault, and the rows that are there
    azure.reset();
    eventually("the tombstones arrive", || {
        tombstones(&azure, SURGES).len() == first.risk_windows as usize
    })
    .await;
    drop(world);
}

#[tokio::test]
async fn the_kill_switch_takes_windows_back_until_the_next_forecast() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    score_as_of(&world, now()).await;
    assert!(!standing(&azure, SURGES).is_empty());
    *world.broker.is_halted.lock().unwrap() = true;
    eventually("nothing stands", || standing(&azure, SURGES).is_empty()).await;
    score_as_of(&world, now() + TimeDelta::hours(1)).await;
    assert!(standing(&azure, SURGES).is_empty(), "nothing new either");
    *world.broker.is_halted.lock().unwrap() = false;
    let asked = || world.broker.asked.load(Ordering::SeqCst);
    let before = asked();
    // the first of them may have been answered before the release
    eventually("the scorer learns of the release", || asked() > before + 1).await;
    let next = score_as_of(&world, now() + TimeDelta::hours(2)).await;
    assert!(standing(&azure, SURGES).contains_key(&next.forecast_id));
}

#[tokio::test]
async fn a_withdrawn_forecast_leaves_tombstones_and_no_newest() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let first = score_as_of(&world, now()).await;
    let second = score_as_of(&world, now() + TimeDelta::hours(1)).await;
    world.context.clock.advance_to(now() + TimeDelta::hours(10));
    let operator = [Role::Operator];
    let reason = withdraw(&world, &operator, &second.forecast_id, "a wrong export").await;
    assert_eq!(reason.unwrap(), "a wrong export");
    assert!(standing(&azure, SURGES).is_empty());
    let stones = tombstones(&azure, FORECASTS);
    // hours that begin after the withdrawal, of the 72 that begin an hour after now
    assert_eq!(stones.len(), 72 - 10);
    assert!(
        stones
            .iter()
            .all(|row| row["ForecastId"] == second.forecast_id)
    );
    let served = world.forecast("risk_period", "").await.forecast.unwrap();
    assert_eq!(served.forecast_id, first.forecast_id);
    let again = withdraw(&world, &operator, &second.forecast_id, "once more").await;
    assert_eq!(again.unwrap(), "a wrong export", "the first counts");
    assert_eq!(tombstones(&azure, FORECASTS).len(), stones.len());
    eventually("the auditor was told", || {
        let events = world.auditor.events.lock().unwrap();
        events
            .values()
            .any(|event| event.action == "forecast.withdrawn")
    })
    .await;
}

#[tokio::test]
async fn withdrawing_needs_an_operator_a_reason_and_a_forecast() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let made = score_as_of(&world, now()).await;
    let operator = [Role::Operator];
    let unknown = RunId::new().to_string();
    let cases = [
        (
            &[Role::Viewer],
            made.forecast_id.as_str(),
            "x",
            Code::PermissionDenied,
        ),
        (
            &operator,
            made.forecast_id.as_str(),
            " ",
            Code::InvalidArgument,
        ),
        (&operator, "the last one", "x", Code::InvalidArgument),
        (&operator, unknown.as_str(), "x", Code::NotFound),
    ];
    for (roles, forecast, reason, expected) in cases {
        let refused = withdraw(&world, roles, forecast, reason).await.unwrap_err();
        assert_eq!(refused.code(), expected, "{}", refused.message());
    }
    assert!(tombstones(&azure, FORECASTS).is_empty());
}

#[tokio::test]
async fn accepted_rows_are_told_by_run_and_table() {
    let azure = azure().await;
    let world = foreseeing(&azure).await;
    let made = score_as_of(&world, now()).await;
    let mut client = WriteBackServiceClient::new(world.server.channel_of("vera", &[Role::Viewer]));
    let answer = client.list_batches(ListBatchesRequest::default()).await;
    let batches = answer.unwrap().into_inner().batches;
    let told: Vec<_> = batches
        .iter()
        .map(|batch| (batch.table.as_str(), batch.rows, batch.state.as_str()))
        .collect();
    let windows = u64::from(made.risk_windows);
    // 72 hours of the two series that are watched, and of the one that watches
    assert!(told.contains(&(FORECASTS, 216, "accepted")), "{told:?}");
    assert!(
        told.iter()
            .any(|batch| batch.0 == SURGES && batch.1 >= windows),
        "{told:?}"
    );
}

/// A scorer that writes with the workspace's shared key.
async fn with_shared_key(azure: &EmulatorHandle, key: &str) -> World {
    let legacy = WriteBackConfig {
        sink: SinkKind::DataCollector,
        rule: None,
        identity: None,
        data_collector: Some(DataCollectorConfig {
            workspace_id: "00000000-0000-4000-8000-00000000aaaa".to_owned(),
            shared_key: key.to_owned().into(),
            endpoint: Some(address(azure)),
        }),
        ..write_back(address(azure))
    };
    let world = World::with(Setting {
        write_back: Some(legacy),
        ..Setting::default()
    })
    .await;
    surge_in(&world).await;
    world
}

#[tokio::test]
async fn a_workspace_with_nothing_but_a_key_gets_the_same_rows_under_other_names() {
    let clock = Arc::new(SimulatedClock::starting_at(now()));
    let azure = Emulator::start(EmulatorConfig::default(), clock)
        .await
        .unwrap();
    let world = with_shared_key(&azure, azure.shared_key()).await;
    let first = score_as_of(&world, now()).await;
    assert_eq!((first.rows_delivered, first.rows_pending), (72, 0));
    let mut rows = azure.rows(FORECASTS);
    rows.retain(|row| row["ForecastId_g"] == first.forecast_id);
    assert_eq!(rows.len(), 72);
    assert_eq!(rows[0]["IssuedAt_t"], "2026-11-23T06:00:00.0000000Z");
    assert!(rows[0]["Predicted_d"].is_number());
    score_as_of(&world, now() + TimeDelta::hours(1)).await;
    let stones = azure.rows(SURGES);
    let stones = stones.iter().filter(|row| row["Withdrawn_b"] == true);
    assert_eq!(stones.count(), first.risk_windows as usize);
}

#[tokio::test]
async fn a_wrong_key_holds_rows_back() {
    let clock = Arc::new(SimulatedClock::starting_at(now()));
    let azure = Emulator::start(EmulatorConfig::default(), clock)
        .await
        .unwrap();
    let world = with_shared_key(&azure, "YW5vdGhlciBrZXk=").await;
    let held = score_as_of(&world, now()).await;
    assert_eq!((held.rows_delivered, held.rows_pending), (0, 72));
    assert!(azure.rows(FORECASTS).is_empty());
}
