//! Phases and the audit chain.

use std::sync::Arc;

use foretide_audit_chain::{AuditRecord, CanonicalJson, Event};
use foretide_domain::{Phase, Principal, SharedClock, UseCase, UseCaseId};
use foretide_outbox::Courier;
use foretide_policy::{GateReport, PhaseActor, PhaseRefusal, change_phase};
use serde_json::json;
use uuid::Uuid;

use crate::checkpoint::Checkpoints;
use crate::config::Config;
use crate::error::AuditorError;
use crate::metrics::Metrics;
use crate::model::{Evaluation, PhaseState};
use crate::signer::Signer;
use crate::sources::{Actuals, Forecasts};
use crate::storage::{AuditFilter, EvaluationFilter, Storage};

/// Name under which the auditor itself stands in the audit chain.
pub(crate) const AUDITOR: &str = "service:auditor";

/// The auditor's use cases.
pub(crate) struct Auditor {
    pub(crate) storage: Storage,
    pub(crate) forecasts: Arc<dyn Forecasts>,
    pub(crate) actuals: Arc<dyn Actuals>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) delivery: Option<Courier>,
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
                self.recorded().await;
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
            self.recorded().await;
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
        self.recorded().await;
        Ok(record)
    }

    /// Signs what was just recorded. The record stands in any case: what could not be signed now will
    /// be with the next one, or by the follower.
    async fn recorded(&self) {
        self.metrics.audit_record();
        if let Err(error) = self.signer.sign().await {
            tracing::error!(error = ?error, "no checkpoint of the audit log was signed");
        }
    }

    pub(crate) async fn records(
        &self,
        filter: &AuditFilter,
    ) -> Result<Vec<AuditRecord>, AuditorError> {
        self.storage.records(filter).await
    }
}

/// How a use case stands in the audit chain.
pub(crate) fn subject_of(use_case: &UseCaseId) -> String {
    format!("use_case/{use_case}")
}
