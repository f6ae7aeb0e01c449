//! What the broker counts.

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

/// Instruments of the broker.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    proposals: Counter<u64>,
    refusals: Counter<u64>,
    executions: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("foretide_broker");
        Self {
            proposals: meter
                .u64_counter("foretide_proposals")
                .with_description("Proposals, by the state they reached")
                .build(),
            refusals: meter
                .u64_counter("foretide_approval_refusals")
                .with_description("Decisions that the policy refused")
                .build(),
            executions: meter
                .u64_counter("foretide_executions")
                .with_description("Executions, by how they ended")
                .build(),
        }
    }

    pub(crate) fn proposal(&self, state: &'static str) {
        self.proposals.add(1, &[KeyValue::new("state", state)]);
    }

    pub(crate) fn refusal(&self) {
        self.refusals.add(1, &[]);
    }

    pub(crate) fn execution(&self, succeeded: bool) {
        let end = if succeeded { "executed" } else { "failed" };
        self.executions.add(1, &[KeyValue::new("end", end)]);
    }
}
