//! What the trainer counts.

use std::sync::LazyLock;
use std::time::Duration;

use foretide_domain::UseCaseId;
use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};

static TRAININGS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("foretide_trainer")
        .f64_histogram("foretide_training_seconds")
        .with_description("Time from a training set to a registered version")
        .build()
});

pub(crate) fn trained(use_case: &UseCaseId, took: Duration) {
    TRAININGS.record(
        took.as_secs_f64(),
        &[KeyValue::new("use_case", use_case.to_string())],
    );
}
