//! How far use cases may go.

use chrono::TimeDelta;
use foretide_api::governance::v1 as wire;
use foretide_api::types::v1::Phase;
use foretide_auditor::config::Config;
use foretide_domain::{Principal, Role};
use tonic::Code;

use crate::soc::{Client, Soc, TOTAL, monday};

fn beginning_assisted() -> Config {
    let mut config = Config::default();
    let assisted = foretide_domain::Phase::Assisted;
    config
        .initial_phases
        .insert("attack_volume".parse().unwrap(), assisted);
    config
}

#[tokio::test]
async fn every_use_case_begins_in_shadow_unless_configured_otherwise() {
    let soc = Soc::start_with(beginning_assisted()).await;
    let phases = soc
        .service()
        .list_phases(wire::ListPhasesRequest {})
        .await
        .unwrap();
    let phases: Vec<_> = phases
        .into_inner()
        .states
        .into_iter()
        .map(|state| (state.use_case.clone(), state.phase()))
        .collect();
    let expected = [
        ("attack_volume".to_owned(), Phase::Assisted),
        ("risk_period".to_owned(), Phase::Shadow),
    ];
    assert_eq!(phases, expected);
    assert_eq!(
        soc.actions_in_audit_log().await,
        ["phase.begun", "phase.begun"]
    );
}

#[tokio::test]
async fn the_initial_phase_is_applied_once() {
    let soc = Soc::start_with(beginning_assisted()).await;
    soc.set_phase(soc.approver(), Phase::Shadow, "holidays")
        .await
        .unwrap();
    let soc = soc.restart_with(beginning_assisted()).await;
    let state = soc.phase().await;
    assert_eq!(
        (state.phase(), state.reason.as_str()),
        (Phase::Shadow, "holidays")
    );
    let actions = soc.actions_in_audit_log().await;
    assert_eq!(actions, ["phase.begun", "phase.begun", "phase.lowered"]);
    assert!(soc.verify().await.intact);
}

#[tokio::test]
async fn a_phase_is_raised_by_a_person_one_step_at_a_time_with_a_passed_gate() {
    let mut config = Config::default();
    config.gate.coverage_80_most = 1.0;
    config.gate.pinball_ratio_most = 10.0;
    let soc = Soc::start_with(config).await;
    let refused = soc
        .set_phase(soc.approver(), Phase::Assisted, "go")
        .await
        .unwrap_err();
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "inconclusive: {}",
        refused.message()
    );

    // Every forecast names exactly what happens, so that even seasonal naive is not better.
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(60));
    for day in 0..14 {
        let start = monday() + TimeDelta::days(day);
        soc.world
            .forecast("attack_volume", start, &[TOTAL], [11.0; 5]);
    }
    let as_of = monday() + TimeDelta::days(15);
    soc.world.settle(as_of);
    soc.context.clock.advance_to(as_of);
    soc.evaluate(as_of).await;

    let too_far = soc
        .set_phase(soc.approver(), Phase::Proactive, "go")
        .await
        .unwrap_err();
    assert_eq!(too_far.code(), Code::FailedPrecondition);
    let raised = soc
        .set_phase(soc.approver(), Phase::Assisted, "two good weeks")
        .await
        .unwrap();
    assert_eq!(
        (raised.phase(), raised.changed_by.as_str()),
        (Phase::Assisted, "grace")
    );
    let again = soc
        .set_phase(soc.approver(), Phase::Assisted, "again")
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert_eq!(
        soc.actions_in_audit_log().await.last().unwrap(),
        "phase.raised"
    );
}

#[tokio::test]
async fn nobody_else_changes_a_phase() {
    let soc = Soc::start_with(beginning_assisted()).await;
    let service_with_the_role = Principal {
        name: "service:console".to_owned(),
        roles: vec![Role::Service, Role::Approver],
    };
    let callers = [
        soc.service(),
        soc.person("bob", &[Role::Viewer, Role::Operator]),
        Client::new(soc.server.channel_as(service_with_the_role)),
    ];
    for caller in callers {
        let refused = soc
            .set_phase(caller, Phase::Shadow, "because")
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let without_reason = soc
        .set_phase(soc.approver(), Phase::Shadow, " \n")
        .await
        .unwrap_err();
    assert_eq!(without_reason.code(), Code::InvalidArgument);
    let nothing = soc
        .set_phase(soc.approver(), Phase::Unspecified, "hm")
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    assert_eq!(soc.phase().await.phase(), Phase::Assisted);
}

#[tokio::test]
async fn intervals_that_cover_everything_do_not_pass() {
    let soc = Soc::start().await;
    soc.world
        .counts(TOTAL, 11.0, monday() - TimeDelta::days(60));
    for day in 0..14 {
        let start = monday() + TimeDelta::days(day);
        soc.world
            .forecast("attack_volume", start, &[TOTAL], [11.0; 5]);
    }
    let as_of = monday() + TimeDelta::days(15);
    soc.world.settle(as_of);
    soc.context.clock.advance_to(as_of);
    soc.evaluate(as_of).await;
    let refused = soc
        .set_phase(soc.approver(), Phase::Assisted, "go")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("inconclusive"),
        "{}",
        refused.message()
    );
}
