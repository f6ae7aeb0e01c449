//! Planning incidents: proposed, approved, one open a scope, never closed.

use chrono::{DateTime, TimeDelta, Utc};
use foretide_api::actions::v1::{Proposal, ProposalState};
use foretide_broker::config::{Config, PlanningConfig, PlanningMode};
use foretide_emulator::{ArmConfig, EmulatorConfig, Fault, FaultAction};
use foretide_entra::IdentityConfig;
use foretide_sentinel_arm::WorkspaceConfig;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use crate::soc::{Soc, approve, until};

const INCIDENTS: &str = "Microsoft.SecurityInsights/incidents";
const COMMENTS: &str = "Microsoft.SecurityInsights/incidents/comments";
const ARM: &str = "/subscriptions/";
const KIND: &str = "planning_incident";

/// Incidents are written directly to the emulator, which also takes the notices.
fn direct(config: &mut Config) {
    let webhook = config.teams.as_ref().unwrap().webhook_url.expose_secret();
    let mut azure: Url = webhook.parse().unwrap();
    azure.set_path("/");
    azure.set_query(None);
    let arm = ArmConfig::default();
    let identity = IdentityConfig::client_secret(EmulatorConfig::TENANT, "broker", "any".into())
        .at(azure.clone());
    config.planning_incidents = PlanningConfig {
        mode: PlanningMode::Direct,
        workspace: Some(WorkspaceConfig {
            endpoint: azure,
            audience: foretide_sentinel_arm::PUBLIC_CLOUD_AUDIENCE.to_owned(),
            subscription_id: arm.subscription_id,
            resource_group: arm.resource_group,
            workspace: arm.workspace,
        }),
        identity: Some(identity),
    };
}

async fn soc() -> Soc {
    Soc::start_with(direct).await
}

/// Proposals of a forecast with two windows; the planning incident among them.
async fn proposed(soc: &Soc, issued_at: DateTime<Utc>, first: TimeDelta) -> Proposal {
    let (run_id, forecast) = soc.world.forecast(issued_at, "valid");
    soc.world.window(forecast, issued_at + first);
    soc.world
        .window(forecast, issued_at + first + TimeDelta::hours(10));
    let summary = soc.propose(run_id).await;
    assert_eq!(summary.reason, "");
    let mut planned = Vec::new();
    for id in &summary.proposal_ids {
        let proposal = soc.get(id).await;
        if proposal.action_kind == KIND {
            planned.push(proposal);
        }
    }
    assert_eq!(summary.proposal_ids.len(), 3, "two notices, one incident");
    assert_eq!(planned.len(), 1, "one a scope, about its next window");
    planned.remove(0)
}

fn incidents(soc: &Soc) -> Vec<Value> {
    soc.emulator.arm_resources(INCIDENTS)
}

fn writes(soc: &Soc) -> usize {
    let requests = soc.emulator.requests(ARM);
    requests.iter().filter(|one| one.method != "GET").count()
}

fn outcome(proposal: &Proposal) -> &str {
    &proposal.execution.as_ref().unwrap().outcome
}

/// What a person does in the portal.
async fn close_by_hand(soc: &Soc) {
    let http = foretide_http::client(&foretide_http::ClientOptions::default()).unwrap();
    let azure = soc.emulator.base_url();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "a-person"),
        ("client_secret", "any"),
        ("scope", "https://management.azure.com/.default"),
    ];
    let address = format!("{azure}/{}/oauth2/v2.0/token", EmulatorConfig::TENANT);
    let token: Value = http
        .post(address)
        .form(&form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let incident = incidents(soc).remove(0);
    let mut body = json!({ "properties": incident["properties"] });
    body["properties"]["status"] = json!("Closed");
    body["properties"]["classification"] = json!("BenignPositive");
    body["properties"]["classificationReason"] = json!("SuspiciousButExpected");
    let id = incident["id"].as_str().unwrap();
    let answer = http
        .put(format!("{azure}{id}?api-version=2025-09-01"))
        .bearer_auth(token["access_token"].as_str().unwrap())
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
}

#[tokio::test]
async fn a7_an_approved_incident_is_written_and_a_later_forecast_updates_it() {
    let soc = soc().await;
    let now = soc.context.ctx.clock.now();
    let first = proposed(&soc, now, TimeDelta::hours(26)).await;
    assert!(first.title.starts_with("Foretide: predicted surge"));
    assert_eq!(writes(&soc), 0, "nothing is written before the approval");
    let done = approve(soc.approver(), &first).await.unwrap();
    assert_eq!(done.state(), ProposalState::Executed, "{}", outcome(&done));
    assert!(
        outcome(&done).starts_with("created incident"),
        "{}",
        outcome(&done)
    );
    let made = incidents(&soc);
    assert_eq!(made.len(), 1);
    let properties = &made[0]["properties"];
    assert_eq!(properties["status"], "New");
    let description = properties["description"].as_str().unwrap();
    assert!(
        description.contains("Scope: risk_period/total"),
        "{description}"
    );
    assert!(description.len() < 2_600, "{}", description.len());

    soc.context.clock.advance_to(now + TimeDelta::hours(3));
    let second = proposed(&soc, now + TimeDelta::hours(3), TimeDelta::hours(30)).await;
    let done = approve(soc.approver(), &second).await.unwrap();
    assert!(
        outcome(&done).starts_with("updated incident"),
        "{}",
        outcome(&done)
    );
    let then = incidents(&soc);
    assert_eq!(then.len(), 1, "one open a scope");
    assert_eq!(then[0]["name"], made[0]["name"]);
    assert_ne!(then[0]["properties"]["title"], properties["title"]);
    assert_eq!(
        soc.emulator.arm_resources(COMMENTS).len(),
        2,
        "one a forecast"
    );
}

