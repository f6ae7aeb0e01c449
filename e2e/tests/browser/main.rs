//! The console in headless Chromium, told by `e2e/browser/console.mjs`; here is what it looks at.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, bail, ensure};
use foretide_e2e::{Contoso, Installation, Setup, Shape, Soc};
use foretide_test_support::{repository_root, require_counterparts, tools_dir};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_looks_around_and_approves() -> anyhow::Result<()> {
    let Some(browser) = browser()? else {
        return Ok(());
    };
    let mut contoso = Contoso::with_history(84)?;
    let installation = Setup::new(Shape::OneProcess)?
        .reading(contoso.export())
        .with("/feature_store/calendar/campaigns", contoso.campaigns())
        .with(
            "/auditor/initial_phases",
            json!({"risk_period": "assisted"}),
        )
        .start()
        .await?;
    let soc = Soc::of(&installation)?;
    soc.forecast("attack_volume", contoso.now()).await?;
    let today = contoso.advance_to_today()?;
    soc.forecast("attack_volume", today).await?;
    soc.forecast("risk_period", today).await?;

    the_browser_tells(&installation, browser).await?;
    let cards = installation.emulator.requests("/workflows/");
    assert_eq!(cards.len(), 1, "one approval, one card");
    Ok(())
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

async fn the_browser_tells(installation: &Installation, chromium: PathBuf) -> anyhow::Result<()> {
    let own_node = tools_dir().join("node/bin/node");
    let node = if own_node.is_file() {
        own_node
    } else {
        "node".into()
    };
    let mut command = Command::new(node);
    command
        .arg("console.mjs")
        .current_dir(repository_root().join("e2e/browser"))
        .env("CONSOLE_URL", installation.console())
        .env("CONSOLE_TOKEN", installation.token_of("approver"))
        .env("FORETIDE_CHROMIUM", chromium);
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
