//! The checks, in order.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::Context;

use crate::{
    chart,
    count::Count,
    layout::Layout,
    run::{cargo, counted, plain},
    setup,
    summary::{self, Outcome},
};

/// One check.
pub(crate) struct Step {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it checks.
    pub(crate) what: &'static str,
    run: fn(&Layout, &Selection, &mut Count) -> anyhow::Result<()>,
}

/// All checks, in the order they run.
pub(crate) const ALL: [Step; 11] = [
    Step {
        name: "setup",
        what: "installs what is missing",
        run: |layout, selection, _| setup::everything(layout, selection),
    },
    Step {
        name: "fmt",
        what: "rustfmt",
        run: |layout, _, _| plain(cargo(layout).args(["fmt", "--all", "--check"])),
    },
    Step {
        name: "proto",
        what: "buf lint and format",
        run: |layout, _, _| proto(layout),
    },
    Step {
        name: "policy",
        what: "cargo-deny: licences, bans, sources",
        run: |layout, _, _| policy(layout),
    },
    Step {
        name: "chart",
        what: "helm lint --strict, helm template",
        run: |layout, _, _| chart::check(layout),
    },
    Step {
        name: "kql",
        what: "every KQL text, by Microsoft's language service",
        run: |layout, _, _| kql(layout),
    },
    Step {
        name: "clippy",
        what: "clippy on all targets, warnings denied",
        run: |layout, _, _| clippy(layout),
    },
    Step {
        name: "test",
        what: "unit, property and blackbox tests, with real counterparts",
        run: |layout, _, count| unit_and_blackbox(layout, count),
    },
    Step {
        name: "doc",
        what: "rustdoc, warnings denied, and doc tests",
        run: |layout, _, count| doc(layout, count),
    },
    Step {
        name: "e2e",
        what: "stories over the real binary and real counterparts",
        run: |layout, _, count| {
            stories(
                layout,
                "package(foretide-e2e) - binary(browser)",
                &[],
                count,
            )
        },
    },
    Step {
        name: "browser",
        what: "the console in headless Chromium, with axe",
        run: |layout, _, count| stories(layout, "binary(browser)", &[], count),
    },
];

/// Which checks to run.
#[derive(Default)]
pub(crate) struct Selection {
    /// Only these, if any are named.
    pub(crate) only: Vec<String>,
    /// Not these.
    pub(crate) skip: Vec<String>,
}

impl Selection {
    /// Only the steps `names`.
    pub(crate) fn only(names: &[&str]) -> Self {
        Self {
            only: names.iter().map(ToString::to_string).collect(),
            skip: Vec::new(),
        }
    }

    /// Whether the step `name` runs.
    pub(crate) fn includes(&self, name: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|other| other == name);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Runs the selected checks, all of them even when one fails; whether all went well. What the
/// selected checks need is always set up first.
pub(crate) fn run(layout: &Layout, selection: &Selection) -> bool {
    let mut outcomes = Vec::new();
    for step in ALL {
        if step.name != "setup" && !selection.includes(step.name) {
            continue;
        }
        println!("\n== {}: {}", step.name, step.what);
        let begun = Instant::now();
        let mut count = Count::default();
        let result = (step.run)(layout, selection, &mut count);
        if let Err(error) = &result {
            println!("{} failed: {error:#}", step.name);
        }
        outcomes.push(Outcome {
            name: step.name,
            took: begun.elapsed(),
            count,
            error: result.err().map(|error| first_line(&error)),
        });
    }
    summary::print(&outcomes)
}

/// Takes the pictures of the documentation.
///
/// # Errors
/// When the browser stories fail.
pub(crate) fn screenshot(layout: &Layout) -> anyhow::Result<bool> {
    let images = layout.root.join("docs/images");
    std::fs::create_dir_all(&images)?;
    let pictures = [("FORETIDE_SCREENSHOTS", images)];
    stories(layout, "binary(browser)", &pictures, &mut Count::default())?;
    Ok(true)
}

fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_owned()
}

