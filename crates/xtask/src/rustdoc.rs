//! Standing in for rustdoc while cargo runs doc tests: the documentation of the same crate is made
//! first, with warnings denied, from what is compiled already. `cargo doc` would have every
//! dependency checked once more for it.

use std::{env, path::PathBuf, process::Command};

/// Set when this program stands in for rustdoc: where documentation goes.
pub(crate) const VARIABLE: &str = "FORETIDE_DOC_FOLDER";

/// Options of doc tests: they mean nothing when documentation is made.
const OF_TESTS: [&str; 2] = ["--test", "--no-run"];
/// The same, with a value of their own.
const OF_TESTS_WITH_VALUE: [&str; 3] = [
    "--test-run-directory",
    "--test-args",
    "--doctest-compilation-args",
];

/// Whether this program was started as rustdoc.
pub(crate) fn is_asked_for() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from)
}

/// Makes the documentation and runs the doc tests; whether both went well.
///
/// # Errors
/// When rustdoc cannot be run.
pub(crate) fn document_and_test(folder: &PathBuf) -> anyhow::Result<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let tests = arguments.iter().any(|argument| argument == "--test");
    let documented = !tests
        || rustdoc()
            .args(of_documentation(&arguments))
            .args(["-D", "warnings", "--out-dir"])
            .arg(folder)
            .status()?
            .success();
    Ok(rustdoc().args(&arguments).status()?.success() && documented)
}

fn rustdoc() -> Command {
    let mut command = Command::new("rustdoc");
    command.env_remove(VARIABLE).env_remove("RUSTDOC");
    command
}

fn of_documentation(arguments: &[String]) -> Vec<&String> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if OF_TESTS_WITH_VALUE.contains(&argument.as_str()) {
            rest.next();
            continue;
        }
        let joined = argument.split_once('=').map_or("", |(name, _)| name);
        if !OF_TESTS.contains(&argument.as_str()) && !OF_TESTS_WITH_VALUE.contains(&joined) {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_tests_is_left_out() {
        let line = "--crate-name x --test src/lib.rs --test-run-directory /x --test-args=-q -L y";
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let kept = of_documentation(&arguments);
        assert_eq!(kept, ["--crate-name", "x", "src/lib.rs", "-L", "y"]);
    }
}
