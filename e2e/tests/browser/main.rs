//! Pages in headless Chromium, told by `e2e/browser/*.mjs`; here is what they look at.

use std::{fmt::Write, path::PathBuf, process::Command};

use anyhow::{Context, bail, ensure};
use foretide_e2e::{Contoso, Setup, Shape, Soc};
use foretide_test_support::{foretide, repository_root, require_counterparts, tools_dir};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_looks_around_and_approves() -> anyhow::Result<()> {
    let Some(browser) = browser()? else {
        return Ok(());
    };
    let mut contoso = Contoso::with_history(84)?;
    let installation = Setup::new(Shape::OneProcess)?
        .working_for(&contoso)
        .with(
            "/auditor/initial_phases",
            json!({"risk_period": "assisted"}),
        )
        .start()
        .await?;
    let soc = Soc::of(&installation)?;
    soc.forecast("attack_volume", contoso.now()).await?;
    let today = contoso.advance_to_today()?;
    soc.forecast("risk_period", today).await?;

    let told = [
        ("CONSOLE_URL", installation.console()),
        ("CONSOLE_TOKEN", installation.token_of("approver")),
    ];
    the_browser_tells("console.mjs", &told, browser).await?;
    let cards = installation.emulator.requests("/workflows/");
    assert_eq!(cards.len(), 1, "one approval, one card");
    Ok(())
}

#[tokio::test]
async fn a_backtest_report_can_be_read_by_everybody() -> anyhow::Result<()> {
    let Some(browser) = browser()? else {
        return Ok(());
    };
    let desk = tempfile::tempdir()?;
    std::fs::write(desk.path().join("history.csv"), seven_weeks()?)?;
    let line = "backtest --history history.csv --horizon 48 --origins 8 --every 24 \
                --refit-every 168 --html report.html";
    foretide(desk.path(), line.split_whitespace())
        .await?
        .success()?;
    let report = desk.path().join("report.html").display().to_string();
    the_browser_tells("report.mjs", &[("REPORT", report)], browser).await
}

/// Two series with a day and a week, from Monday, 5 January 2026 on.
fn seven_weeks() -> anyhow::Result<String> {
    let mut text = "unique_id,ds,y\n".to_owned();
    for series in ["<b>alerts</b>", "incidents"] {
        for hour in 0..7 * 168 {
            let (day, hour_of_day) = (hour / 24, hour % 24);
            let count = 3 + hour_of_day / 2 + 5 * u32::from(day % 7 < 5) + (hour * 7919) % 4;
            let date = chrono::NaiveDate::from_ymd_opt(2026, 1, 5).context("a date")?
                + chrono::Days::new(u64::from(day));
            writeln!(text, "{series},{date} {hour_of_day:02}:00:00,{count}")?;
        }
    }
    Ok(text)
}

/// Chromium and the node packages, or nothing when they need not be there.
fn browser() -> anyhow::Result<Option<PathBuf>> {
    let chromium = std::env::var_os("FORETIDE_CHROMIUM").map(PathBuf::from);
    let packages = repository_root().join("e2e/browser/node_modules/playwright-core");
    match chromium {
        Some(chromium) if packages.is_dir() => Ok(Some(chromium)),
        _ if require_counterparts() => {
            bail!("no Chromium (FORETIDE_CHROMIUM) or node packages: run `cargo xtask setup`")
        }
        _ => {
            eprintln!("skipped: set FORETIDE_CHROMIUM and run `cargo xtask setup`");
            Ok(None)
        }
    }
}

async fn the_browser_tells(
    story: &str,
    told: &[(&str, String)],
    chromium: PathBuf,
) -> anyhow::Result<()> {
    let own_node = tools_dir().join("node/bin/node");
    let node = if own_node.is_file() {
        own_node
    } else {
        "node".into()
    };
    let mut command = Command::new(node);
    command
        .arg(story)
        .current_dir(repository_root().join("e2e/browser"))
        .envs(told.iter().map(|(name, value)| (name, value)))
        .env("FORETIDE_CHROMIUM", chromium)
        // Chromium hangs when its clock is set this way; a page is told the time by the console
        .env_remove("LD_PRELOAD");
    if let Some(folder) = std::env::var_os("FORETIDE_SCREENSHOTS") {
        command.env("PICTURES", folder);
    }
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .context("cannot run node")?;
    println!("{}", String::from_utf8_lossy(&output.stdout));
    ensure!(
        output.status.success(),
        "the browser story failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
