//! The first of the README's two commands, as a newcomer types it.

use foretide_test_support::foretide;

const DEMO: [&str; 4] = ["demo", "--once", "--console-port", "0"];

#[tokio::test]
async fn the_demo_forecasts_replays_and_leaves_something_to_decide() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let demo = foretide(folder.path(), DEMO).await?;
    assert_eq!(demo.code, 0, "{}\n{}", demo.stdout, demo.stderr);
    for said in [
        "synthetic",
        "high-risk periods",
        "proved afterwards",
        "console",
    ] {
        assert!(demo.stdout.contains(said), "no {said} in {}", demo.stdout);
    }
    for step in ["ingest", "features", "train", "score", "audit", "act"] {
        let done = format!("✓ {step}");
        assert!(demo.stderr.contains(&done), "no {done} in {}", demo.stderr);
    }
    assert!(told(&demo.stdout, "rows in PredictiveAlerting_CL")? > 0);
    assert!(told(&demo.stdout, "proposals waiting for a person")? > 0);

    let shorter = ["--days", "30", "--replay-days", "0"];
    let again = foretide(folder.path(), DEMO.into_iter().chain(shorter)).await?;
    assert_eq!(again.code, 0, "not replaced: {}", again.stderr);
    Ok(())
}

#[tokio::test]
async fn the_demo_does_not_touch_a_folder_that_is_not_its_own() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("thesis.txt"), "irreplaceable")?;
    let refused = foretide(folder.path(), ["demo", "--once", "--data-dir", "."]).await?;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--data-dir"), "{}", refused.stderr);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("thesis.txt"))?,
        "irreplaceable"
    );
    Ok(())
}

/// The number in the line of the closing table that begins with `what`.
fn told(output: &str, what: &str) -> anyhow::Result<u64> {
    let line = output
        .lines()
        .find(|line| line.trim_start().starts_with(what));
    let number = line.and_then(|line| line.trim().rsplit(' ').next());
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("no number for {what} in {output}"))
}
