//! From a workspace's history to an approved action and back again, in one process on SQLite and as
//! eight processes on PostgreSQL: the same story.

use std::time::Duration;

use anyhow::{Context, ensure};
use foretide_api::{
    actions::v1::{Proposal, ProposalState},
    governance::v1::{ListAuditRequest, VerifyAuditRequest},
    orchestration::v1::Run,
    scoring::v1::{GetForecastRequest, ListRiskWindowsRequest},
};
use foretide_e2e::{Contoso, Installation, Setup, Shape, Soc};
use foretide_test_support::{Postgres, or_skip, wait_until};
use serde_json::{Value, json};

const STEPS: [&str; 6] = ["ingest", "features", "train", "score", "audit", "act"];

#[tokio::test(flavor = "multi_thread")]
async fn one_process_on_sqlite() -> anyhow::Result<()> {
    from_history_to_an_approved_action(Setup::new(Shape::OneProcess)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_on_postgresql() -> anyhow::Result<()> {
    let Some(postgres) = or_skip(Postgres::start().await)? else {
        return Ok(());
    };
    let setup = Setup::new(Shape::EightProcesses)?.on_postgres(postgres);
    from_history_to_an_approved_action(setup).await
}

async fn from_history_to_an_approved_action(setup: Setup) -> anyhow::Result<()> {
    let mut contoso = Contoso::with_history(84)?;
    let mut installation = assisted(setup, &contoso).start().await?;
    let told = tell(&mut contoso, &installation).await;
    if told.is_err() {
        eprintln!("{}", installation.logs());
    }
    told
}

/// Reads Contoso's export, knows its announced campaigns, and may propose.
fn assisted(setup: Setup, contoso: &Contoso) -> Setup {
    setup
        .working_for(contoso)
        .with("/auditor/initial_phases/risk_period", json!("assisted"))
        .with("/auditor/initial_phases/attack_volume", json!("shadow"))
}

async fn tell(contoso: &mut Contoso, installation: &Installation) -> anyhow::Result<()> {
    let soc = Soc::of(installation)?;

    // Three days ago: models are trained, nothing unusual is ahead.
    let earlier = soc.forecast("risk_period", contoso.now()).await?;
    // Today: those forecasts have settled, an announced campaign begins tomorrow.
    let today = contoso.advance_to_today()?;
    let risk_run = soc.forecast("risk_period", today).await?;
    for run in [&earlier, &risk_run] {
        let steps: Vec<&str> = run.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(steps, STEPS);
    }

    forecasts_are_ordered_and_explained(&soc).await?;
    rows_arrived_in_the_workspace(installation, &[&earlier, &risk_run])?;
    a_risk_window_waits_for_a_person(installation, &soc, &risk_run).await
}

async fn forecasts_are_ordered_and_explained(soc: &Soc) -> anyhow::Result<()> {
    for use_case in ["attack_volume", "risk_period"] {
        let answer = soc
            .operator
            .scorer()
            .get_forecast(GetForecastRequest {
                use_case: use_case.to_owned(),
                series_id: format!("{use_case}/total"),
                ..GetForecastRequest::default()
            })
            .await?
            .into_inner();
        let series = answer.series.context("the forecast holds no series")?;
        assert!(!series.points.is_empty(), "{use_case} has no points");
        for point in &series.points {
            let q = point.quantiles.context("a point has no quantiles")?;
            let ordered = [0.0, q.q025, q.q100, q.q500, q.q900, q.q975];
            assert!(ordered.is_sorted(), "{use_case}: {ordered:?}");
            let drivers: f64 = point.drivers.iter().map(|driver| driver.contribution).sum();
            assert!(
                (drivers - point.mean).abs() <= 1e-6 * point.mean.abs().max(1.0),
                "{use_case}: drivers add up to {drivers}, the mean is {}",
                point.mean
            );
        }
    }
    Ok(())
}

fn rows_arrived_in_the_workspace(installation: &Installation, runs: &[&Run]) -> anyhow::Result<()> {
    let rows = installation.emulator.rows("PredictiveAlerting_CL");
    for run in runs {
        let of_run = rows_of_run(&rows, run);
        ensure!(!of_run.is_empty(), "no rows of run {} arrived", run.run_id);
        let keys: std::collections::HashSet<&str> = of_run
            .iter()
            .filter_map(|row| row["IdempotencyKey"].as_str())
            .collect();
        assert_eq!(
            keys.len(),
            of_run.len(),
            "rows of a run are unique by their key"
        );
    }
    let governance = installation.emulator.rows("AI_Governance_CL");
    ensure!(!governance.is_empty(), "no row arrived in AI_Governance_CL");
    Ok(())
}

fn rows_of_run<'r>(rows: &'r [Value], run: &Run) -> Vec<&'r Value> {
    rows.iter()
        .filter(|row| row["RunId"].as_str() == Some(&run.run_id))
        .collect()
}