#[tokio::test]
async fn what_a_person_closed_stays_closed() {
    let soc = soc().await;
    let now = soc.context.ctx.clock.now();
    let first = proposed(&soc, now, TimeDelta::hours(26)).await;
    approve(soc.approver(), &first).await.unwrap();
    close_by_hand(&soc).await;
    soc.context.clock.advance_to(now + TimeDelta::hours(1));
    // the same window, an hour nearer
    let again = proposed(&soc, now + TimeDelta::hours(1), TimeDelta::hours(25)).await;
    let done = approve(soc.approver(), &again).await.unwrap();
    assert_eq!(done.state(), ProposalState::Executed);
    assert!(
        outcome(&done).contains("stays closed"),
        "{}",
        outcome(&done)
    );
    assert_eq!(incidents(&soc)[0]["properties"]["status"], "Closed");
}

#[tokio::test]
async fn what_sentinel_did_not_take_or_answer_ends_in_one_incident() {
    let faults = [
        FaultAction::status(503),
        FaultAction::throttle(1),
        FaultAction::drop_response(),
    ];
    for fault in faults {
        let soc = soc().await;
        let now = soc.context.ctx.clock.now();
        let proposal = proposed(&soc, now, TimeDelta::hours(26)).await;
        let mut on_write = Fault::at(ARM, 1, fault.clone());
        on_write.matching.method = Some("PUT".to_owned());
        soc.emulator.add_fault(on_write);
        let done = approve(soc.approver(), &proposal).await.unwrap();
        assert_eq!(
            done.state(),
            ProposalState::Executed,
            "{fault:?}: {}",
            outcome(&done)
        );
        assert_eq!(incidents(&soc).len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_race_is_read_again() {
    let soc = soc().await;
    let now = soc.context.ctx.clock.now();
    let first = proposed(&soc, now, TimeDelta::hours(26)).await;
    approve(soc.approver(), &first).await.unwrap();
    soc.context.clock.advance_to(now + TimeDelta::hours(3));
    let second = proposed(&soc, now + TimeDelta::hours(3), TimeDelta::hours(30)).await;
    let mut conflict = Fault::at(ARM, 1, FaultAction::etag_conflict());
    conflict.matching.method = Some("PUT".to_owned());
    soc.emulator.add_fault(conflict);
    let done = approve(soc.approver(), &second).await.unwrap();
    assert!(
        outcome(&done).starts_with("updated incident"),
        "{}",
        outcome(&done)
    );
}

#[tokio::test]
async fn a_refusal_says_which_role_is_missing() {
    let soc = soc().await;
    let now = soc.context.ctx.clock.now();
    let proposal = proposed(&soc, now, TimeDelta::hours(26)).await;
    let mut refusal = Fault::at(ARM, 1, FaultAction::status(403));
    refusal.matching.method = Some("PUT".to_owned());
    soc.emulator.add_fault(refusal);
    let failed = approve(soc.approver(), &proposal).await.unwrap();
    assert_eq!(failed.state(), ProposalState::Failed);
    assert!(outcome(&failed).contains("role"), "{}", outcome(&failed));
    assert!(incidents(&soc).is_empty());
}

#[tokio::test]
async fn the_kill_switch_keeps_an_incident_from_being_written() {
    let soc = soc().await;
    let now = soc.context.ctx.clock.now();
    let proposal = proposed(&soc, now, TimeDelta::hours(26)).await;
    soc.set_kill_switch(soc.operator(), true).await.unwrap();
    approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(writes(&soc), 0);
}

#[tokio::test]
async fn by_the_rule_nothing_is_proposed_here() {
    let soc = Soc::start().await;
    let notice = soc.proposed().await;
    assert_eq!(notice.action_kind, "teams_notice");
    until("nothing was written", async || writes(&soc) == 0).await;
}

#[test]
fn the_direct_way_needs_a_workspace_and_an_identity() {
    let config = Config {
        planning_incidents: PlanningConfig {
            mode: PlanningMode::Direct,
            ..PlanningConfig::default()
        },
        ..Config::default()
    };
    let problem = config.validate().unwrap_err();
    assert_eq!(problem.key, "planning_incidents.workspace");
}
