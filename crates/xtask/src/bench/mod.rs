//! `bench`: the figures of the documentation, measured anew on data that nobody here wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{layout::Layout, run, setup};

const SCRIPT: &str = include_str!("bench.py");

/// What to measure, and how.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// Parts, in order; the usual ones when empty.
    pub(crate) only: Vec<String>,
    /// Whether peers run beside.
    pub(crate) peers: bool,
    /// Cargo profile of the binary; release when empty.
    pub(crate) profile: Option<String>,
}

/// Parts that can be measured.
pub(crate) const PARTS: [&str; 6] = ["m4", "security", "load", "nab", "large", SCALE];
/// The part that is measured by a benchmark of the end-to-end crate, without Python.
const SCALE: &str = "scale";

/// Builds the binary, sets up Python, measures, and writes `target/bench/report.md`.
///
/// # Errors
/// When the binary does not build, or the measuring fails. A peer that cannot be installed is
/// named and left out.
pub(crate) fn measure(layout: &Layout, plan: &Plan) -> anyhow::Result<()> {
    let profile = plan.profile.as_deref().unwrap_or("release");
    let binary = build(layout, profile)?;
    let (scale, files): (Vec<&String>, Vec<&String>) =
        plan.only.iter().partition(|part| *part == SCALE);
    if !scale.is_empty() {
        measure_scale(layout, profile, &binary)?;
        if files.is_empty() {
            return Ok(());
        }
    }
    let python = setup::bench_python(layout)?;
    let peers = plan.peers && setup::bench_peers(layout, &python);
    let out = target(layout)?.join("bench");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let script = out.join("bench.py");
    fs::write(&script, SCRIPT)?;
    let data = layout.root.join("../shared/bench");
    if !data.is_dir() {
        write_contoso(layout, &out)?;
    }
    let mut command = Command::new(python);
    command.arg(script);
    command.args(["--foretide".into(), binary.into_os_string()]);
    command.args(["--bench".into(), data.into_os_string()]);
    command.args(["--out".into(), out.into_os_string()]);
    if !files.is_empty() {
        let files: Vec<&str> = files.into_iter().map(String::as_str).collect();
        command.args(["--only", &files.join(",")]);
    }
    if peers {
        command.arg("--peers");
    }
    println!("profile {profile}");
    run::plain(&mut command)
}

/// What reading the history of a large workspace takes.
fn measure_scale(layout: &Layout, profile: &str, binary: &Path) -> anyhow::Result<()> {
    let mut cargo = run::cargo(layout);
    cargo.args(["bench", "--workspace", "--bench", "scale", "--quiet"]);
    cargo.args(["--profile", profile]);
    cargo.env("FORETIDE_BIN", binary);
    println!("profile {profile}");
    run::plain(&mut cargo)
}

/// The binary of a profile.
fn build(layout: &Layout, profile: &str) -> anyhow::Result<PathBuf> {
    let arguments = ["build", "--workspace", "--bin", "foretide", "--quiet"];
    let mut cargo = run::cargo(layout);
    cargo.args(arguments).args(["--profile", profile]);
    run::plain(&mut cargo)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target(layout)?.join(folder).join("foretide"))
}

fn target(layout: &Layout) -> anyhow::Result<PathBuf> {
    let target = layout.binaries.parent();
    Ok(target
        .context("binaries lie in a target folder")?
        .to_path_buf())
}

/// The synthetic workspace's exported tables.
fn write_contoso(layout: &Layout, out: &Path) -> anyhow::Result<()> {
    let folder = out.join("contoso");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    let mut cargo = run::cargo(layout);
    cargo.args(["run", "--quiet", "-p", "foretide-synthetic-workspace"]);
    cargo.args(["--example", "write_contoso", "--"]);
    cargo.arg(folder);
    run::plain(&mut cargo)
}