async fn a_risk_window_waits_for_a_person(
    installation: &Installation,
    soc: &Soc,
    run: &Run,
) -> anyhow::Result<()> {
    let windows = soc
        .operator
        .scorer()
        .list_risk_windows(ListRiskWindowsRequest {
            use_case: "risk_period".to_owned(),
            limit: 100,
            ..ListRiskWindowsRequest::default()
        })
        .await?
        .into_inner()
        .risk_windows;
    ensure!(
        windows.iter().any(|window| window.acts),
        "Contoso's announced campaign raised no risk window"
    );
    let waiting = soc.proposals(ProposalState::Waiting).await?;
    let proposal = waiting.first().context("no proposal waits")?;
    assert_eq!(proposal.run_id, run.run_id);

    assert!(
        cards(installation).is_empty(),
        "nothing leaves before a person has approved"
    );
    who_may_not_approve_is_refused(soc, proposal).await?;
    let own = propose_by_hand(installation, "approver").await?;
    own_proposal_is_refused_on_every_route(installation, soc, &own).await?;

    let approved = soc.approve(&soc.approver, proposal).await?;
    assert_eq!(approved.state(), ProposalState::Executed);
    let cards = cards(installation);
    assert_eq!(cards.len(), 1, "the card arrives exactly once");
    ensure!(
        cards[0].contains(&run.run_id),
        "the card names its run: {}",
        cards[0]
    );
    assert!(
        soc.approve(&soc.approver, proposal).await.is_err(),
        "an executed proposal cannot be approved again"
    );

    the_way_back(installation, soc, run, proposal).await
}

/// Bodies of the cards Teams was sent.
fn cards(installation: &Installation) -> Vec<String> {
    installation
        .emulator
        .requests("/workflows/")
        .into_iter()
        .map(|request| request.body.to_string())
        .collect()
}

async fn who_may_not_approve_is_refused(soc: &Soc, proposal: &Proposal) -> anyhow::Result<()> {
    let refusal = soc
        .approve(&soc.operator, proposal)
        .await
        .expect_err("an operator is no approver");
    assert_eq!(refusal.code(), tonic::Code::PermissionDenied, "{refusal}");

    let mut altered = proposal.clone();
    altered.payload_hash = "0".repeat(64);
    let refusal = soc
        .approve(&soc.approver, &altered)
        .await
        .expect_err("another payload was read than would be sent");
    assert_ne!(refusal.code(), tonic::Code::Internal, "{refusal}");
    Ok(())
}

async fn propose_by_hand(installation: &Installation, person: &str) -> anyhow::Result<Proposal> {
    let said = installation
        .cli(
            person,
            &[
                "actions",
                "propose",
                "--title",
                "Extra shift",
                "--message",
                "Two more on Saturday",
            ],
        )
        .await?
        .success()?;
    let proposals = Soc::of(installation)?
        .proposals(ProposalState::Waiting)
        .await?;
    proposals
        .into_iter()
        .find(|proposal| proposal.proposed_by == person)
        .with_context(|| {
            format!(
                "the proposal is not listed; the command said {}",
                said.stdout
            )
        })
}

async fn own_proposal_is_refused_on_every_route(
    installation: &Installation,
    soc: &Soc,
    own: &Proposal,
) -> anyhow::Result<()> {
    let refusal = soc
        .approve(&soc.approver, own)
        .await
        .expect_err("nobody approves their own proposal");
    assert!(
        matches!(
            refusal.code(),
            tonic::Code::PermissionDenied | tonic::Code::FailedPrecondition
        ),
        "{refusal}"
    );
    let by_command = installation
        .cli(
            "approver",
            &[
                "actions",
                "approve",
                &own.proposal_id,
                "--payload-hash",
                &own.payload_hash,
            ],
        )
        .await?;
    assert_ne!(by_command.code, 0, "{}", by_command.stdout);
    Ok(())
}

async fn the_way_back(
    installation: &Installation,
    soc: &Soc,
    run: &Run,
    proposal: &Proposal,
) -> anyhow::Result<()> {
    let shown = installation
        .cli("operator", &["runs", "show", &run.run_id])
        .await?
        .success()?;
    for step in STEPS {
        ensure!(
            shown.stdout.contains(step),
            "runs show has no {step}: {}",
            shown.stdout
        );
    }
    the_chain_tells_of(soc, run, proposal).await?;
    let mut auditor = soc.operator.auditor();
    let verdict = auditor
        .verify_audit(VerifyAuditRequest {})
        .await?
        .into_inner();
    assert!(verdict.intact, "{}", verdict.problem);

    an_altered_export_is_found(installation).await
}

/// The broker tells the auditor in the background.
async fn the_chain_tells_of(soc: &Soc, run: &Run, proposal: &Proposal) -> anyhow::Result<()> {
    let subject = format!("proposal/{}", proposal.proposal_id);
    let expected = [
        "proposal.created",
        "proposal.approved",
        "execution.succeeded",
    ];
    wait_until(
        Duration::from_secs(30),
        "the chain tells of the execution",
        || async {
            let answer = soc
                .operator
                .auditor()
                .list_audit(ListAuditRequest {
                    run_id: run.run_id.clone(),
                    limit: 200,
                    ..ListAuditRequest::default()
                })
                .await?;
            let records = answer.into_inner().records;
            let told = |action: &&str| {
                records
                    .iter()
                    .any(|record| record.subject == subject && record.action == **action)
            };
            Ok(expected.iter().all(told).then_some(()))
        },
    )
    .await
}

async fn an_altered_export_is_found(installation: &Installation) -> anyhow::Result<()> {
    let file = installation.folder().join("audit.ndjson");
    let path = file.display().to_string();
    installation
        .cli("operator", &["audit", "export", "--file", &path])
        .await?
        .success()?;
    let verify = ["audit", "verify", "--file", &path];
    installation.cli("operator", &verify).await?.success()?;

    let exported = std::fs::read_to_string(&file)?;
    std::fs::write(&file, exported.replacen("approver", "somebody", 1))?;
    let found = installation.cli("operator", &verify).await?;
    assert_ne!(found.code, 0, "an altered record went unseen");
    Ok(())
}
