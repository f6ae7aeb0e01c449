//! What the scorer counts.

use std::sync::LazyLock;
use std::time::Duration;

use foretide_domain::UseCaseId;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

static SCORINGS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("foretide_scorer")
        .f64_histogram("foretide_scoring_seconds")
        .with_description("Time from a request to a stored forecast")
        .build()
});

static DELIVERIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("foretide_scorer")
        .u64_counter("foretide_scorer_deliveries")
        .with_description("What left the outboxes, by outbox and outcome")
        .build()
});

pub(crate) fn scored(use_case: &UseCaseId, took: Duration) {
    SCORINGS.record(
        took.as_secs_f64(),
        &[KeyValue::new("use_case", use_case.to_string())],
    );
}

pub(crate) fn delivered(outbox: &'static str, outcome: &'static str, count: usize) {
    let labels = [
        KeyValue::new("outbox", outbox),
        KeyValue::new("outcome", outcome),
    ];
    DELIVERIES.add(count as u64, &labels);
}
