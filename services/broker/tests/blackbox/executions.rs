//! What becomes of an approved proposal.

use chrono::TimeDelta;
use foretide_api::actions::v1::{Proposal, ProposalState};
use foretide_api::types::v1::Phase;
use foretide_db::Database;
use foretide_emulator::{Fault, FaultAction};
use sea_orm::ConnectionTrait;

use crate::soc::{Soc, approve, until};

const WEBHOOK: &str = "/workflows/";

fn outcome(proposal: &Proposal) -> &str {
    &proposal.execution.as_ref().unwrap().outcome
}

#[tokio::test]
async fn what_teams_did_not_take_is_sent_again() {
    for status in [429, 500, 503] {
        let soc = Soc::start().await;
        soc.emulator
            .add_fault(Fault::at(WEBHOOK, 1, FaultAction::status(status)));
        let proposal = soc.proposed().await;
        let executed = approve(soc.approver(), &proposal).await.unwrap();
        assert_eq!(executed.state(), ProposalState::Executed, "{status}");
        assert_eq!(soc.posted().len(), 2);
    }
}

#[tokio::test]
async fn a_channel_that_takes_nothing_ends_as_failed() {
    for (status, tries) in [(500, 3), (400, 1), (403, 1), (404, 1)] {
        let soc = Soc::start().await;
        soc.emulator
            .add_fault(Fault::at(WEBHOOK, 10, FaultAction::status(status)));
        let proposal = soc.proposed().await;
        let failed = approve(soc.approver(), &proposal).await.unwrap();
        assert_eq!(failed.state(), ProposalState::Failed);
        assert!(
            outcome(&failed).contains(&status.to_string()),
            "{}",
            outcome(&failed)
        );
        assert!(
            !outcome(&failed).contains("sig="),
            "the address is a secret"
        );
        assert_eq!(soc.posted().len(), tries);
        soc.until_audited("execution.failed").await;
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_sent_again() {
    for fault in [FaultAction::drop_response(), FaultAction::delay_ms(5_000)] {
        let soc = Soc::start().await;
        soc.emulator.add_fault(Fault::at(WEBHOOK, 1, fault));
        let proposal = soc.proposed().await;
        let failed = approve(soc.approver(), &proposal).await.unwrap();
        assert_eq!(failed.state(), ProposalState::Failed);
        assert!(
            outcome(&failed).contains("may have been posted"),
            "{}",
            outcome(&failed)
        );
        assert_eq!(soc.posted().len(), 1);
    }
}

/// Puts a proposal into the state in which a process that was killed would have left it.
async fn as_left_behind(soc: &Soc, proposal: &Proposal, state: &str, attempts: u32) {
    let database = Database::connect(&soc.context.ctx.database, "broker")
        .await
        .unwrap();
    let lease = soc.context.ctx.clock.now() + TimeDelta::seconds(120);
    let statement = format!(
        "INSERT INTO decision (decision_id, proposal_id, verdict, decided_by, decided_at, \
         payload_hash, comment, route) SELECT randomblob(16), proposal_id, 'approve', 'grace', \
         proposed_at, '{}', '', 'cli' FROM proposal; \
         UPDATE proposal SET state = '{state}', attempts = {attempts}, started_at = proposed_at, \
         lease_until = '{}'",
        proposal.payload_hash,
        lease.to_rfc3339(),
    );
    database
        .connection()
        .execute_unprepared(&statement)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_execution_that_was_interrupted_goes_on_after_its_lease() {
    for (state, attempts) in [("approved", 0), ("executing", 1)] {
        let soc = Soc::start().await;
        let proposal = soc.proposed().await;
        as_left_behind(&soc, &proposal, state, attempts).await;
        let soc = soc.restart_after(TimeDelta::seconds(60)).await;
        assert_eq!(
            soc.get(&proposal.proposal_id).await.state(),
            ProposalState::Approved
        );
        assert!(soc.posted().is_empty(), "its process may still be alive");

        let soc = soc.restart_after(TimeDelta::seconds(61)).await;
        let executed = soc
            .until_state(&proposal.proposal_id, ProposalState::Executed)
            .await;
        assert_eq!(executed.execution.unwrap().attempts, attempts + 1);
        assert_eq!(soc.posted().len(), 1);
        let again = soc.restart_after(TimeDelta::hours(1)).await;
        assert_eq!(again.posted().len(), 1);
    }
}

#[tokio::test]
async fn an_execution_that_was_interrupted_twice_is_given_up() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    as_left_behind(&soc, &proposal, "executing", 2).await;
    let soc = soc.restart_after(TimeDelta::seconds(121)).await;
    let failed = soc
        .until_state(&proposal.proposal_id, ProposalState::Failed)
        .await;
    assert!(
        outcome(&failed).contains("not tried again"),
        "{}",
        outcome(&failed)
    );
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn what_is_no_longer_allowed_does_not_go_on() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    as_left_behind(&soc, &proposal, "approved", 0).await;
    soc.world.phase(Phase::Shadow);
    let soc = soc.restart_after(TimeDelta::seconds(121)).await;
    let failed = soc
        .until_state(&proposal.proposal_id, ProposalState::Failed)
        .await;
    assert!(
        outcome(&failed).contains("nothing was sent"),
        "{}",
        outcome(&failed)
    );

    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    as_left_behind(&soc, &proposal, "approved", 0).await;
    let soc = soc.restart_after(TimeDelta::hours(30)).await;
    soc.until_state(&proposal.proposal_id, ProposalState::Expired)
        .await;
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn approvals_that_somebody_wrote_into_the_table_do_not_count_for_another_payload() {
    let soc = Soc::start().await;
    let mut proposal = soc.proposed().await;
    proposal.payload_hash = "0".repeat(64);
    as_left_behind(&soc, &proposal, "approved", 0).await;
    let soc = soc.restart_after(TimeDelta::seconds(121)).await;
    let failed = soc
        .until_state(&proposal.proposal_id, ProposalState::Failed)
        .await;
    assert!(
        outcome(&failed).contains("not been approved"),
        "{}",
        outcome(&failed)
    );
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn an_auditor_that_is_away_is_told_later_and_in_order() {
    let soc = Soc::start().await;
    let proposal = soc.proposed().await;
    soc.until_audited("proposal.created").await;
    soc.emulator
        .add_fault(Fault::at(WEBHOOK, 1, FaultAction::delay_ms(1_000)));
    let approver = soc.approver();
    let approval = tokio::spawn({
        let proposal = proposal.clone();
        async move { approve(approver, &proposal).await }
    });
    until("the notice is on its way", async || soc.posted().len() == 1).await;
    soc.world.auditor_is_down(true);
    let executed = approval.await.unwrap().unwrap();
    assert_eq!(executed.state(), ProposalState::Executed);

    let soc = soc.restart_after(TimeDelta::seconds(1)).await;
    soc.world.auditor_is_down(false);
    soc.until_audited("execution.succeeded").await;
    let expected = [
        "proposal.created",
        "proposal.approved",
        "execution.started",
        "execution.succeeded",
    ];
    assert_eq!(soc.world.audited_actions(), expected);
}
