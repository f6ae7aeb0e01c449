//! The table at the end.

use std::{path::PathBuf, time::Duration};

use crate::count::Count;

/// How one step ended.
pub(crate) struct Outcome {
    /// The step.
    pub(crate) name: &'static str,
    /// Wall clock.
    pub(crate) took: Duration,
    /// Tests it ran; a step without tests counts as one check.
    pub(crate) count: Count,
    /// The first line of its output that named an error.
    pub(crate) first_error: Option<String>,
    /// Where all of its output lies.
    pub(crate) log: Option<PathBuf>,
    /// Why it failed, if it did.
    pub(crate) error: Option<String>,
}

impl Outcome {
    /// Tests, or the step itself as one check. A step that failed has at least one failure.
    fn counted(&self) -> Count {
        let mut count = self.count;
        match &self.error {
            Some(_) => count.failed = count.failed.max(1),
            None if count == Count::default() => count.passed = 1,
            None => {}
        }
        count
    }
}

/// Prints the table and the closing line; whether all went well.
pub(crate) fn print(outcomes: &[Outcome], took: Duration) -> bool {
    println!(
        "\n{:<8} {:>8}  {:>7}  {:>7}  result",
        "step", "time", "passed", "failed"
    );
    let mut total = Count::default();
    for outcome in outcomes {
        let count = outcome.counted();
        total.passed += count.passed;
        total.failed += count.failed;
        println!(
            "{:<8} {:>7.1}s  {:>7}  {:>7}  {}",
            outcome.name,
            outcome.took.as_secs_f64(),
            count.passed,
            count.failed,
            outcome.error.as_deref().unwrap_or("ok")
        );
    }
    println!("{:<8} {:>7.1}s", "all", took.as_secs_f64());
    for outcome in outcomes {
        if let Some(error) = &outcome.error {
            let first = outcome.first_error.as_ref().unwrap_or(error);
            println!("\n{} failed first with: {first}", outcome.name);
            if let Some(log) = &outcome.log {
                println!("its output lies in {}", log.display());
            }
        }
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    total.failed == 0
}
