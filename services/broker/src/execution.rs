//! From an approval to its effect.
//!
//! The intent is stored before the notice is sent and the answer after it. A process that ends in
//! between leaves a proposal that is `executing`; once its lease has passed it is executed again, one
//! time. A notice can therefore arrive twice if the process ended after Teams took it and before
//! the answer was stored; both carry the same proposal id.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use foretide_domain::{ActionKind, ProposalId};
use foretide_policy::{ExecutionPermit, Refusal, State};
use foretide_teams::TeamsMessage;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::error::BrokerError;
use crate::events;
use crate::model::{KillSwitch, ProposalRecord};
use crate::service::Broker;
use crate::storage::Change;

/// How often interrupted executions and overdue proposals are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(5);
/// How often the kill switch is read, which another replica may have changed.
const KILL_SWITCH_PERIOD: Duration = Duration::from_secs(1);
/// The answer of the outside is worth some patience with the database: without it, the notice would
/// be sent again.
const STORE_ATTEMPTS: u32 = 6;

/// What came of beginning an execution.
enum Begun {
    Permitted(ExecutionPermit),
    Ended,
}

impl Broker {
    pub(crate) fn lease(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.config.execution_lease_seconds))
    }

    /// Executes in a task of its own, so that a caller who goes away interrupts nothing.
    pub(crate) async fn execute_to_the_end(
        self: &Arc<Self>,
        id: ProposalId,
    ) -> Result<ProposalRecord, BrokerError> {
        let broker = Arc::clone(self);
        let task = async move { broker.execute(id).await }.in_current_span();
        tokio::spawn(task).await.map_err(|error| {
            tracing::error!(proposal = %id, %error, "an execution ended abnormally");
            BrokerError::Interrupted
        })?
    }

    /// Executes an approved proposal, or goes on with an interrupted one. Whatever held at the
    /// approval is checked again.
    async fn execute(&self, id: ProposalId) -> Result<ProposalRecord, BrokerError> {
        let Some(_running) = Running::claim(&self.running, id) else {
            return self.storage.find(id).await;
        };
        let (record, begun) = self.begin(id).await?;
        self.audit.wake();
        let Begun::Permitted(permit) = begun else {
            self.metrics.execution(false);
            return Ok(record);
        };
        let permit = Arc::new(permit);
        let sent = self.send(&record).await;
        let record = self.store_end(id, &permit, sent).await?;
        self.audit.wake();
        Ok(record)
    }

    async fn begin(&self, id: ProposalId) -> Result<(ProposalRecord, Begun), BrokerError> {
        let record = self.storage.find(id).await?;
        let circumstances = self.circumstances(&record.use_case).await?;
        let now = circumstances.now;
        let lease_until = now + self.lease();
        let judge = move |record: &mut ProposalRecord, kill_switch: &KillSwitch| {
            let standing = record.standing(&circumstances, kill_switch.engaged);
            let was_interrupted = matches!(record.life.state, State::Executing { .. });
            let permit = if was_interrupted {
                record.life.resume(&standing)
            } else {
                record.life.begin(&standing)
            };
            match permit {
                Ok(permit) => {
                    record.execution.attempts = permit.attempt();
                    record.execution.started_at = Some(now);
                    record.execution.lease_until = Some(lease_until);
                    Ok(Change {
                        events: vec![events::begun(record, permit.attempt())],
                        value: Begun::Permitted(permit),
                    })
                }
                Err(Refusal::Expired) if record.life.expire(now) => Ok(Change {
                    value: Begun::Ended,
                    events: vec![events::expired(record)],
                }),
                Err(refusal) if record.life.stop() => {
                    record.execution.finished_at = Some(now);
                    record.execution.lease_until = None;
                    let outcome = if was_interrupted {
                        format!("interrupted, and not tried again because {refusal}")
                    } else {
                        format!("nothing was sent because {refusal}")
                    };
                    record.execution.outcome = Some(outcome);
                    Ok(Change {
                        value: Begun::Ended,
                        events: vec![events::ended(record, false)],
                    })
                }
                Err(refusal) => Err(refusal.into()),
            }
        };
        self.storage.change(id, now, judge).await
    }

    /// Does it; the text is what was answered, or why it is not known to have been taken.
    async fn send(&self, record: &ProposalRecord) -> Result<String, String> {
        let mut kill = self.kill.subscribe();
        let limit = Duration::from_secs(u64::from(self.config.execution_lease_seconds) / 2);
        tokio::select! {
            biased;
            _ = kill.wait_for(|engaged| *engaged) => {
                Err("stopped by the kill switch while it was being sent: it may have arrived".to_owned())
            }
            sent = tokio::time::timeout(limit, self.perform(record)) => match sent {
                Ok(sent) => sent,
                Err(_) => Err(format!("no answer within {} s: it may have arrived", limit.as_secs())),
            },
        }
    }

    async fn perform(&self, record: &ProposalRecord) -> Result<String, String> {
        let payload = record.payload.as_str();
        let nothing = |why: &dyn std::fmt::Display| format!("nothing was sent: {why}");
        match record.kind {
            ActionKind::TeamsNotice => {
                let message = TeamsMessage::parse(payload).map_err(|error| {
                    format!("nothing was sent because the payload is no message: {error}")
                })?;
                let messenger = self.messenger.as_ref();
                let messenger = messenger.ok_or_else(|| nothing(&BrokerError::NoWebhook))?;
                let sent = messenger.send(&message).await;
                sent.map_err(|error| error.to_string())
            }
            ActionKind::PlanningIncident => {
                let incident = serde_json::from_str(payload).map_err(|error| {
                    format!("nothing was sent because the payload is no incident: {error}")
                })?;
                let planner = self.planner.as_ref();
                let planner = planner.ok_or_else(|| nothing(&BrokerError::NoPlanner))?;
                let raised = planner.raise(&incident).await;
                raised.map_err(|error| error.to_string())
            }
        }
    }

    async fn store_end(
        &self,
        id: ProposalId,
        permit: &Arc<ExecutionPermit>,
        sent: Result<String, String>,
    ) -> Result<ProposalRecord, BrokerError> {
        let succeeded = sent.is_ok();
        self.metrics.execution(succeeded);
        match &sent {
            Ok(answer) => tracing::info!(proposal = %id, answer, "done"),
            Err(problem) => tracing::error!(proposal = %id, problem, "not done"),
        }
        let outcome = sent.unwrap_or_else(|problem| problem);
        let mut attempt = 1;
        loop {
            let now = self.clock.now();
            let (permit, outcome) = (Arc::clone(permit), outcome.clone());
            let judge = move |record: &mut ProposalRecord, _: &KillSwitch| {
                record.life.finish(&permit, succeeded);
                record.execution.finished_at = Some(now);
                record.execution.lease_until = None;
                record.execution.outcome = Some(outcome.clone());
                Ok(Change {
                    value: (),
                    events: vec![events::ended(record, succeeded)],
                })
            };
            match self.storage.change(id, now, judge).await {
                Ok((record, ())) => return Ok(record),
                Err(error) if attempt == STORE_ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::error!(proposal = %id, ?error, attempt, "the answer could not be stored");
                    tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// Ends overdue proposals and goes on with interrupted executions, until shutdown.
    pub(crate) async fn sweep(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.sweep_once().await {
                tracing::warn!(?error, "proposals could not be looked through");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(SWEEP_PERIOD) => {}
            }
        }
    }

    async fn sweep_once(self: &Arc<Self>) -> Result<(), BrokerError> {
        self.expire_overdue().await?;
        for id in self.storage.abandoned(self.clock.now()).await? {
            if let Err(error) = self.execute_to_the_end(id).await {
                tracing::warn!(proposal = %id, ?error, "an execution could not be resumed");
            }
        }
        Ok(())
    }

    /// Lets executions under way know of a kill switch that another replica engaged.
    pub(crate) async fn watch_kill_switch(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            match self.storage.kill_switch().await {
                Ok(KillSwitch { engaged, .. }) => {
                    self.kill
                        .send_if_modified(|known| std::mem::replace(known, engaged) != engaged);
                }
                Err(error) => tracing::warn!(?error, "the kill switch could not be read"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(KILL_SWITCH_PERIOD) => {}
            }
        }
    }
}

/// Marks an execution as under way in this process, whatever the clock says about its lease.
struct Running<'b> {
    all: &'b Mutex<HashSet<ProposalId>>,
    id: ProposalId,
}

impl<'b> Running<'b> {
    fn claim(all: &'b Mutex<HashSet<ProposalId>>, id: ProposalId) -> Option<Self> {
        let is_new = all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id);
        is_new.then_some(Self { all, id })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}
