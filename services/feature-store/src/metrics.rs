//! What the feature store counts about itself.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// Counters of one service.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    feature_rows: Counter<u64>,
    training_sets: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = opentelemetry::global::meter("foretide-feature-store");
        Self {
            feature_rows: meter
                .u64_counter("foretide_feature_rows")
                .with_description("Feature rows written to the lake")
                .build(),
            training_sets: meter
                .u64_counter("foretide_training_sets")
                .with_description("Training sets asked for, by whether they were built or found")
                .build(),
        }
    }

    pub(crate) fn materialized(&self, use_case: &str, rows: usize) {
        let use_case = KeyValue::new("use_case", use_case.to_owned());
        self.feature_rows.add(rows as u64, &[use_case]);
    }

    pub(crate) fn training_set(&self, use_case: &str, outcome: &'static str) {
        let labels = [
            KeyValue::new("use_case", use_case.to_owned()),
            KeyValue::new("outcome", outcome),
        ];
        self.training_sets.add(1, &labels);
    }
}
