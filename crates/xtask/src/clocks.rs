//! The stories at other moments: whatever the machine's clock shows, and wherever the stories' own
//! clock begins.

use std::{ffi::OsString, path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::{layout::Layout, record::Record, run::captured, steps::stories};

/// What cargo and nextest start tests by.
const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";

/// Every weekday, four hours of the day, both clock changes of Europe/Berlin, 29 February, the turn
/// of the year, ten years ahead.
const MOMENTS: [&str; 16] = [
    "2026-03-16T00:30:00Z",
    "2026-03-17T06:10:00Z",
    "2026-03-18T12:00:00Z",
    "2026-03-19T18:45:00Z",
    "2026-03-20T02:00:00Z",
    "2026-03-21T02:00:00Z",
    "2026-03-22T18:00:00Z",
    "2026-03-28T23:30:00Z",
    "2026-10-24T23:30:00Z",
    "2026-11-24T10:00:00Z",
    "2026-12-31T22:40:00Z",
    "2027-01-01T06:00:00Z",
    "2028-02-28T20:00:00Z",
    "2028-02-29T12:00:00Z",
    "2030-06-02T10:00:00Z",
    "2036-11-28T18:00:00Z",
];
/// What the test command tries: a Saturday night before the clocks change, and ten years ahead.
const TWO: [Shown; 2] = [Shown::Machine(MOMENTS[7]), Shown::Stories(MOMENTS[15])];

const ALL_STORIES: &str = "package(foretide-e2e)";
/// The stories that end in a decision, which need a window or a proposal.
const DECISIONS: &str = "package(foretide-e2e) and (test(/write_back::/) or \
                         test(=whole_way::one_process_on_sqlite) or test(=a_person_looks_around_and_approves))";

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A clock that shows another moment.
#[derive(Clone, Copy)]
enum Shown {
    /// The machine's.
    Machine(&'static str),
    /// The stories' own, which begins there.
    Stories(&'static str),
}

/// Tells stories at other moments. Of all of them each is tried by both clocks, two at a time: the
/// machine's shows one and the stories' begins at another. A pair that fails is tried apart.
///
/// # Errors
/// When a story fails; all moments are tried first.
pub(crate) fn check(layout: &Layout, all: bool, record: &mut Record) -> anyhow::Result<()> {
    let (filter, trials) = if all {
        (ALL_STORIES, (0..MOMENTS.len()).map(pair).collect())
    } else {
        (DECISIONS, TWO.map(|shown| vec![shown]).to_vec())
    };
    let mut failed = Vec::new();
    for trial in trials {
        if stories_pass(layout, filter, &trial, record)? {
            continue;
        }
        let mut guilty = Vec::new();
        for shown in trial.iter().filter(|_| trial.len() > 1) {
            if !stories_pass(layout, filter, &[*shown], record)? {
                guilty.push(named(&[*shown]));
            }
        }
        failed.push(if guilty.is_empty() {
            named(&trial)
        } else {
            guilty.join(" and, alone, ")
        });
    }
    ensure!(
        failed.is_empty(),
        "stories failed with {}",
        failed.join("; with ")
    );
    Ok(())
}

/// The moment of that number by the machine's clock, and another by the stories'.
fn pair(number: usize) -> Vec<Shown> {
    let other = (number + MOMENTS.len() / 2 + 1) % MOMENTS.len();
    vec![
        Shown::Machine(MOMENTS[number]),
        Shown::Stories(MOMENTS[other]),
    ]
}

/// Whether all stories pass with these clocks.
fn stories_pass(
    layout: &Layout,
    filter: &str,
    clocks: &[Shown],
    record: &mut Record,
) -> anyhow::Result<bool> {
    record.note(&format!("-- {}", named(clocks)));
    let environment: Vec<_> = clocks
        .iter()
        .map(|shown| match shown {
            Shown::Machine(moment) => machine_at(moment),
            Shown::Stories(moment) => Ok(("FORETIDE_STORIES_START", moment.into())),
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(stories(layout, filter, &environment, record).is_ok())
}

fn named(clocks: &[Shown]) -> String {
    let names = clocks.iter().map(|shown| match shown {
        Shown::Machine(moment) => format!("the machine's clock at {moment}"),
        Shown::Stories(moment) => format!("the stories' clock from {moment}"),
    });
    names.collect::<Vec<_>>().join(" and ")
}

/// Whether the library is there that shows processes another time.
pub(crate) fn has_library() -> bool {
    Path::new(LIBRARY).is_file()
}

/// The machine's clock that much ahead or behind, for every process that a story starts.
fn machine_at(moment: &str) -> anyhow::Result<(&'static str, OsString)> {
    ensure!(
        has_library(),
        "{LIBRARY} is missing: apt-get install libfaketime"
    );
    let seconds = |of: &[&str]| -> anyhow::Result<i64> {
        let output = captured(Command::new("date").args(of).arg("+%s"))?;
        output.trim().parse().context("date gives no number")
    };
    let ahead = seconds(&["--utc", "--date", moment])? - seconds(&[])?;
    // by the runner of tests, not by the environment: cargo and nextest keep the machine's time
    let runner = format!(
        "env LD_PRELOAD={LIBRARY} FAKETIME={ahead:+}s FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1"
    );
    Ok((RUNNER, runner.into()))
}
