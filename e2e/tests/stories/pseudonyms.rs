//! Names behind pseudonyms, as a SOC meets them on the command line: who is told, what the audit log
//! says, and how names go for good.

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use foretide_api::{ingestion::v1::IngestRequest, timestamp};
use foretide_domain::RunId;
use foretide_e2e::{Installation, Setup, Shape, now};
use foretide_test_support::{Postgres, or_skip};
use serde_json::{Value, json};
use tempfile::TempDir;

const ADDRESS: &str = "198.51.100.77";
const WHY: &str = "incident 4711: who was locked out";

/// A sign-in from the address, two days ago.
fn sign_ins() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let time = (now() - TimeDelta::days(2)).to_rfc3339();
    let row = json!({"TimeGenerated": time, "ResultType": "50126", "IPAddress": ADDRESS});
    std::fs::write(folder.path().join("SigninLogs.ndjson"), format!("{row}\n"))?;
    Ok(folder)
}

async fn ingest(installation: &Installation) -> anyhow::Result<()> {
    let request = IngestRequest {
        run_id: RunId::new().to_string(),
        as_of: timestamp(now()),
        tables: vec!["SigninLogs".to_owned()],
    };
    let peers = installation.clients_of("operator")?;
    let mut answers = peers.ingestion().ingest(request).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

/// What a command prints as JSON.
async fn told(
    installation: &Installation,
    person: &str,
    command: &[&str],
) -> anyhow::Result<Value> {
    let line = [command, &["--format", "json"]].concat();
    let output = installation.cli(person, &line).await?.success()?;
    Ok(serde_json::from_str(&output.stdout)?)
}

/// How a command is refused.
async fn refused(
    installation: &Installation,
    person: &str,
    command: &[&str],
) -> anyhow::Result<String> {
    let output = installation.cli(person, command).await?;
    ensure!(
        output.code != 0,
        "{command:?} was not refused: {}",
        output.stdout
    );
    ensure!(!output.stdout.contains(ADDRESS) && !output.stderr.contains(ADDRESS));
    Ok(output.stderr)
}

async fn only_pseudonym(installation: &Installation) -> anyhow::Result<String> {
    let listed = told(installation, "operator", &["pseudonyms", "list"]).await?;
    let pseudonym = listed[0]["pseudonym"].as_str();
    Ok(pseudonym.context("a pseudonym is listed")?.to_owned())
}

async fn a_name_is_told_recorded_and_gone(setup: Setup) -> anyhow::Result<()> {
    let folder = sign_ins()?;
    let installation = setup.reading(folder.path()).start().await?;
    ingest(&installation).await?;
    let pseudonym = only_pseudonym(&installation).await?;
    ensure!(pseudonym.starts_with("address-1-"), "{pseudonym}");
    let resolve = ["pseudonyms", "resolve", &pseudonym, "--reason", WHY];

    let error = refused(&installation, "operator", &resolve).await?;
    ensure!(
        error.contains("operator lacks the role approver"),
        "{error}"
    );
    let error = refused(&installation, "approver", &resolve[..3]).await?;
    ensure!(error.contains("--reason"), "{error}");
    let no_reason = ["pseudonyms", "resolve", &pseudonym, "--reason", ""];
    let error = refused(&installation, "approver", &no_reason).await?;
    ensure!(error.contains("reason: must be"), "{error}");
    let resolved = told(&installation, "approver", &resolve).await?;
    ensure!(resolved["clear"] == ADDRESS, "{resolved}");

    let rotate = [
        "pseudonyms",
        "rotate",
        "--at-once",
        "--reason",
        "the yearly change",
    ];
    let output = installation.cli("approver", &rotate).await?.success()?;
    ensure!(
        output.stdout.starts_with("epoch 2 begins"),
        "{}",
        output.stdout
    );
    let resolved = told(&installation, "approver", &resolve).await?;
    ensure!(
        resolved["clear"] == ADDRESS,
        "old pseudonyms resolve: {resolved}"
    );

    let drop = |confirm| {
        let reason = "a year is over";
        [
            "pseudonyms",
            "drop-epoch",
            "1",
            "--confirm",
            confirm,
            "--reason",
            reason,
        ]
    };
    let error = refused(&installation, "approver", &drop("2")).await?;
    ensure!(error.contains("must repeat 1"), "{error}");
    let output = installation.cli("approver", &drop("1")).await?.success()?;
    ensure!(
        output.stdout.contains("1 names are gone"),
        "{}",
        output.stdout
    );
    let error = refused(&installation, "approver", &resolve).await?;
    ensure!(error.contains("keys of epoch 1 were dropped"), "{error}");

    let found = ["pseudonyms", "find", "address", ADDRESS, "--reason", WHY];
    let found = told(&installation, "approver", &found).await?;
    ensure!(found == json!([]), "{found}");
    everything_is_in_the_audit_log(&installation, &pseudonym).await
}

async fn everything_is_in_the_audit_log(
    installation: &Installation,
    pseudonym: &str,
) -> anyhow::Result<()> {
    let listed = told(
        installation,
        "operator",
        &["audit", "list", "--limit", "100"],
    )
    .await?;
    let mut tries = Vec::new();
    for record in listed.as_array().context("records")?.iter().rev() {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        if text("action").starts_with("pseudonym") {
            let details: Value = serde_json::from_str(&text("details_json"))?;
            let outcome = details["outcome"].as_str().unwrap_or_default();
            tries.push(format!("{} {}: {outcome}", text("actor"), text("action")));
            let subject = text("subject");
            let is_about = [pseudonym, "epoch 1 of", "the keys of", "address by name"];
            ensure!(
                is_about.iter().any(|about| subject.starts_with(about)),
                "{subject}"
            );
        }
    }
    let expected = [
        "operator pseudonym.resolve: refused: lacks the role approver",
        "approver pseudonym.resolve: refused: no reason",
        "approver pseudonym.resolve: granted",
        "approver pseudonyms.rotate: granted",
        "approver pseudonym.resolve: granted",
        "approver pseudonyms.drop_epoch: refused: not confirmed",
        "approver pseudonyms.drop_epoch: granted",
        "approver pseudonym.resolve: dropped before",
        "approver pseudonym.find: granted",
    ];
    ensure!(tries == expected, "{tries:#?}");
    ensure!(
        !listed.to_string().contains(ADDRESS),
        "the audit log names nobody"
    );
    installation
        .cli("operator", &["audit", "verify"])
        .await?
        .success()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_name_is_told_to_the_right_person_recorded_and_dropped() -> anyhow::Result<()> {
    a_name_is_told_recorded_and_gone(Setup::new(Shape::OneProcess)?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_the_same_holds_for_eight_processes_on_postgresql() -> anyhow::Result<()> {
    let Some(postgres) = or_skip(Postgres::start().await)? else {
        return Ok(());
    };
    let setup = Setup::new(Shape::EightProcesses)?.on_postgres(postgres);
    a_name_is_told_recorded_and_gone(setup).await
}
