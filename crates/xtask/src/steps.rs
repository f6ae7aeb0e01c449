//! The checks, in order.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::{
    chart, clocks,
    layout::Layout,
    record::Record,
    run::{cargo, forget_package, recorded},
    selection::Selection,
    setup,
    summary::{self, Outcome},
};

/// One check.
pub(crate) struct Step {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it checks.
    pub(crate) what: &'static str,
    /// After so many minutes it is killed.
    minutes: u64,
    run: fn(&Layout, &Selection, &mut Record) -> anyhow::Result<()>,
}

/// All checks, in the order they run.
pub(crate) const ALL: [Step; 12] = [
    Step {
        name: "setup",
        what: "installs what is missing",
        minutes: 30,
        run: |layout, selection, _| setup::everything(layout, selection),
    },
    Step {
        name: "fmt",
        what: "rustfmt",
        minutes: 5,
        run: |layout, _, record| recorded(cargo(layout).args(["fmt", "--all", "--check"]), record),
    },
    Step {
        name: "proto",
        what: "buf lint and format",
        minutes: 5,
        run: |layout, _, record| proto(layout, record),
    },
    Step {
        name: "policy",
        what: "cargo-deny: licences, bans, sources",
        minutes: 10,
        run: |layout, _, record| policy(layout, record),
    },
    Step {
        name: "chart",
        what: "helm lint --strict, helm template",
        minutes: 5,
        run: |layout, _, record| chart::check(layout, record),
    },
    Step {
        name: "kql",
        what: "every KQL text, by Microsoft's language service",
        minutes: 10,
        run: |layout, _, record| kql(layout, record),
    },
    Step {
        name: "build",
        what: "everything, by clippy; warnings denied",
        minutes: 45,
        run: |layout, _, record| build(layout, record),
    },
    Step {
        name: "test",
        what: "unit, property and blackbox tests, with real counterparts",
        minutes: 30,
        run: unit_and_blackbox,
    },
    Step {
        name: "doc",
        what: "rustdoc, warnings denied, and doc tests",
        minutes: 20,
        run: |layout, _, record| doc(layout, record),
    },
    Step {
        name: "e2e",
        what: "stories over the real binary and real counterparts",
        minutes: 30,
        run: |layout, _, record| {
            stories(
                layout,
                "package(foretide-e2e) - binary(browser)",
                &[],
                record,
            )
        },
    },
    Step {
        name: "browser",
        what: "the console in headless Chromium, with axe",
        minutes: 10,
        run: |layout, _, record| stories(layout, "binary(browser)", &[], record),
    },
    Step {
        name: "clocks",
        what: "stories that end in a decision, at two other moments (--long: all stories, at all)",
        minutes: 600,
        run: |layout, selection, record| clocks::check(layout, selection.long, record),
    },
];

/// Steps by when they run: a stage begins when the one before has ended. The steps of a stage's
/// second list run beside those of its first, unseen until they end: setting up waits for the
/// network, tests wait for counterparts.
const STAGES: [[&[&str]; 2]; 3] = [
    [&["fmt", "build"], &["setup"]],
    [&["test"], &["proto", "policy", "chart", "kql", "doc"]],
    [&["e2e", "browser", "clocks"], &[]],
];

/// Runs the selected checks, all of them even when one fails; whether all went well. What the
/// selected checks need is always set up.
pub(crate) fn run(layout: &Layout, selection: &Selection) -> bool {
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for [seen, beside] in STAGES {
        let in_order = |names: &[&str], is_seen| -> Vec<Outcome> {
            let wanted = ALL.iter().filter(|step| {
                names.contains(&step.name)
                    && (step.name == "setup" || selection.includes(step.name))
            });
            wanted
                .map(|step| outcome(layout, selection, step, is_seen))
                .collect()
        };
        let (seen, beside) = thread::scope(|scope| {
            let beside = scope.spawn(|| in_order(beside, false));
            let seen = in_order(seen, true);
            (seen, beside.join().expect("a step does not panic"))
        });
        outcomes.extend(beside);
        outcomes.extend(seen);
    }
    for left_out in &selection.left_out {
        println!("left out: {left_out}");
    }
    summary::print(&outcomes, begun.elapsed())
}

fn outcome(layout: &Layout, selection: &Selection, step: &Step, is_seen: bool) -> Outcome {
    let begun = Instant::now();
    if is_seen {
        println!("\n== {}: {}", step.name, step.what);
    }
    let limit = Duration::from_secs(60 * step.minutes);
    let (result, record) = match Record::kept(&layout.logs(), step.name, limit) {
        Ok(record) => {
            let mut record = if is_seen {
                record
            } else {
                record.in_the_background()
            };
            ((step.run)(layout, selection, &mut record), record)
        }
        Err(error) => (Err(error), Record::unkept(limit)),
    };
    match &result {
        Err(error) => println!("{} failed: {error:#}", step.name),
        Ok(()) if !is_seen => println!("{}: {}: ok", step.name, step.what),
        Ok(()) => {}
    }
    Outcome {
        name: step.name,
        took: begun.elapsed(),
        count: record.count(),
        first_error: record.first_error().map(str::to_owned),
        log: record.log().map(PathBuf::from),
        error: result.err().map(|error| first_line(&error)),
    }
}

