//! What the command line asks for.

use anyhow::{Context, bail, ensure};

use crate::{
    bench::{PARTS, Plan},
    selection::Selection,
    steps::ALL,
};

/// Shown by `cargo xtask help`.
pub(crate) const HELP: &str = "\
cargo xtask <command>

  test [--only a,b] [--skip a,b]   set up what is missing, run every check, end with a summary
       [--changed]                 only what differs from the main branch touches, and what was left out
       [--long]                    also what takes hours: stories at 16 moments, by two clocks
  test --list                      the checks, in order
  clocks                           test --only clocks --long
  setup                            only install what the checks need, into .tools
  bench [--only a,b] [--peers]     measure forecasts and anomalies on ../shared/bench (m4, security,
        [--profile P]              load, nab; large), with peers beside; writes target/bench/report.md;
                                   scale: 12 months of a workspace of 50 million rows
  screenshot                       take the pictures in docs/images anew
  help                             this text

Needed beforehand: Rust and Python 3. Everything else comes from package registries, in pinned
versions; system packages (PostgreSQL, Chromium) are installed with apt-get when run as root or
with passwordless sudo, and are named otherwise.";

/// One command.
pub(crate) enum Request {
    /// `help`.
    Help,
    /// `test --list`.
    List,
    /// `setup`.
    Setup,
    /// `test`.
    Test(Selection),
    /// `bench`.
    Bench(Plan),
    /// `screenshot`.
    Screenshot,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// On an unknown command, option or step; the message says what there is.
pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Request> {
    let request = match arguments.next().as_deref() {
        None | Some("help" | "--help" | "-h") => Request::Help,
        Some("setup") => Request::Setup,
        Some("screenshot") => Request::Screenshot,
        Some("clocks") => {
            return Ok(Request::Test(Selection {
                long: true,
                ..Selection::only(&["clocks"])
            }));
        }
        Some("bench") => return parse_bench(arguments),
        Some("test") => return parse_test(arguments),
        Some(other) => {
            bail!("`{other}` is not a command: test, clocks, setup, bench, screenshot or help")
        }
    };
    ensure!(
        arguments.next().is_none(),
        "this command takes no arguments; see `cargo xtask help`"
    );
    Ok(request)
}

fn parse_test(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Request> {
    let mut selection = Selection::default();
    while let Some(argument) = arguments.next() {
        let (option, inline) = match argument.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let names = match option.as_str() {
            "--list" => return Ok(Request::List),
            "--help" | "-h" => return Ok(Request::Help),
            "--changed" => {
                selection.changed = true;
                continue;
            }
            "--long" => {
                selection.long = true;
                continue;
            }
            "--only" => &mut selection.only,
            "--skip" => &mut selection.skip,
            other => bail!(
                "`{other}` is not an option of test: --only, --skip, --changed, --long or --list"
            ),
        };
        let value = inline
            .or_else(|| arguments.next())
            .with_context(|| format!("{option} wants step names, separated by commas"))?;
        for name in value.split(',') {
            ensure!(
                ALL.iter().any(|step| step.name == name),
                "`{name}` is not a step: {}",
                ALL.map(|step| step.name).join(", ")
            );
            names.push(name.to_owned());
        }
    }
    Ok(Request::Test(selection))
}

fn parse_bench(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Request> {
    let mut plan = Plan::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Request::Help),
            "--peers" => plan.peers = true,
            "--profile" => {
                let profile = arguments.next();
                plan.profile = Some(profile.context("--profile wants a name: dev or release")?);
            }
            "--only" => {
                let names = arguments.next().context("--only wants names of parts")?;
                plan.only = names.split(',').map(str::to_owned).collect();
            }
            other => bail!("`{other}` is not an option of bench: --only, --peers or --profile"),
        }
    }
    for name in &plan.only {
        ensure!(
            PARTS.contains(&name.as_str()),
            "`{name}` is not a part: {}",
            PARTS.join(", ")
        );
    }
    Ok(Request::Bench(plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> anyhow::Result<Request> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn steps_are_chosen_by_name() {
        let Ok(Request::Test(selection)) = parsed("test --only fmt,build --skip=build") else {
            panic!("a valid line was refused");
        };
        assert!(selection.includes("fmt"));
        assert!(!selection.includes("build"));
        assert!(!selection.includes("e2e"));
    }

    #[test]
    fn what_takes_hours_is_asked_for() {
        for line in ["clocks", "test --only clocks --long"] {
            let Ok(Request::Test(selection)) = parsed(line) else {
                panic!("`{line}` was refused");
            };
            assert!(selection.long && selection.includes("clocks"), "{line}");
            assert!(!selection.includes("e2e"), "{line}");
        }
    }

    #[test]
    fn a_bench_is_planned_by_its_options() {
        let Ok(Request::Bench(plan)) = parsed("bench --only m4,nab --peers --profile dev") else {
            panic!("a valid line was refused");
        };
        assert_eq!(plan.only, ["m4", "nab"]);
        assert!(plan.peers);
        assert_eq!(plan.profile.as_deref(), Some("dev"));
    }

    #[test]
    fn mistakes_name_what_there_is() {
        for (line, expected) in [
            ("tset", "test, clocks"),
            ("test --only fnt", "fmt"),
            ("test --only", "step names"),
            ("test --fast", "--only, --skip"),
            ("setup now", "no arguments"),
            ("bench --only m5", "m4, security"),
            ("bench --fast", "--peers"),
        ] {
            let Err(error) = parsed(line) else {
                panic!("`{line}` was taken");
            };
            assert!(error.to_string().contains(expected), "{line}: {error}");
        }
    }
}
