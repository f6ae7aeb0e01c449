//! A run on the terminal: one line a step, a bar where the length is known.

use std::collections::HashMap;
use std::time::Duration;

use foretide_api::Timestamp;
use foretide_api::orchestration::v1::{Run, RunState, RunStep};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows the steps of one run while it goes on.
pub(crate) struct StepBars {
    screen: MultiProgress,
    bars: HashMap<String, ProgressBar>,
}

impl StepBars {
    pub(crate) fn new() -> Self {
        Self {
            screen: MultiProgress::new(),
            bars: HashMap::new(),
        }
    }

    /// Brings the screen up to date.
    pub(crate) fn show(&mut self, run: &Run) {
        for step in &run.steps {
            let bar = self.bars.entry(step.step.clone()).or_insert_with(|| {
                let bar = self.screen.add(ProgressBar::new_spinner());
                bar.set_prefix(step.step.clone());
                bar.set_style(style("  {prefix:<9} {msg}"));
                bar
            });
            update(bar, step);
        }
    }
}

fn update(bar: &ProgressBar, step: &RunStep) {
    if bar.is_finished() {
        return;
    }
    match step.state() {
        RunState::Running => {
            let progress = step.progress.clone().unwrap_or_default();
            if progress.total > 0 {
                bar.set_style(style("{spinner} {prefix:<9} [{bar:28}] {pos}/{len} {msg}"));
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            } else {
                bar.set_style(style("{spinner} {prefix:<9} {msg}"));
            }
            bar.set_message(progress.stage);
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        RunState::Succeeded => finish(bar, "✓", &seconds(step)),
        RunState::Failed => finish(bar, "✗", &step.error),
        // only a whole run is incomplete
        RunState::Incomplete | RunState::Queued | RunState::Unspecified => {
            bar.set_message("waiting");
        }
    }
}

fn finish(bar: &ProgressBar, mark: &str, message: &str) {
    bar.set_style(style(&format!("{mark} {{prefix:<9}} {{msg}}")));
    bar.finish_with_message(message.to_owned());
    if bar.is_hidden() {
        eprintln!("{mark} {:<9} {message}", bar.prefix());
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// How long a step took.
pub(crate) fn seconds(step: &RunStep) -> String {
    duration(step.started_at, step.finished_at)
}

/// Time between two moments, in words.
pub(crate) fn duration(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    let moment = |at: Option<Timestamp>| at.and_then(Timestamp::to_moment);
    match (moment(start), moment(end)) {
        (Some(start), Some(end)) => {
            let milliseconds = (end - start).num_milliseconds().max(0);
            format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
        }
        _ => String::new(),
    }
}
