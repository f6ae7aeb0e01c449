//! What the orchestrator counts about itself.

use chrono::TimeDelta;
use foretide_domain::Step;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use crate::model::{RunKind, RunState};

/// Counters of one service.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    runs: Counter<u64>,
    step_seconds: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = opentelemetry::global::meter("foretide-orchestrator");
        Self {
            runs: meter
                .u64_counter("foretide_runs")
                .with_description("Runs that were started or have ended, by kind and state")
                .build(),
            step_seconds: meter
                .f64_histogram("foretide_step_duration_seconds")
                .with_description("Time from the first attempt of a step to its success")
                .build(),
        }
    }

    pub(crate) fn run(&self, kind: RunKind, state: RunState) {
        let labels = [
            KeyValue::new("kind", kind.name()),
            KeyValue::new("state", state.name()),
        ];
        self.runs.add(1, &labels);
    }

    pub(crate) fn step(&self, step: Step, took: TimeDelta) {
        self.step_seconds
            .record(took.as_seconds_f64(), &[KeyValue::new("step", step.name())]);
    }
}
