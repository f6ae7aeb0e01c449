//! Developer commands. `cargo xtask test` is the whole check, from nothing but Rust and Python 3.

mod arguments;
mod bench;
mod chart;
mod clocks;
mod count;
mod layout;
mod record;
mod room;
mod run;
mod rustdoc;
mod selection;
mod setup;
mod steps;
mod summary;

use std::process::ExitCode;

use arguments::Request;
use layout::Layout;
use selection::Selection;

fn main() -> ExitCode {
    if let Some(folder) = rustdoc::is_asked_for() {
        return ended(rustdoc::document_and_test(&folder));
    }
    ended(dispatch())
}

fn ended(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was asked for went well.
fn dispatch() -> anyhow::Result<bool> {
    let layout = Layout::find()?;
    match arguments::parse(std::env::args().skip(1))? {
        Request::Help => {
            println!("{}", arguments::HELP);
            Ok(true)
        }
        Request::List => {
            for step in steps::ALL {
                println!("{:<8} {}", step.name, step.what);
            }
            Ok(true)
        }
        Request::Setup => {
            setup::everything(&layout, &Selection::default())?;
            Ok(true)
        }
        Request::Test(selection) => {
            let selection = selection.resolved(&layout)?;
            Ok(steps::run(&layout, &selection))
        }
        Request::Bench(plan) => {
            bench::measure(&layout, &plan)?;
            Ok(true)
        }
        Request::Screenshot => {
            setup::everything(&layout, &Selection::only(&["browser"]))?;
            steps::screenshot(&layout)
        }
    }
}
