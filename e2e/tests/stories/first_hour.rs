//! The first hour of a newcomer: a folder of downloads, an empty one, a grant that has not spread. What
//! the screen says at the end is true, and said once.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use foretide_domain::RunningClock;
use foretide_e2e::{Contoso, Setup, Shape};
use foretide_test_support::{ForetideOutput, foretide, repository_root};
use serde_json::json;
use tempfile::TempDir;

/// The day after the newest row of the downloads.
const TODAY: &str = "2026-11-25T09:00:00Z";

/// A folder of downloads and a configuration that reads it.
struct Newcomer {
    folder: TempDir,
}

impl Newcomer {
    fn new() -> anyhow::Result<Self> {
        let newcomer = Self {
            folder: tempfile::tempdir()?,
        };
        std::fs::create_dir(newcomer.downloads())?;
        let config = json!({
            "data_dir": newcomer.folder.path().join("data"),
            "simulated_time": RunningClock::starting_at(TODAY.parse()?).setting(),
            "ingestion": {"files": {"locations": [{"url": newcomer.downloads()}]}},
        });
        std::fs::write(
            newcomer.folder.path().join("foretide.yaml"),
            config.to_string(),
        )?;
        Ok(newcomer)
    }

    fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    fn keeps(&self, file: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        Ok(std::fs::write(self.downloads().join(file), content)?)
    }

    async fn types(&self, command: &str) -> anyhow::Result<ForetideOutput> {
        foretide(self.folder.path(), [command, "--config", "foretide.yaml"]).await
    }
}

fn portal(name: &str) -> PathBuf {
    repository_root()
        .join("services/ingestion/tests/inputs")
        .join(name)
}

/// Whether the screen says it, and says it once.
fn says_once(output: &ForetideOutput, words: &str) -> anyhow::Result<()> {
    let screen = format!("{}{}", output.stdout, output.stderr);
    let times = screen.matches(words).count();
    ensure!(times == 1, "{words:?} {times} times in:\n{screen}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_in_any_locale_is_read_and_counted_on_the_screen() -> anyhow::Result<()> {
    for name in [
        "portal-de-DE.csv",
        "portal-en-AU.csv",
        "portal-en-US.csv",
        "portal-excel.csv",
    ] {
        let newcomer = Newcomer::new()?;
        newcomer.keeps("SecurityIncident.csv", std::fs::read(portal(name))?)?;
        let output = newcomer.types("backfill").await?.success()?;
        says_once(&output, "read: 40 rows of 1 object, 40 of them new")
            .with_context(|| name.to_owned())?;
        let again = newcomer.types("backfill").await?.success()?;
        says_once(&again, "read: 0 rows of 0 objects")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_with_its_reason_and_what_to_do() -> anyhow::Result<()> {
    let newcomer = Newcomer::new()?;
    let empty = newcomer.types("run").await?;
    ensure!(empty.code == 1, "{empty:?}");
    let folder = newcomer.downloads();
    says_once(&empty, &format!("0 objects under {}", folder.display()))?;

    newcomer.keeps("query_data.csv", std::fs::read(portal("portal-de-DE.csv"))?)?;
    let wrong = newcomer.types("run").await?;
    ensure!(wrong.code == 1, "{wrong:?}");
    says_once(&wrong, "query_data.csv")?;
    says_once(&wrong, "ingestion.files.mappings")?;

    std::fs::remove_file(folder.join("query_data.csv"))?;
    newcomer.keeps(
        "SecurityIncident.csv",
        first_days(&portal("portal-en-AU.csv"))?,
    )?;
    let unclear = newcomer.types("run").await?;
    ensure!(unclear.code == 1, "{unclear:?}");
    says_once(&unclear, "ingestion.files.date_order")?;
    ensure!(
        !unclear.stderr.contains("run ingest first"),
        "{}",
        unclear.stderr
    );
    Ok(())
}

/// The rows of a download whose day is not past the twelfth.
fn first_days(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().take(15).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_read_makes_the_run_incomplete() -> anyhow::Result<()> {
    let newcomer = Newcomer::new()?;
    newcomer.keeps(
        "SecurityIncident.csv",
        std::fs::read(portal("portal-de-DE.csv"))?,
    )?;
    newcomer.keeps("SecurityAlert.parquet", "PAR1 this is no table PAR1")?;
    let output = newcomer.types("backfill").await?;
    ensure!(output.code == 1, "{output:?}");
    says_once(&output, "not read: SecurityAlert: ")?;
    says_once(&output, "is incomplete")?;
    says_once(&output, "read: 41 rows of 2 objects, 40 of them new")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_for_a_grant_are_told_and_the_run_does_not_end_well() -> anyhow::Result<()> {
    let mut contoso = Contoso::with_history(84)?;
    contoso.advance_to_today()?;
    let mut installation = Setup::new(Shape::OneProcess)?
        .working_for(&contoso)
        .start()
        .await?;
    installation
        .emulator
        .add_fault(serde_json::from_value(json!({
            "match": {"path_prefix": "/dataCollectionRules/"},
            "times": 10_000,
            "action": {"status": 403},
        }))?);
    let told = async {
        let line = ["run", "--use-case", "attack_volume"];
        let refused = installation.cli("operator", &line).await?;
        ensure!(refused.code == 1, "{refused:?}");
        let waits = refused.stdout.lines().find(|line| {
            line.starts_with("waiting: ") && line.contains("rows of PredictiveAlerting_CL")
        });
        let waits = waits.with_context(|| refused.stdout.clone())?;
        for words in ["Monitoring Metrics Publisher", "up to 30 minutes"] {
            ensure!(waits.contains(words), "{waits}");
        }
        says_once(&refused, "nothing reached the workspace")?;

        // the grant has spread
        installation.emulator.reset();
        let accepted = installation.cli("operator", &line).await?.success()?;
        let delivered = accepted.stdout.lines();
        let mut delivered = delivered.filter(|line| line.starts_with("delivered: "));
        ensure!(delivered.next().is_some(), "{}", accepted.stdout);
        Ok(())
    }
    .await;
    if told.is_err() {
        eprintln!("{}", installation.logs());
    }
    told
}
