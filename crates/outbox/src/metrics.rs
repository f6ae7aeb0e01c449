//! Counted deliveries, and what has not arrived.

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, Gauge};
use opentelemetry::{KeyValue, global};

static DELIVERIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("foretide_outbox")
        .u64_counter("foretide_outbox_deliveries")
        .with_description("Tries to deliver an item, by service, channel and outcome")
        .build()
});

static ITEMS: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    global::meter("foretide_outbox")
        .u64_gauge("foretide_outbox_items")
        .with_description("Items that wait or were refused, by service, channel and state")
        .build()
});

pub(crate) fn undelivered(service: &str, channel: &'static str, state: &'static str, items: u64) {
    let labels = [
        KeyValue::new("service", service.to_owned()),
        KeyValue::new("channel", channel),
        KeyValue::new("state", state),
    ];
    ITEMS.record(items, &labels);
}

pub(crate) fn delivery(service: &str, channel: &'static str, outcome: &'static str, items: usize) {
    let labels = [
        KeyValue::new("service", service.to_owned()),
        KeyValue::new("channel", channel),
        KeyValue::new("outcome", outcome),
    ];
    DELIVERIES.add(items as u64, &labels);
}
