//! What a user meets on the command line before anything runs.

use foretide_test_support::{ForetideOutput, foretide};

async fn with_config(text: &str) -> anyhow::Result<ForetideOutput> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("foretide.yaml"), text)?;
    foretide(
        folder.path(),
        ["config", "check", "--config", "foretide.yaml"],
    )
    .await
}

#[tokio::test]
async fn a_bad_configuration_ends_with_78_and_names_file_key_and_what_is_allowed()
-> anyhow::Result<()> {
    for (text, said) in [
        ("scorrer: {}", vec!["foretide.yaml", "scorrer", "scorer"]),
        ("listen: {console: high}", vec!["listen.console", "u16"]),
        (
            "telemetry: {format: xml}",
            vec!["telemetry.format", "text", "json"],
        ),
        (
            "feature_store: {history_days: 0}",
            vec!["history_days", "7", "3660"],
        ),
        (
            "database: {url: \"mysql://x\"}",
            vec!["database.url", "sqlite", "postgres"],
        ),
        (
            "identity: {people: [{name: a, roles: [viewer], token: short}]}",
            vec!["identity", "16"],
        ),
        ("a: [", vec!["foretide.yaml"]),
    ] {
        let output = with_config(text).await?;
        assert_eq!(output.code, 78, "{text}: {}", output.stderr);
        for word in said {
            assert!(
                output.stderr.contains(word),
                "{text}: no {word} in {}",
                output.stderr
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn help_is_there_for_every_command() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for command in [
        vec!["demo"],
        vec!["up"],
        vec!["serve"],
        vec!["run"],
        vec!["forecast"],
        vec!["anomalies"],
        vec!["backtest"],
        vec!["staffing"],
        vec!["migrate"],
        vec!["backfill"],
        vec!["backfill", "plan"],
        vec!["backfill", "retry"],
        vec!["audit", "verify"],
        vec!["actions", "approve"],
        vec!["actions", "reject"],
        vec!["runs", "show"],
        vec!["jobs", "retry"],
        vec!["pseudonyms", "resolve"],
        vec!["pseudonyms", "drop-epoch"],
        vec!["config", "check"],
        vec!["version"],
    ] {
        let mut line = command.clone();
        line.push("--help");
        let output = foretide(folder.path(), line).await?.success()?;
        assert!(output.stdout.contains("Usage:"), "{command:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mistyped_command_is_a_usage_error() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let output = foretide(folder.path(), ["forcast"]).await?;
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("forecast"), "{}", output.stderr);
    Ok(())
}