fn proto(layout: &Layout) -> anyhow::Result<()> {
    let buf = layout.browser().join("node_modules/.bin/buf");
    for arguments in [&["lint"][..], &["format", "--diff", "--exit-code"]] {
        plain(
            Command::new(&buf)
                .args(arguments)
                .env("PATH", layout.path_with_node())
                .current_dir(layout.root.join("proto")),
        )?;
    }
    Ok(())
}

fn kql(layout: &Layout) -> anyhow::Result<()> {
    for arguments in [&["--test"][..], &["check.mjs"]] {
        plain(
            Command::new("node")
                .args(arguments)
                .env("PATH", layout.path_with_node())
                .current_dir(layout.kql()),
        )?;
    }
    Ok(())
}

fn policy(layout: &Layout) -> anyhow::Result<()> {
    plain(
        Command::new(layout.rust_tool("cargo-deny"))
            .args(["--workspace", "--all-features", "--locked", "check"])
            .args(["--hide-inclusion-graph", "bans", "licenses", "sources"])
            .current_dir(&layout.root),
    )
}

fn clippy(layout: &Layout) -> anyhow::Result<()> {
    plain(
        cargo(layout)
            .args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--quiet",
            ])
            .args(["--", "-D", "warnings"]),
    )
}

/// The targets that are built and tested. Binaries and tests are named in one breath because cargo
/// then gives their dependencies one set of features: nothing is built twice, which halves the disk
/// a run needs.
const TARGETS: [&str; 5] = ["--workspace", "--lib", "--bins", "--tests", "--locked"];

/// Builds every binary and test.
fn build(layout: &Layout) -> anyhow::Result<()> {
    plain(cargo(layout).arg("build").args(TARGETS).arg("--quiet"))
}

fn unit_and_blackbox(layout: &Layout, count: &mut Count) -> anyhow::Result<()> {
    build(layout)?;
    let mut command = Command::new(layout.binaries.join("counterparts"));
    command
        .args(["postgres", "mlflow", "azurite", "kql", "--"])
        .arg(layout.rust_tool("cargo-nextest"))
        .args(["nextest", "run"])
        .args(TARGETS)
        .args(["--no-fail-fast", "-E", "not package(foretide-e2e)"]);
    counted(under_test(layout, &mut command), count)
}

fn stories(
    layout: &Layout,
    filter: &str,
    environment: &[(&str, PathBuf)],
    count: &mut Count,
) -> anyhow::Result<()> {
    build(layout)?;
    let mut command = Command::new(layout.rust_tool("cargo-nextest"));
    command
        .args(["nextest", "run"])
        .args(TARGETS)
        .args(["--no-fail-fast", "-E", filter])
        .args(["--success-output", "immediate", "--test-threads", "1"])
        .envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(chromium) = setup::find_chromium() {
        command.env("FORETIDE_CHROMIUM", chromium);
    }
    counted(under_test(layout, &mut command), count).context("a story failed")
}

/// The environment of a test run: our binary, our tools, nothing may be skipped.
fn under_test<'c>(layout: &Layout, command: &'c mut Command) -> &'c mut Command {
    command
        .current_dir(&layout.root)
        .env("PATH", layout.path_with_node())
        .env("FORETIDE_TOOLS", &layout.tools)
        .env("FORETIDE_BIN", layout.binaries.join("foretide"))
        .env("FORETIDE_REQUIRE_COUNTERPARTS", "1")
}

fn doc(layout: &Layout, count: &mut Count) -> anyhow::Result<()> {
    plain(
        cargo(layout)
            .args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"])
            // with examples the features are those of the other checks
            .args(["--lib", "--bins", "--examples"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    counted(
        cargo(layout).args(["test", "--workspace", "--doc", "--locked", "--quiet"]),
        count,
    )
}
