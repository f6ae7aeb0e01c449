//! A workspace that is asked and not exported: the Log Analytics API of the emulator, with a real KQL
//! engine behind it.

use std::{fs::File, path::Path};

use anyhow::ensure;
use foretide_domain::SentinelTable;
use foretide_e2e::{Contoso, Setup, Shape, Soc};
use foretide_test_support::{KqlEngine, or_skip};

#[tokio::test(flavor = "multi_thread")]
async fn a_queried_workspace_is_forecast() -> anyhow::Result<()> {
    let contoso = Contoso::with_history(42)?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("workspace.sql");
    std::fs::write(&script, tables_of(&contoso, folder.path())?)?;
    let Some(engine) = or_skip(KqlEngine::start_with(Some(&script)).await)? else {
        return Ok(());
    };
    let mut installation = Setup::new(Shape::OneProcess)?
        .querying(&engine)?
        .start()
        .await?;
    let soc = Soc::of(&installation)?;

    let run = match soc.forecast("attack_volume", contoso.now()).await {
        Ok(run) => run,
        Err(error) => {
            eprintln!("{}", installation.logs());
            return Err(error);
        }
    };

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

/// DuckDB statements that make the workspace's tables of the exported rows, one file a table.
fn tables_of(contoso: &Contoso, folder: &Path) -> anyhow::Result<String> {
    let mut script = String::new();
    let files = contoso.files()?;
    for table in SentinelTable::ALL {
        let export = contoso
            .export()
            .join(format!("am-{}", table.name().to_lowercase()));
        let rows = folder.join(format!("{table}.ndjson"));
        let mut all = File::create(&rows)?;
        for file in files.iter().filter(|file| file.starts_with(&export)) {
            std::io::copy(&mut File::open(file)?, &mut all)?;
        }
        script.push_str(&KqlEngine::table_statement(table, &rows));
    }
    Ok(script)
}
