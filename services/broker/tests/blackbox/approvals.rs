//! Who may say yes, to what, and until when.

use chrono::TimeDelta;
use foretide_api::actions::v1 as wire;
use foretide_api::actions::v1::ProposalState;
use foretide_api::types::v1::Phase;
use foretide_db::Database;
use foretide_db::testing::TestDatabase;
use foretide_domain::{Principal, Role};
use sea_orm::ConnectionTrait;
use tonic::Code;

use crate::soc::{Client, Soc, approve, monday, reject};

#[tokio::test]
async fn an_approval_sends_exactly_what_was_read() {
    for database in TestDatabase::every_engine().await {
        let soc = Soc::start_on(database).await;
        let proposal = soc.proposed().await;
        let executed = approve(soc.approver(), &proposal).await.unwrap();
        assert_eq!(executed.state(), ProposalState::Executed);
        let [decision] = executed.decisions.as_slice() else {
            panic!("{executed:?}")
        };
        assert_eq!(
            (
                decision.verdict.as_str(),
                decision.decided_by.as_str(),
                decision.route.as_str()
            ),
            ("approve", "grace", "cli")
        );
        let execution = executed.execution.unwrap();
        assert_eq!(execution.attempts, 1);
        assert!(execution.finished_at.is_some());

        let posted = soc.posted();
        let [request] = posted.as_slice() else {
            panic!("{posted:?}")
        };
        let read: serde_json::Value = serde_json::from_str(&proposal.payload_json).unwrap();
        assert_eq!(request.body, read);
        soc.until_audited("execution.succeeded").await;
        let expected = [
            "proposal.created",
            "proposal.approved",
            "execution.started",
            "execution.succeeded",
        ];
        assert_eq!(soc.world.audited_actions(), expected);
        let approved = &soc.world.audit()[1];
        assert_eq!(
            (approved.actor.as_str(), &approved.run_id),
            ("grace", &proposal.run_id)
        );
        assert!(approved.details_json.contains(&proposal.payload_hash));
    }
}

#[tokio::test]
async fn nobody_approves_their_own_proposal_however_they_write_their_name() {
    let soc = Soc::start().await;
    let request = wire::CreateProposalRequest {
        use_case: "risk_period".to_owned(),
        title: "Busy night".to_owned(),
        message: "Stay late".to_owned(),
    };
    let response = soc.operator().create_proposal(request).await.unwrap();
    let proposal = response.into_inner().proposal.unwrap();
    for name in ["ada", "ADA", " Ada ", "a da"] {
        let caller = soc.person(name, &[Role::Operator, Role::Approver]);
        let refused = approve(caller, &proposal).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{name}");
        assert!(
            refused.message().contains("their own"),
            "{}",
            refused.message()
        );
    }
    soc.until_audited("proposal.decision_refused").await;
    assert!(soc.posted().is_empty());
    assert_eq!(
        soc.get(&proposal.proposal_id).await.state(),
        ProposalState::Waiting
    );
}

#[tokio::test]
async fn services_and_callers_without_the_role_approve_nothing() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let with_every_role = Principal {
        name: "service:console".to_owned(),
        roles: vec![Role::Operator, Role::Approver, Role::Service],
    };
    let callers = [
        soc.service(),
        Client::new(soc.server.channel_as(with_every_role)),
        soc.operator(),
        soc.person("eve", &[Role::Viewer]),
        soc.person("nobody", &[]),
    ];
    for caller in callers {
        let refused = approve(caller.clone(), &proposal).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let refused = reject(caller, &proposal).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn another_hash_than_the_payloads_is_refused() {
    let soc = Soc::start().await;
    let mut proposal = soc.proposed().await;
    let right = std::mem::replace(&mut proposal.payload_hash, "0".repeat(64));
    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    for malformed in [
        String::new(),
        right.to_uppercase(),
        format!("{right}0"),
        "x".repeat(64),
    ] {
        proposal.payload_hash = malformed;
        let refused = approve(soc.approver(), &proposal).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn a_payload_that_was_altered_in_the_table_is_not_sent() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let database = Database::connect(&soc.context.ctx.database, "broker")
        .await
        .unwrap();
    let statement = "UPDATE proposal SET payload = replace(payload, '73%', '99%')";
    database
        .connection()
        .execute_unprepared(statement)
        .await
        .unwrap();
    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("payload"),
        "{}",
        refused.message()
    );
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn a_proposal_of_an_older_policy_has_to_be_proposed_again() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let database = Database::connect(&soc.context.ctx.database, "broker")
        .await
        .unwrap();
    let statement = "UPDATE proposal SET policy_version = '0+older'";
    database
        .connection()
        .execute_unprepared(statement)
        .await
        .unwrap();
    // What counts is the policy in force, not what the row says of itself.
    assert_eq!(
        approve(soc.approver(), &proposal).await.unwrap().state(),
        ProposalState::Executed
    );

    let stricter = Soc::start_with(|config| config.policy.quorum = 2).await;
    let other = stricter.proposed().await;
    assert_ne!(other.policy_version, proposal.policy_version);
}

#[tokio::test]
async fn time_rejects() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    soc.context
        .clock
        .advance_to(monday() + TimeDelta::hours(24));
    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("expired"),
        "{}",
        refused.message()
    );
    assert_eq!(
        soc.get(&proposal.proposal_id).await.state(),
        ProposalState::Expired
    );
    assert_eq!(soc.list(ProposalState::Expired).await.len(), 1);
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn a_notice_expires_with_the_period_it_is_about() {
    let soc = Soc::start().await;
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, monday() - TimeDelta::hours(2));
    let summary = soc.propose(run_id).await;
    let proposal = soc.get(&summary.proposal_ids[0]).await;
    let end = foretide_api::timestamp(monday() + TimeDelta::hours(6));
    assert_eq!(proposal.expires_at, end);
}

