//! The audit log in the hands of those who do not trust its owner: a witness, an auditor with an export,
//! and a verifier that shares no code with Foretide.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use foretide_api::governance::v1::{ListAuditRequest, VerifyAuditRequest};
use foretide_db::{Database, DatabaseConfig};
use foretide_e2e::{Installation, Setup, Shape};
use foretide_test_support::{
    ForetideOutput, foretide, or_skip, python_of, repository_root, wait_until,
};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

const A_WHILE: Duration = Duration::from_secs(30);

/// An installation, and what others keep of its log.
struct Watched {
    installation: Installation,
    python: PathBuf,
    /// Where the witness and the auditor keep what they have.
    elsewhere: TempDir,
    log_key: String,
    witness_key: String,
}

impl Watched {
    async fn start(python: PathBuf) -> anyhow::Result<Self> {
        let elsewhere = tempfile::tempdir()?;
        let installation = Setup::new(Shape::OneProcess)?
            .reading(elsewhere.path())
            .start()
            .await?;
        let key = installation.cli("operator", &["audit", "key"]).await?;
        Ok(Self {
            installation,
            python,
            elsewhere,
            log_key: key.success()?.stdout.trim().to_owned(),
            witness_key: String::new(),
        })
    }

    fn kept(&self, name: &str) -> String {
        self.elsewhere.path().join(name).display().to_string()
    }

    async fn cli(&self, arguments: &[&str]) -> anyhow::Result<ForetideOutput> {
        self.installation.cli("operator", arguments).await
    }

    /// Engages the kill switch and releases it, which are two records.
    async fn record_two(&self) -> anyhow::Result<u64> {
        let before = self.records().await?;
        for command in ["halt", "resume"] {
            let line = ["actions", command, "--reason", "an exercise"];
            self.installation.cli("approver", &line).await?.success()?;
        }
        let recorded = || async {
            let records = self.records().await?;
            Ok((records >= before + 2).then_some(records))
        };
        wait_until(A_WHILE, "the kill switch is recorded", recorded).await
    }

    async fn records(&self) -> anyhow::Result<u64> {
        let request = ListAuditRequest {
            limit: 1,
            newest_first: true,
            ..ListAuditRequest::default()
        };
        let peers = self.installation.clients_of("operator")?;
        let answer = peers.auditor().list_audit(request).await?.into_inner();
        Ok(answer.records.first().map_or(0, |record| record.sequence))
    }

    /// Makes the auditor publish what it has signed.
    async fn assert_intact(&self) -> anyhow::Result<()> {
        let peers = self.installation.clients_of("operator")?;
        let answer = peers.auditor().verify_audit(VerifyAuditRequest {}).await?;
        let report = answer.into_inner();
        ensure!(report.intact, "{}", report.problem);
        Ok(())
    }

    /// Looks from a machine that has nothing of the installation but the address and a token.
    async fn witness(&mut self) -> anyhow::Result<ForetideOutput> {
        let mut line = vec!["audit", "witness", "--once", "--log-key", &self.log_key];
        let (server, token) = (
            self.installation.address_of("auditor"),
            self.installation.token_of("operator"),
        );
        line.extend(["--server", &server, "--token", &token]);
        line.extend(["--state", "seen.note", "--key", "witness.key"]);
        let output = foretide(self.elsewhere.path(), line).await?;
        let first_line = output.stderr.lines().next().unwrap_or_default();
        let key = first_line
            .strip_prefix("witness key: ")
            .context("the witness's key")?;
        self.witness_key = key.to_owned();
        Ok(output)
    }

    /// What `audit verify` says of the running auditor.
    async fn online(&self) -> anyhow::Result<ForetideOutput> {
        self.cli(&["audit", "verify"]).await
    }

    async fn export(&self) -> anyhow::Result<()> {
        let file = self.kept("audit.ndjson");
        self.cli(&["audit", "export", "--file", &file])
            .await?
            .success()?;
        Ok(())
    }

    /// What was kept, as both offline verifiers take it.
    fn evidence(&self) -> [String; 8] {
        [
            "--log-key".to_owned(),
            self.log_key.clone(),
            "--checkpoint".to_owned(),
            self.kept("newest.note"),
            "--witness".to_owned(),
            self.kept("seen.note"),
            "--witness-key".to_owned(),
            self.witness_key.clone(),
        ]
    }

