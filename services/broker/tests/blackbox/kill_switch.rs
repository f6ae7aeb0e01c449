//! The kill switch.

use chrono::TimeDelta;
use foretide_api::actions::v1 as wire;
use foretide_api::actions::v1::ProposalState;
use foretide_domain::Role;
use foretide_emulator::{Fault, FaultAction};
use tonic::Code;

use crate::soc::{Soc, approve, monday, until};

#[tokio::test]
async fn it_stops_proposing_and_approving_until_an_approver_releases_it() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let engaged = soc.set_kill_switch(soc.operator(), true).await.unwrap();
    assert_eq!(
        (engaged.engaged, engaged.changed_by.as_str()),
        (true, "ada")
    );

    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("kill switch"),
        "{}",
        refused.message()
    );
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, monday() + TimeDelta::hours(30));
    let summary = soc.propose(run_id).await;
    assert!(summary.reason.contains("kill switch"), "{}", summary.reason);

    let refused = soc
        .set_kill_switch(soc.operator(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let soc = soc.restart_after(TimeDelta::seconds(1)).await;
    let request = wire::GetKillSwitchRequest {};
    let kept = soc
        .service()
        .get_kill_switch(request)
        .await
        .unwrap()
        .into_inner();
    assert!(kept.kill_switch.unwrap().engaged, "it survives a restart");
    soc.set_kill_switch(soc.approver(), false).await.unwrap();
    let executed = approve(soc.approver(), &proposal).await.unwrap();
    assert_eq!(executed.state(), ProposalState::Executed);
    soc.until_audited("execution.succeeded").await;
    let actions = soc.world.audited_actions();
    assert!(actions.contains(&"kill_switch.engaged".to_owned()));
    assert!(actions.contains(&"kill_switch.released".to_owned()));
}

#[tokio::test]
async fn only_people_who_may_touch_it() {
    let soc = Soc::start().await;
    for caller in [soc.service(), soc.person("eve", &[Role::Viewer])] {
        let refused = soc.set_kill_switch(caller, true).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let request = wire::SetKillSwitchRequest {
        engaged: true,
        reason: " ".to_owned(),
    };
    let refused = soc.operator().set_kill_switch(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn it_breaks_off_what_is_under_way() {
    let soc = Soc::start_with(|config| {
        config.teams.as_mut().unwrap().timeout_seconds = 30;
    })
    .await;
    soc.emulator
        .add_fault(Fault::at("/workflows/", 1, FaultAction::delay_ms(20_000)));
    let proposal = soc.proposed().await;
    let approver = soc.approver();
    let approval = tokio::spawn({
        let proposal = proposal.clone();
        async move { approve(approver, &proposal).await }
    });
    until("the notice is on its way", async || soc.posted().len() == 1).await;
    let (replica, _) = soc.replica().await;
    let roles = [Role::Operator];
    let elsewhere = crate::soc::Client::new(replica.channel_of("bob", &roles));
    soc.set_kill_switch(elsewhere, true).await.unwrap();
    let stopped = approval.await.unwrap().unwrap();
    assert_eq!(stopped.state(), ProposalState::Failed);
    let outcome = stopped.execution.unwrap().outcome;
    assert!(outcome.contains("kill switch"), "{outcome}");
}
