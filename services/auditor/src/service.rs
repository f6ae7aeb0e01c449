//! Phases and the audit chain.

use std::sync::Arc;

use foretide_audit_chain::{AuditRecord, CanonicalJson, Event, Verifier};
use foretide_db::DbError;
use foretide_domain::{Phase, Principal, SharedClock, UseCase, UseCaseId};
use foretide_policy::{GateReport, PhaseActor, PhaseRefusal, change_phase};
use serde_json::json;
use uuid::Uuid;

use crate::checkpoint::Checkpoints;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::error::AuditorError;
use crate::metrics::Metrics;
use crate::model::{ChainReport, Evaluation, PhaseState};
use crate::sources::{Actuals, Forecasts};
use crate::storage::{AuditFilter, EvaluationFilter, Storage};

/// Name under which the auditor itself stands in the audit chain.
pub(crate) const AUDITOR: &str = "service:auditor";
/// Records read at a time when the chain is verified.
const PAGE: u64 = 1_000;

/// The auditor's use cases.
pub(crate) struct Auditor {
    pub(crate) storage: Storage,
    pub(crate) forecasts: Arc<dyn Forecasts>,
    pub(crate) actuals: Arc<dyn Actuals>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) delivery: Option<Arc<Delivery>>,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
}

impl Auditor {
    /// Gives every declared use case that has none its first phase.
    pub(crate) async fn begin_phases(&self) -> Result<(), AuditorError> {
        for use_case in self.use_cases.iter() {
            let configured = self.config.initial_phases.get(&use_case.id);
            let (phase, reason) = match configured {
                Some(phase) => (*phase, "initial phase by configuration"),
                None => (Phase::Shadow, "every use case begins in shadow"),
            };
            let state = PhaseState {
                use_case: use_case.id.clone(),
                phase,
                since: self.clock.now(),
                changed_by: "configuration".to_owned(),
                reason: reason.to_owned(),
            };
            let event = Event {
                event_id: format!("phase-begun/{}", use_case.id),
                actor: AUDITOR.to_owned(),
                action: "phase.begun".to_owned(),
                subject: subject_of(&use_case.id),
                run_id: None,
                details: CanonicalJson::of(&json!({"phase": phase.name(), "reason": reason})),
            };
            if self.storage.begin_phase(&state, event).await? {
                self.metrics.audit_record();
                tracing::info!(use_case = %use_case.id, %phase, "phase begun");
            }
        }
        Ok(())
    }

    /// The declaration of a use case.
    pub(crate) fn declared(&self, id: &UseCaseId) -> Result<&UseCase, AuditorError> {
        let mut all = self.use_cases.iter();
        all.find(|use_case| use_case.id == *id)
            .ok_or_else(|| AuditorError::UnknownUseCase(id.clone()))
    }

    pub(crate) async fn phase(&self, use_case: &UseCaseId) -> Result<PhaseState, AuditorError> {
        self.storage
            .phase(use_case)
            .await?
            .ok_or_else(|| AuditorError::UnknownUseCase(use_case.clone()))
    }

    pub(crate) async fn phases(&self) -> Result<Vec<PhaseState>, AuditorError> {
        self.storage.phases().await
    }

    /// Changes a phase on behalf of a caller, if the policy lets them.
    pub(crate) async fn set_phase(
        &self,
        use_case: &UseCaseId,
        to: Phase,
        caller: &Principal,
        reason: &str,
    ) -> Result<PhaseState, AuditorError> {
        let now = self.phase(use_case).await?;
        let gate = self.gate(use_case, self.clock.now()).await?;
        let actor = PhaseActor::Caller(caller);
        change_phase(now.phase, to, actor, reason, gate.verdict)?;
        self.store_phase(&now, to, &caller.name, reason, None, &gate)
            .await
    }

