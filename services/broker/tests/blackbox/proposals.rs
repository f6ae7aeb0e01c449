//! From a forecast, or a person's words, to a proposal.

use chrono::TimeDelta;
use foretide_api::actions::v1 as wire;
use foretide_api::actions::v1::ProposalState;
use foretide_api::timestamp;
use foretide_api::types::v1::Phase;
use foretide_domain::{Role, RunId};
use tonic::Code;

use crate::soc::{Client, Soc, approve, monday};

fn tomorrow() -> chrono::DateTime<chrono::Utc> {
    monday() + TimeDelta::hours(26)
}

#[tokio::test]
async fn a_risk_window_becomes_a_proposal_with_the_exact_message() {
    let soc = Soc::start().await;
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, tomorrow());
    soc.world
        .window_named(forecast, tomorrow(), "rolling_2sd", false);
    soc.world.window(forecast, monday() - TimeDelta::hours(9));
    let summary = soc.propose(run_id).await;
    let [id] = summary.proposal_ids.as_slice() else {
        panic!("{summary:?}")
    };
    assert_eq!(summary.reason, "");

    let proposal = soc.get(id).await;
    assert_eq!(proposal.state(), ProposalState::Waiting);
    assert_eq!(proposal.run_id, run_id.to_string());
    assert_eq!(proposal.forecast_id, forecast.to_string());
    assert_eq!(proposal.proposed_by, "service:broker");
    assert_eq!(proposal.action_kind, "teams_notice");
    assert_eq!(
        proposal.title,
        "High-risk period: Tue 6 Jan 08:00 to 16:00 UTC"
    );
    assert_eq!(
        proposal.expires_at,
        timestamp(monday() + TimeDelta::hours(24))
    );
    assert!(proposal.execution.is_none());
    let review = format!("https://foretide.contoso.example/proposals/{id}");
    for part in [
        review.as_str(),
        "73%",
        "64.0",
        "48.0",
        "patch_tuesday",
        id,
        &proposal.run_id,
    ] {
        assert!(
            proposal.payload_json.contains(part),
            "{part} in {}",
            proposal.payload_json
        );
    }
    assert!(soc.posted().is_empty());
    soc.until_audited("proposal.created").await;
}

#[tokio::test]
async fn asking_twice_proposes_once() {
    let soc = Soc::start().await;
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, tomorrow());
    let first = soc.propose(run_id).await;
    let (second, third) = tokio::join!(soc.propose(run_id), soc.propose(run_id));
    assert_eq!(first.proposal_ids, second.proposal_ids);
    assert_eq!(first.proposal_ids, third.proposal_ids);
    assert_eq!(soc.list(ProposalState::Unspecified).await.len(), 1);
}

#[tokio::test]
async fn in_shadow_nothing_is_proposed_and_nothing_leaves() {
    let soc = Soc::start().await;
    soc.world.phase(Phase::Shadow);
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, tomorrow());
    let summary = soc.propose(run_id).await;
    assert_eq!(
        (summary.proposal_ids.len(), summary.reason.as_str()),
        (0, "phase is shadow")
    );
    assert!(soc.list(ProposalState::Unspecified).await.is_empty());
    assert!(soc.emulator.requests("/").is_empty());
}

#[tokio::test]
async fn an_unsound_forecast_proposes_nothing_and_says_why() {
    for validity in ["degraded", "learning"] {
        let soc = Soc::start().await;
        let (run_id, forecast) = soc.world.forecast(monday(), validity);
        soc.world.window(forecast, tomorrow());
        let summary = soc.propose(run_id).await;
        assert!(summary.proposal_ids.is_empty());
        assert!(summary.reason.contains(validity), "{}", summary.reason);
    }
    let soc = Soc::start().await;
    let (run_id, _) = soc.world.forecast(monday(), "excellent");
    let refused = soc.try_propose(soc.service(), run_id).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::Internal,
        "a validity nobody knows is not taken for valid"
    );
}

#[tokio::test]
async fn a_quiet_forecast_says_so() {
    let soc = Soc::start().await;
    let (run_id, _) = soc.world.forecast(monday(), "valid");
    let summary = soc.propose(run_id).await;
    assert_eq!(summary.reason, "the forecast has no high-risk period");
}

#[tokio::test]
async fn a_newer_forecast_supersedes_what_waits_on_an_older_one() {
    let soc = Soc::start().await;
    let older = soc.proposed().await;
    let by_hand = create(soc.operator(), "risk_period").await.unwrap();
    soc.context.clock.advance_to(monday() + TimeDelta::hours(1));
    let newer = soc.proposed().await;
    assert_ne!(older.proposal_id, newer.proposal_id);
    assert_eq!(
        soc.get(&older.proposal_id).await.state(),
        ProposalState::Superseded
    );
    assert_eq!(
        soc.get(&by_hand.proposal_id).await.state(),
        ProposalState::Waiting
    );
    let refused = approve(soc.approver(), &older).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("superseded"),
        "{}",
        refused.message()
    );

    let stale: RunId = older.run_id.parse().unwrap();
    let summary = soc.propose(stale).await;
    assert!(summary.proposal_ids.is_empty());
    assert!(
        summary.reason.contains("newer forecast"),
        "{}",
        summary.reason
    );
    assert!(soc.posted().is_empty());
}

