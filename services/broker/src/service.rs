//! Decisions: the one place where an approval can become one, whatever the route.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use foretide_domain::{ActionKind, Principal, ProposalId, Role, SharedClock, UseCase, UseCaseId};
use foretide_outbox::Courier;
use foretide_policy::{PayloadHash, Progress};
use tokio::sync::watch;

use crate::config::Config;
use crate::error::BrokerError;
use crate::events;
use crate::metrics::Metrics;
use crate::model::{
    Circumstances, Decision, KillSwitch, ProposalFilter, ProposalRecord, Route, Verdict,
};
use crate::sources::{Forecasts, Messenger, Phases, Planner};
use crate::storage::{Change, Storage};

/// The broker's use cases.
pub(crate) struct Broker {
    pub(crate) storage: Storage,
    pub(crate) forecasts: Arc<dyn Forecasts>,
    pub(crate) phases: Arc<dyn Phases>,
    pub(crate) messenger: Option<Arc<dyn Messenger>>,
    pub(crate) planner: Option<Arc<dyn Planner>>,
    pub(crate) use_cases: Arc<Vec<UseCase>>,
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: Metrics,
    /// Wakes the delivery of events to the audit chain.
    pub(crate) audit: Courier,
    /// Whether the kill switch is engaged, for executions that are under way.
    pub(crate) kill: watch::Sender<bool>,
    /// Executions that are under way in this process.
    pub(crate) running: Mutex<HashSet<ProposalId>>,
}

/// What somebody says to a proposal.
#[derive(Debug, Clone)]
pub(crate) struct DecisionRequest {
    pub(crate) id: ProposalId,
    pub(crate) comment: String,
    pub(crate) route: Route,
}

impl Broker {
    /// The declaration of a use case.
    pub(crate) fn declared(&self, id: &UseCaseId) -> Result<&UseCase, BrokerError> {
        let mut all = self.use_cases.iter();
        all.find(|use_case| use_case.id == *id)
            .ok_or_else(|| BrokerError::UnknownUseCase(id.clone()))
    }

    /// What holds now for proposals of the use case. Without the auditor nothing is known, and
    /// nothing is done.
    pub(crate) async fn circumstances(
        &self,
        use_case: &UseCaseId,
    ) -> Result<Circumstances, BrokerError> {
        Ok(Circumstances {
            now: self.clock.now(),
            phase: self.phases.phase(use_case).await?.phase,
            policy: self.config.policy.version(),
            quorum: self.config.policy.quorum,
        })
    }

    /// Counts the caller's approval of exactly the payload presented; with enough of them, executes.
    pub(crate) async fn approve(
        self: &Arc<Self>,
        caller: &Principal,
        presented: PayloadHash,
        request: DecisionRequest,
    ) -> Result<ProposalRecord, BrokerError> {
        self.expire_overdue().await?;
        let record = self.storage.find(request.id).await?;
        let circumstances = self.circumstances(&record.use_case).await?;
        let now = circumstances.now;
        let lease_until = now + self.lease();
        let can_send = [
            (ActionKind::TeamsNotice, self.messenger.is_some()),
            (ActionKind::PlanningIncident, self.planner.is_some()),
        ];
        let (id, approver) = (request.id, caller.clone());
        let judge = move |record: &mut ProposalRecord, kill_switch: &KillSwitch| {
            let standing = record.standing(&circumstances, kill_switch.engaged);
            let progress = record.life.approve(&approver, presented, &standing)?;
            if can_send.contains(&(record.kind, false)) {
                return Err(match record.kind {
                    ActionKind::TeamsNotice => BrokerError::NoWebhook,
                    ActionKind::PlanningIncident => BrokerError::NoPlanner,
                });
            }
            let missing = match progress {
                Progress::Counted { missing } => missing,
                Progress::QuorumReached => 0,
            };
            if progress == Progress::QuorumReached {
                record.execution.lease_until = Some(lease_until);
            }
            let decision = request.decision(Verdict::Approve, &approver, presented, now);
            let events = vec![events::decided(record, &decision, missing)];
            record.decisions.push(decision);
            Ok(Change {
                value: progress,
                events,
            })
        };
        let (record, progress) = self.decide(caller, record, judge).await?;
        if progress == Progress::QuorumReached {
            self.metrics.proposal("approved");
            return self.execute_to_the_end(id).await;
        }
        Ok(record)
    }