    /// Stores a change that the policy allows.
    pub(crate) async fn store_phase(
        &self,
        from: &PhaseState,
        to: Phase,
        changed_by: &str,
        reason: &str,
        run_id: Option<String>,
        gate: &GateReport,
    ) -> Result<PhaseState, AuditorError> {
        let state = PhaseState {
            use_case: from.use_case.clone(),
            phase: to,
            since: self.clock.now(),
            changed_by: changed_by.to_owned(),
            reason: reason.to_owned(),
        };
        let raised = to > from.phase;
        let details = json!({
            "from": from.phase.name(),
            "to": to.name(),
            "reason": reason,
            "gate": {"verdict": gate.verdict, "reasons": gate.reasons},
        });
        let event = Event {
            event_id: Uuid::now_v7().to_string(),
            actor: changed_by.to_owned(),
            action: if raised {
                "phase.raised"
            } else {
                "phase.lowered"
            }
            .to_owned(),
            subject: subject_of(&from.use_case),
            run_id,
            details: CanonicalJson::of(&details),
        };
        if self.storage.change_phase(from.phase, &state, event).await? {
            self.metrics.audit_record();
            return Ok(state);
        }
        let other = self.phase(&from.use_case).await?;
        Err(PhaseRefusal::NoChange(other.phase).into())
    }

    pub(crate) async fn evaluations(
        &self,
        filter: &EvaluationFilter,
    ) -> Result<Vec<Evaluation>, AuditorError> {
        self.storage.evaluations(filter).await
    }

    /// Appends what another service reports.
    pub(crate) async fn append(&self, event: Event) -> Result<AuditRecord, AuditorError> {
        let record = self.storage.append(event, self.clock.now()).await?;
        self.metrics.audit_record();
        Ok(record)
    }

    pub(crate) async fn records(
        &self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRecord>, AuditorError> {
        self.storage.records(filter).await
    }

    /// Checks the whole chain against its head and the checkpoints in the lake.
    pub(crate) async fn verify(&self) -> Result<ChainReport, AuditorError> {
        let mut checkpoints = self.checkpoints.newest().await?;
        let head = match self.storage.head().await {
            Ok(head) => head,
            Err(error) => return broken_row(error, 0, String::new()),
        };
        checkpoints.push(head);
        let mut verifier = Verifier::new(&checkpoints);
        let mut report = ChainReport {
            records: 0,
            head_hash: foretide_audit_chain::Head::genesis().hash.to_string(),
            broken: None,
        };
        // Below 1 there is nothing, unless somebody put it there.
        let mut from_sequence = 0;
        loop {
            let filter = AuditFilter {
                from_sequence,
                limit: PAGE,
                ..AuditFilter::default()
            };
            let records = match self.storage.records(&filter).await {
                Ok(records) => records,
                Err(error) => return broken_row(error, report.records, report.head_hash),
            };
            for record in &records {
                if let Err(broken) = verifier.push(record) {
                    report.broken = Some((broken.sequence, broken.problem.to_string()));
                    return Ok(report);
                }
                report.records += 1;
                report.head_hash = record.hash.to_string();
                from_sequence = record.sequence + 1;
            }
            if (records.len() as u64) < PAGE {
                break;
            }
        }
        if let Err(broken) = verifier.finish() {
            report.broken = Some((broken.sequence, broken.problem.to_string()));
        }
        Ok(report)
    }
}

/// A row that cannot even be read is a broken chain, not a failure of the check.
fn broken_row(
    error: AuditorError,
    records: u64,
    head_hash: String,
) -> Result<ChainReport, AuditorError> {
    match error {
        AuditorError::Database(DbError::Corrupt {
            column,
            row,
            problem,
            ..
        }) => Ok(ChainReport {
            records,
            head_hash,
            broken: Some((
                row.parse().unwrap_or(records + 1),
                format!("{column}: {problem}"),
            )),
        }),
        error => Err(error),
    }
}

/// How a use case stands in the audit chain.
pub(crate) fn subject_of(use_case: &UseCaseId) -> String {
    format!("use_case/{use_case}")
}
