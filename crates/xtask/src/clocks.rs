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
const TWO: [(Whose, &str); 2] = [(Whose::Machine, MOMENTS[7]), (Whose::Stories, MOMENTS[15])];

const ALL_STORIES: &str = "package(foretide-e2e)";
/// The stories that end in a decision, which need a window or a proposal.
const DECISIONS: &str = "package(foretide-e2e) and (test(/write_back::/) or \
                         test(=whole_way::one_process_on_sqlite) or test(=a_person_looks_around_and_approves))";

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Whose clock shows another moment.
#[derive(Clone, Copy)]
enum Whose {
    /// The machine's; the stories' begins where it always does.
    Machine,
    /// The stories'; the machine's shows the time.
    Stories,
}

/// Tells stories at other moments: the machine's clock set with the stories' own as it is, and the
/// stories' clock set with the machine's as it is.
///
/// # Errors
/// When a story fails; all moments are tried first.
pub(crate) fn check(layout: &Layout, all: bool, record: &mut Record) -> anyhow::Result<()> {
    let (filter, trials) = if all {
        let both = |moment| [(Whose::Machine, moment), (Whose::Stories, moment)];
        (ALL_STORIES, MOMENTS.into_iter().flat_map(both).collect())
    } else {
        (DECISIONS, TWO.to_vec())
    };
    let mut failed = Vec::new();
    for (whose, moment) in trials {
        let (name, environment) = match whose {
            Whose::Machine => ("the machine's clock", machine_at(moment)?),
            Whose::Stories => ("the stories' clock", begin_at(moment)),
        };
        record.note(&format!("-- {name} at {moment}"));
        if stories(layout, filter, &environment, record).is_err() {
            failed.push(format!("{name} at {moment}"));
        }
    }
    ensure!(
        failed.is_empty(),
        "stories failed with {}",
        failed.join(", ")
    );
    Ok(())
}

/// Whether the library is there that shows processes another time.
pub(crate) fn has_library() -> bool {
    Path::new(LIBRARY).is_file()
}

fn begin_at(moment: &str) -> Vec<(&'static str, OsString)> {
    vec![("FORETIDE_STORIES_START", moment.into())]
}

/// The machine's clock that much ahead or behind, for every process that a story starts.
fn machine_at(moment: &str) -> anyhow::Result<Vec<(&'static str, OsString)>> {
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
    Ok(vec![(RUNNER, runner.into())])
}