    /// Takes the caller's no.
    pub(crate) async fn reject(
        &self,
        caller: &Principal,
        request: DecisionRequest,
    ) -> Result<ProposalRecord, BrokerError> {
        self.expire_overdue().await?;
        let record = self.storage.find(request.id).await?;
        let now = self.clock.now();
        let rejecter = caller.clone();
        let judge = move |record: &mut ProposalRecord, _: &KillSwitch| {
            record.life.reject(&rejecter, now)?;
            let hash = record.life.payload_hash;
            let decision = request.decision(Verdict::Reject, &rejecter, hash, now);
            let events = vec![events::decided(record, &decision, 0)];
            record.decisions.push(decision);
            Ok(Change { value: (), events })
        };
        let (record, ()) = self.decide(caller, record, judge).await?;
        self.metrics.proposal("rejected");
        Ok(record)
    }

    /// Stores a decision, or tells the audit chain who was refused and why.
    async fn decide<T, F>(
        &self,
        caller: &Principal,
        record: ProposalRecord,
        judge: F,
    ) -> Result<(ProposalRecord, T), BrokerError>
    where
        T: Send + 'static,
        F: Fn(&mut ProposalRecord, &KillSwitch) -> Result<Change<T>, BrokerError>
            + Send
            + Sync
            + 'static,
    {
        let now = self.clock.now();
        let outcome = self.storage.change(record.id, now, judge).await;
        if let Err(BrokerError::Refused(refusal)) = &outcome {
            self.metrics.refusal();
            self.storage
                .tell(events::refused(&record, caller, *refusal), now)
                .await?;
        }
        self.audit.wake();
        outcome
    }

    /// Ends what nobody decided or began in time. Gives back how many that were.
    pub(crate) async fn expire_overdue(&self) -> Result<u32, BrokerError> {
        let now = self.clock.now();
        let mut expired = 0;
        for id in self.storage.overdue(now).await? {
            let judge = move |record: &mut ProposalRecord, _: &KillSwitch| {
                let value = record.life.expire(now);
                let events = if value {
                    vec![events::expired(record)]
                } else {
                    vec![]
                };
                Ok(Change { value, events })
            };
            let (_, changed) = self.storage.change(id, now, judge).await?;
            if changed {
                expired += 1;
                self.metrics.proposal("expired");
                self.audit.wake();
            }
        }
        Ok(expired)
    }

    pub(crate) async fn find(&self, id: ProposalId) -> Result<ProposalRecord, BrokerError> {
        self.expire_overdue().await?;
        self.storage.find(id).await
    }

    pub(crate) async fn list(
        &self,
        filter: &ProposalFilter,
    ) -> Result<Vec<ProposalRecord>, BrokerError> {
        self.expire_overdue().await?;
        self.storage.list(filter).await
    }

    pub(crate) async fn kill_switch(&self) -> Result<KillSwitch, BrokerError> {
        self.storage.kill_switch().await
    }

    /// Engages or releases the kill switch. Operators and approvers engage, only approvers release.
    pub(crate) async fn set_kill_switch(
        &self,
        caller: &Principal,
        engaged: bool,
        reason: String,
    ) -> Result<KillSwitch, BrokerError> {
        let may = caller.has(Role::Approver) || (engaged && caller.has(Role::Operator));
        if !caller.is_person() || !may {
            let (what, who) = if engaged {
                ("engage", "an operator or approver")
            } else {
                ("release", "an approver")
            };
            let name = caller.name.clone();
            return Err(BrokerError::KillSwitch { name, what, who });
        }
        let now = self.clock.now();
        let kill_switch = KillSwitch {
            engaged,
            changed_by: caller.name.clone(),
            changed_at: Some(now),
            reason,
        };
        let event = events::kill_switch(&kill_switch);
        self.storage
            .set_kill_switch(&kill_switch, &event, now)
            .await?;
        self.kill.send_replace(engaged);
        self.audit.wake();
        tracing::warn!(engaged, by = caller.name, "kill switch changed");
        Ok(kill_switch)
    }
}

impl DecisionRequest {
    fn decision(
        &self,
        verdict: Verdict,
        by: &Principal,
        payload_hash: PayloadHash,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Decision {
        Decision {
            verdict,
            decided_by: by.name.clone(),
            decided_at: now,
            payload_hash,
            comment: self.comment.clone(),
            route: self.route,
        }
    }
}
