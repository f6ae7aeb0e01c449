//! What the auditor counts.

use foretide_policy::{GateEvidence, GateReport};
use opentelemetry::metrics::{Counter, Gauge};
use opentelemetry::{KeyValue, global};

/// Instruments of the auditor.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    forecasts_evaluated: Counter<u64>,
    verdicts: Counter<u64>,
    demotions: Counter<u64>,
    audit_records: Counter<u64>,
    coverage_80: Gauge<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = global::meter("foretide_auditor");
        Self {
            forecasts_evaluated: meter
                .u64_counter("foretide_forecasts_evaluated")
                .with_description("Forecasts compared with settled counts")
                .build(),
            verdicts: meter
                .u64_counter("foretide_gate_verdicts")
                .with_description("Verdicts of the gate, by use case and verdict")
                .build(),
            demotions: meter
                .u64_counter("foretide_demotions")
                .with_description("Phases lowered by a failing gate")
                .build(),
            audit_records: meter
                .u64_counter("foretide_audit_records")
                .with_description("Records appended to the audit chain")
                .build(),
            coverage_80: meter
                .f64_gauge("foretide_realised_coverage_80")
                .with_description("Share of settled hours inside the 80% interval")
                .build(),
        }
    }

    pub(crate) fn forecast_evaluated(&self, use_case: &str) {
        self.forecasts_evaluated.add(1, &[use_case_label(use_case)]);
    }

    pub(crate) fn verdict(&self, use_case: &str, gate: &GateReport) {
        let labels = [
            use_case_label(use_case),
            KeyValue::new("verdict", gate.verdict.to_string()),
        ];
        self.verdicts.add(1, &labels);
        if let GateEvidence::Hours(evidence) = gate.evidence {
            self.coverage_80
                .record(evidence.coverage_80, &[use_case_label(use_case)]);
        }
    }

    pub(crate) fn demotion(&self, use_case: &str) {
        self.demotions.add(1, &[use_case_label(use_case)]);
    }

    pub(crate) fn audit_record(&self) {
        self.audit_records.add(1, &[]);
    }
}

fn use_case_label(use_case: &str) -> KeyValue {
    KeyValue::new("use_case", use_case.to_owned())
}