/// Takes the pictures of the documentation.
///
/// # Errors
/// When the browser stories fail.
pub(crate) fn screenshot(layout: &Layout) -> anyhow::Result<bool> {
    let images = layout.root.join("docs/images");
    std::fs::create_dir_all(&images)?;
    let pictures = [("FORETIDE_SCREENSHOTS", images.into_os_string())];
    let mut record = Record::kept(&layout.logs(), "screenshot", Duration::from_secs(3600))?;
    stories(layout, "binary(browser)", &pictures, &mut record)?;
    Ok(true)
}

fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_owned()
}

fn proto(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    let buf = layout.browser().join("node_modules/.bin/buf");
    for arguments in [&["lint"][..], &["format", "--diff", "--exit-code"]] {
        recorded(
            Command::new(&buf)
                .args(arguments)
                .env("PATH", layout.path_with_node())
                .current_dir(layout.root.join("proto")),
            record,
        )?;
    }
    Ok(())
}

fn kql(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    for arguments in [&["--test"][..], &["check.mjs"]] {
        recorded(
            Command::new("node")
                .args(arguments)
                .env("PATH", layout.path_with_node())
                .current_dir(layout.kql()),
            record,
        )?;
    }
    Ok(())
}

fn policy(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    recorded(
        Command::new(layout.rust_tool("cargo-deny"))
            .args(["--workspace", "--all-features", "--locked", "check"])
            .args(["--hide-inclusion-graph", "bans", "licenses", "sources"])
            .current_dir(&layout.root),
        record,
    )
}

/// What is built. All is named in one breath because cargo then gives the dependencies one set of
/// features: nothing is built twice, which halves the disk a run needs.
const TARGETS: [&str; 3] = ["--workspace", "--all-targets", "--locked"];
/// What of it holds tests; the features are the same.
const TESTS: [&str; 5] = ["--workspace", "--lib", "--bins", "--tests", "--locked"];

/// What makes cargo compile our crates by clippy, which lints them and compiles them as rustc does:
/// one compilation serves lints and tests.
const BY_CLIPPY: (&str, &str) = ("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");

/// Builds everything; a warning is a failure, but only once everything is built.
fn build(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    recorded(
        cargo(layout)
            .arg("build")
            .args(TARGETS)
            .arg("--quiet")
            .env(BY_CLIPPY.0, BY_CLIPPY.1),
        record,
    )?;
    ensure!(record.warnings() == 0, "there are warnings, see above");
    Ok(())
}

fn unit_and_blackbox(
    layout: &Layout,
    selection: &Selection,
    record: &mut Record,
) -> anyhow::Result<()> {
    let filter = match &selection.packages {
        None => "not package(foretide-e2e)".to_owned(),
        Some(changed) => format!("({changed}) - package(foretide-e2e)"),
    };
    let mut command = Command::new(layout.binaries.join("counterparts"));
    command
        .args(["postgres", "mlflow", "azurite", "kql", "--"])
        .arg(layout.rust_tool("cargo-nextest"))
        .args(["nextest", "run"])
        .args(TESTS)
        .args(["--no-fail-fast", "--no-tests", "pass", "-E", &filter]);
    recorded(under_test(layout, &mut command), record)
}

/// Runs the stories that `filter` names, in this environment.
///
/// # Errors
/// When one fails.
pub(crate) fn stories(
    layout: &Layout,
    filter: &str,
    environment: &[(&str, OsString)],
    record: &mut Record,
) -> anyhow::Result<()> {
    let mut command = Command::new(layout.rust_tool("cargo-nextest"));
    command
        .args(["nextest", "run"])
        .args(TESTS)
        .args(["--no-fail-fast", "-E", filter])
        .args(["--success-output", "immediate"])
        .envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(chromium) = setup::find_chromium() {
        command.env("FORETIDE_CHROMIUM", chromium);
    }
    recorded(under_test(layout, &mut command), record).context("a story failed")
}

/// The environment of a test run: our binary, our tools, nothing may be skipped.
fn under_test<'c>(layout: &Layout, command: &'c mut Command) -> &'c mut Command {
    forget_package(command);
    command
        .current_dir(&layout.root)
        .env("PATH", layout.path_with_node())
        .env(BY_CLIPPY.0, BY_CLIPPY.1)
        .env("FORETIDE_TOOLS", &layout.tools)
        .env("FORETIDE_BIN", layout.binaries.join("foretide"))
        .env("FORETIDE_REQUIRE_COUNTERPARTS", "1")
}

/// Doc tests over the crates that are built already; on the way each crate's documentation is made,
/// by this program in the place of rustdoc (see [`crate::rustdoc`]).
fn doc(layout: &Layout, record: &mut Record) -> anyhow::Result<()> {
    recorded(
        cargo(layout)
            .args(["test", "--workspace", "--doc", "--locked", "--quiet"])
            .arg("--no-fail-fast")
            .env(BY_CLIPPY.0, BY_CLIPPY.1)
            .env("RUSTDOC", layout.binaries.join("xtask"))
            .env(crate::rustdoc::VARIABLE, layout.root.join("target/doc")),
        record,
    )
}