#[tokio::test]
async fn a_no_is_final() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let rejected = reject(soc.approver(), &proposal).await.unwrap();
    assert_eq!(rejected.state(), ProposalState::Rejected);
    assert_eq!(rejected.decisions[0].comment, "a holiday");
    let other = soc.person("edsger", &[Role::Approver]);
    let refused = approve(other, &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    soc.until_audited("proposal.decision_refused").await;
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn a_quorum_of_two_needs_two_people() {
    let soc = Soc::start_with(|config| config.policy.quorum = 2).await;
    let proposal = soc.proposed().await;
    let first = approve(soc.approver(), &proposal).await.unwrap();
    assert_eq!(first.state(), ProposalState::Waiting);
    let again = approve(soc.person("Grace", &[Role::Approver]), &proposal)
        .await
        .unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert!(soc.posted().is_empty());
    let second = approve(soc.person("edsger", &[Role::Approver]), &proposal)
        .await
        .unwrap();
    assert_eq!(
        (second.state(), second.decisions.len()),
        (ProposalState::Executed, 2)
    );
    assert_eq!(soc.posted().len(), 1);
}

#[tokio::test]
async fn many_approvals_at_once_send_one_notice() {
    for database in TestDatabase::every_engine().await {
        let soc = Soc::start_on(database).await;
        let proposal = soc.proposed().await;
        let (_replica, other) = soc.replica().await;
        let approvals = (0..10).map(|number| {
            let name = format!("approver-{number}");
            let caller = match number % 2 {
                0 => soc.person(&name, &[Role::Approver]),
                _ => other.clone(),
            };
            approve(caller, &proposal)
        });
        let outcomes = futures::future::join_all(approvals).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(soc.posted().len(), 1);
        let settled = soc
            .until_state(&proposal.proposal_id, ProposalState::Executed)
            .await;
        assert_eq!(settled.decisions.len(), 1);
    }
}

#[tokio::test]
async fn a_phase_that_was_lowered_meanwhile_forbids_it() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    soc.world.phase(Phase::Shadow);
    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("shadow"),
        "{}",
        refused.message()
    );
    soc.world.auditor_is_down(true);
    let unknown = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unavailable);
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn without_a_webhook_approving_names_the_key_to_set() {
    let soc = Soc::start_with(|config| config.teams = None).await;
    let proposal = soc.proposed().await;
    let refused = approve(soc.approver(), &proposal).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("broker.teams.webhook_url"),
        "{}",
        refused.message()
    );
    let waiting = soc.get(&proposal.proposal_id).await;
    assert_eq!(
        (waiting.state(), waiting.decisions.len()),
        (ProposalState::Waiting, 0)
    );
}

#[tokio::test]
async fn a_route_nobody_knows_is_refused() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    let request = wire::ApproveProposalRequest {
        proposal_id: proposal.proposal_id,
        payload_hash: proposal.payload_hash,
        comment: String::new(),
        route: "carrier pigeon".to_owned(),
    };
    let refused = soc.approver().approve_proposal(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
