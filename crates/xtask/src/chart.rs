//! The Helm chart: linted strictly and rendered, as it is and with every example of values.

use std::{fs, path::PathBuf, process::Command};

use anyhow::ensure;

use crate::{
    layout::Layout,
    record::Record,
    run::{captured, recorded},
};

/// Lints and renders the chart.
///
/// # Errors
/// When Helm finds anything to complain about, or values that must be refused are taken.
pub(crate) fn check(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    let chart = layout.root.join("charts/foretide");
    recorded(helm(layout).args(["lint", "--strict"]).arg(&chart), record)?;
    let render = |values: Option<&PathBuf>| {
        let mut command = helm(layout);
        command.args(["template", "foretide"]).arg(&chart);
        if let Some(file) = values {
            command.arg("--values").arg(file);
        }
        captured(&mut command)
    };
    render(None)?;
    for file in examples(layout, "ci")? {
        let manifests = render(Some(&file))?;
        record.note(&format!(
            "{}: {} lines",
            file.display(),
            manifests.lines().count()
        ));
    }
    for file in examples(layout, "refused")? {
        ensure!(
            render(Some(&file)).is_err(),
            "{} breaks values.schema.json and was rendered all the same",
            file.display()
        );
    }
    Ok(())
}

fn helm(layout: &Layout) -> Command {
    let mut command = Command::new(layout.helm());
    command.current_dir(&layout.root);
    command
}

fn examples(layout: &Layout, kind: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(layout.root.join("charts/foretide").join(kind))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}