#[tokio::test]
async fn a_newer_forecast_without_a_risk_window_supersedes_too() {
    let soc = Soc::start().await;
    let older = soc.proposed().await;
    soc.context.clock.advance_to(monday() + TimeDelta::hours(1));
    let (run_id, _) = soc.world.forecast(monday() + TimeDelta::hours(1), "valid");
    assert_eq!(soc.propose(run_id).await.superseded, 1);
    assert_eq!(
        soc.get(&older.proposal_id).await.state(),
        ProposalState::Superseded
    );
}

#[tokio::test]
async fn whoever_triggers_a_proposal_has_proposed_it() {
    let soc = Soc::start().await;
    let (run_id, forecast) = soc.world.forecast(monday(), "valid");
    soc.world.window(forecast, tomorrow());
    let both = [Role::Viewer, Role::Operator, Role::Approver];
    let summary = soc
        .try_propose(soc.person("ada", &both), run_id)
        .await
        .unwrap();
    let proposal = soc.get(&summary.proposal_ids[0]).await;
    assert_eq!(proposal.proposed_by, "ada");
    let refused = approve(soc.person("ada", &both), &proposal)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_run_without_a_forecast_and_an_auditor_that_is_away_are_told_apart() {
    let soc = Soc::start().await;
    let refused = soc
        .try_propose(soc.service(), RunId::new())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    soc.world.auditor_is_down(true);
    let refused = soc
        .try_propose(soc.service(), RunId::new())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

async fn create(mut caller: Client, use_case: &str) -> Result<wire::Proposal, tonic::Status> {
    let request = wire::CreateProposalRequest {
        use_case: use_case.to_owned(),
        title: "Two analysts ill tonight".to_owned(),
        message: "Please <b>swap</b> [shifts](https://evil.example).".to_owned(),
    };
    Ok(caller
        .create_proposal(request)
        .await?
        .into_inner()
        .proposal
        .unwrap())
}

#[tokio::test]
async fn a_person_proposes_a_notice_by_hand() {
    let soc = Soc::start().await;
    let proposal = create(soc.operator(), "risk_period").await.unwrap();
    assert_eq!(
        (proposal.proposed_by.as_str(), proposal.run_id.as_str()),
        ("ada", "")
    );
    assert!(
        !proposal.payload_json.contains("<b>"),
        "{}",
        proposal.payload_json
    );
    let executed = approve(soc.approver(), &proposal).await.unwrap();
    assert_eq!(executed.state(), ProposalState::Executed);
    assert_eq!(soc.posted().len(), 1);
}

#[tokio::test]
async fn a_notice_by_hand_has_rules_too() {
    let soc = Soc::start().await;
    let refusal = |caller, use_case| async move { create(caller, use_case).await.unwrap_err() };
    let by_service = refusal(soc.service(), "risk_period").await;
    assert_eq!(by_service.code(), Code::PermissionDenied);
    let viewer = soc.person("eve", &[Role::Viewer]);
    assert_eq!(
        refusal(viewer, "risk_period").await.code(),
        Code::PermissionDenied
    );
    assert_eq!(
        refusal(soc.operator(), "geo_risk").await.code(),
        Code::NotFound
    );
    let not_declared = refusal(soc.operator(), "attack_volume").await;
    assert_eq!(not_declared.code(), Code::FailedPrecondition);
    soc.world.phase(Phase::Shadow);
    let shadow = refusal(soc.operator(), "risk_period").await;
    assert_eq!(shadow.code(), Code::FailedPrecondition);
    assert!(shadow.message().contains("shadow"));
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_by_field() {
    let soc = Soc::start().await;
    let good = wire::CreateProposalRequest {
        use_case: "risk_period".to_owned(),
        title: "A title".to_owned(),
        message: "A message".to_owned(),
    };
    let cases = [
        (
            wire::CreateProposalRequest {
                title: " ".to_owned(),
                ..good.clone()
            },
            "title",
        ),
        (
            wire::CreateProposalRequest {
                title: "x".repeat(201),
                ..good.clone()
            },
            "title",
        ),
        (
            wire::CreateProposalRequest {
                message: "x".repeat(801),
                ..good.clone()
            },
            "message",
        ),
        (
            wire::CreateProposalRequest {
                message: "a\u{1b}[2J".to_owned(),
                ..good.clone()
            },
            "message",
        ),
        (
            wire::CreateProposalRequest {
                use_case: "../x".to_owned(),
                ..good
            },
            "use_case",
        ),
    ];
    for (request, field) in cases {
        let refused = soc.operator().create_proposal(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    let unknown = wire::GetProposalRequest {
        proposal_id: RunId::new().to_string(),
    };
    assert_eq!(
        soc.service()
            .get_proposal(unknown)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    let state = wire::ListProposalsRequest {
        state: 99,
        ..wire::ListProposalsRequest::default()
    };
    let refused = soc.service().list_proposals(state).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