    /// What `audit verify --export` says.
    async fn offline(&self) -> anyhow::Result<ForetideOutput> {
        let (file, evidence) = (self.kept("audit.ndjson"), self.evidence());
        let mut line = vec!["audit", "verify", "--export", &file];
        line.extend(evidence.iter().map(String::as_str));
        self.cli(&line).await
    }

    /// What the independent verifier says.
    fn independent(&self) -> anyhow::Result<ForetideOutput> {
        let output = Command::new(&self.python)
            .arg(repository_root().join("docs/verify_audit.py"))
            .arg(self.kept("audit.ndjson"))
            .args(self.evidence())
            .output()?;
        Ok(ForetideOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        })
    }

    /// Does what only somebody with the database can.
    async fn tamper(&self, statements: &[String]) -> anyhow::Result<()> {
        let databases = self.installation.folder().join("data/db");
        let config = DatabaseConfig::new(format!("sqlite:{}", databases.display()));
        let database = Database::connect(&config, "auditor").await?;
        for statement in statements {
            database.connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

fn ensure_named(output: &ForetideOutput, words: &str) -> anyhow::Result<()> {
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure!(
        output.code == 1 && said.contains(words),
        "no {words:?} in {output:?}"
    );
    Ok(())
}

fn ensure_intact(output: ForetideOutput, records: u64) -> anyhow::Result<()> {
    let output = output.success()?;
    let words = format!("intact: {records} records");
    ensure!(
        output.stdout.starts_with(&words),
        "no {words:?} in {output:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_the_log_is_proven_to_others_and_a_rewritten_record_is_named_by_all_of_them()
-> anyhow::Result<()> {
    let Some(python) = or_skip(python_of("microsoft"))? else {
        return Ok(());
    };
    let mut watched = Watched::start(python).await?;
    let first = watched.record_two().await?;
    let seen = watched.witness().await?.success()?;
    let words = format!("record {first}: seen for the first time");
    ensure!(seen.stdout.contains(&words), "{seen:?}");
    let second = watched.record_two().await?;
    let seen = watched.witness().await?.success()?;
    let words = format!("record {second}: the log only grew since record {first}");
    ensure!(seen.stdout.contains(&words), "{seen:?}");

    let (file, newest) = (watched.kept("audit.ndjson"), watched.kept("newest.note"));
    let line = ["audit", "export", "--file", &file, "--checkpoint", &newest];
    watched.cli(&line).await?.success()?;
    ensure_intact(watched.online().await?, second)?;
    ensure_intact(watched.offline().await?, second)?;
    ensure_intact(watched.independent()?, second)?;

    let statement = "UPDATE audit_record SET actor = 'mallory' WHERE sequence = 2";
    watched.tamper(&[statement.to_owned()]).await?;
    watched.export().await?;
    ensure_named(&watched.online().await?, "broken at row 2")?;
    ensure_named(&watched.offline().await?, "record 2: a field was altered")?;
    ensure_named(&watched.independent()?, "record 2: altered")
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_a_log_that_was_cut_off_with_all_that_guards_it_is_named_by_the_witness()
-> anyhow::Result<()> {
    let Some(python) = or_skip(python_of("microsoft"))? else {
        return Ok(());
    };
    let mut watched = Watched::start(python).await?;
    let kept = watched.record_two().await?;
    watched.assert_intact().await?;
    let lost = watched.record_two().await?;
    watched.assert_intact().await?;
    watched.witness().await?.success()?;

    let head = format!("(SELECT hash FROM audit_record WHERE sequence = {kept})");
    let statements = [
        format!("UPDATE audit_head SET sequence = {kept}, hash = {head}"),
        format!("DELETE FROM audit_record WHERE sequence > {kept}"),
        format!("DELETE FROM audit_checkpoint WHERE size > {kept}"),
    ];
    watched.tamper(&statements).await?;
    let checkpoints = watched
        .installation
        .folder()
        .join("data/lake/audit/checkpoints");
    for number in kept + 1..=lost {
        let file = checkpoints.join(format!("{number:020}.note"));
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    // From inside there is nothing to be seen any more.
    ensure_intact(watched.online().await?, kept)?;
    let words = format!("the log shrank from {lost} to {kept} records");
    ensure_named(&watched.witness().await?, &words)?;
    let state = std::fs::read_to_string(watched.kept("seen.note"))?;
    ensure!(
        state.contains(&format!("\n{lost}\n")),
        "what was seen is forgotten: {state}"
    );
    Ok(())
}
