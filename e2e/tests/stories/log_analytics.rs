//! A workspace that is asked and not exported: the Log Analytics API of the emulator, with a real KQL
//! engine behind it.

use std::fmt::Write as _;

use anyhow::ensure;
use foretide_domain::SentinelTable;
use foretide_e2e::{Contoso, Setup, Shape, Soc};
use foretide_test_support::{KqlEngine, or_skip};

#[tokio::test(flavor = "multi_thread")]
async fn a_queried_workspace_is_forecast() -> anyhow::Result<()> {
    let contoso = Contoso::with_history(42)?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("workspace.sql");
    std::fs::write(&script, tables_of(&contoso))?;
    let Some(engine) = or_skip(KqlEngine::start_with(Some(&script)).await)? else {
        return Ok(());
    };
    let installation = Setup::new(Shape::OneProcess)?
        .querying(&engine)?
        .start()
        .await?;
    let soc = Soc::of(&installation)?;

    let run = soc.forecast("attack_volume", contoso.now()).await?;

    let queries = installation.emulator.requests("/v1/workspaces/");
    ensure!(!queries.is_empty(), "the workspace was never asked");
    println!("{} queries; {}", queries.len(), run.steps[0].summary_json);
    ensure!(
        !installation
            .emulator
            .rows("PredictiveAlerting_CL")
            .is_empty(),
        "no forecast was written back"
    );
    Ok(())
}

/// DuckDB statements that make the workspace's tables of the exported files.
fn tables_of(contoso: &Contoso) -> String {
    let mut script = String::new();
    for table in SentinelTable::ALL {
        let files = contoso
            .export()
            .join(format!("am-{}", table.name().to_lowercase()))
            .join("**/*.json");
        writeln!(
            script,
            "CREATE TABLE {} AS SELECT * FROM read_json('{}', format='newline_delimited', \
             union_by_name=true, ignore_errors=true);",
            table.name(),
            files.display()
        )
        .expect("writing to a string does not fail");
    }
    script
}
