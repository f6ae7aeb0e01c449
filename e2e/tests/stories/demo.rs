//! The first of the README's two commands, as a newcomer types it.

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use foretide_synthetic_workspace::{EventKind, Plan, Workspace};
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
    // a red team exercise that the SOC knows of begins within three days of the last forecast
    assert!(told(&demo.stdout, "proposals waiting for a person")? > 0);
    for proved in [
        "weekend attack: synthetic intrusion",
        "drift: synthetic noisy rule",
        "surge: synthetic",
        "false alarms: ",
        "Announced: synthetic red team exercise",
        "unannounced events that exceeded the capacity, warned of before they began: ",
        "Without what was announced, ",
        "rolling_2sd",
        "seasonal naive",
    ] {
        assert!(
            demo.stdout.contains(proved),
            "no {proved} in {}",
            demo.stdout
        );
    }
    only_exercises_stand_in_the_calendar(folder.path())
}

/// No attack date in any configuration: what nobody was told of cannot be known from there.
fn only_exercises_stand_in_the_calendar(folder: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(folder.join(".foretide/demo/foretide.yaml"))?;
    let written: serde_norway::Value = serde_norway::from_str(&text)?;
    let campaigns = written["feature_store"]["calendar"]["campaigns"].as_sequence();
    let campaigns = campaigns.context("no campaigns")?;
    let truth = truth_of_the_demo()?;
    let exercises = truth.events().iter().filter(|event| event.is_announced());
    let exercises: Vec<_> = exercises.collect();
    assert_eq!(campaigns.len(), exercises.len());
    for (campaign, exercise) in campaigns.iter().zip(exercises) {
        assert_eq!(exercise.kind, EventKind::Exercise);
        assert_eq!(campaign["name"], "synthetic red team exercise");
        let moment = |key: &str| campaign[key].as_str().map(str::parse::<DateTime<Utc>>);
        assert_eq!(moment("start"), Some(Ok(exercise.span.start)));
        assert_eq!(moment("end"), Some(Ok(exercise.span.end)));
    }
    let unannounced = truth.events().iter().filter(|event| !event.is_announced());
    let mut count = 0;
    for event in unannounced {
        count += 1;
        for word in [
            &event.name,
            &event.span.start.format("%Y-%m-%dT%H").to_string(),
        ] {
            assert!(!text.contains(word), "{word} stands in {text}");
        }
    }
    assert!(count > 10, "{count} planted without a word");
    Ok(())
}

/// The demo's planted events: they depend on seed and days alone, so that few rows will do.
fn truth_of_the_demo() -> anyhow::Result<Workspace> {
    let first = NaiveDate::from_ymd_opt(2026, 3, 2).context("no date")?;
    let plan = Plan {
        replay_days: 15,
        volume: 0.001,
        ..Plan::contoso(7, first)
    };
    Ok(Workspace::generate(&plan)?)
}

#[tokio::test]
async fn the_demo_replaces_what_an_earlier_one_left() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join(".foretide/demo");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join(".foretide-demo"), "")?;
    std::fs::write(data.join("left.txt"), "by an earlier demo")?;
    let short = ["--days", "14", "--replay-days", "0"];
    let demo = foretide(folder.path(), DEMO.into_iter().chain(short)).await?;
    assert_eq!(demo.code, 0, "not replaced: {}", demo.stderr);
    assert!(!data.join("left.txt").exists());
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
