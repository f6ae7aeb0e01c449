//! What the service counts about itself.

use foretide_domain::SentinelTable;
use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

use crate::source::TableReport;

/// Counters by table.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    rows: Counter<u64>,
    duplicates: Counter<u64>,
    quarantined: Counter<u64>,
    buckets: Counter<u64>,
    failures: Counter<u64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("foretide.ingestion");
        let counter = |name: &'static str, about: &'static str| {
            meter.u64_counter(name).with_description(about).build()
        };
        Self {
            rows: counter("foretide_ingestion_rows", "Rows read"),
            duplicates: counter(
                "foretide_ingestion_rows_duplicate",
                "Rows that said nothing new",
            ),
            quarantined: counter(
                "foretide_ingestion_rows_quarantined",
                "Rows and objects put into quarantine",
            ),
            buckets: counter("foretide_ingestion_buckets", "Buckets written"),
            failures: counter(
                "foretide_ingestion_table_failures",
                "Tables that could not be ingested completely",
            ),
        }
    }

    pub(crate) fn count(&self, table: SentinelTable, report: &TableReport, failed: bool) {
        let table = [KeyValue::new("table", table.name())];
        self.rows.add(report.rows_read, &table);
        self.duplicates.add(report.rows_duplicate, &table);
        self.quarantined.add(report.rows_quarantined, &table);
        self.buckets.add(report.buckets_written, &table);
        self.failures.add(u64::from(failed), &table);
    }
}
