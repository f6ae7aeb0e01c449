//! Counted deliveries.

use std::sync::LazyLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

static DELIVERIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("foretide_outbox")
        .u64_counter("foretide_outbox_deliveries")
        .with_description("Tries to deliver an item, by service, channel and outcome")
        .build()
});

pub(crate) fn delivery(service: &str, channel: &'static str, outcome: &'static str, items: usize) {
    let labels = [
        KeyValue::new("service", service.to_owned()),
        KeyValue::new("channel", channel),
        KeyValue::new("outcome", outcome),
    ];
    DELIVERIES.add(items as u64, &labels);
}
